"""The cards of a host: what its containers are given, and whether its replicas work on them."""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from bentos.catalog import MODELS
from bentos.spec import Photo
from infra.commands import gpu
from infra.commands.gpu import Access
from infra.provider.machine import Machine
from service import contract


class NoDevice(Exception):
    """The host cannot do the work on what it declares: one line with the cause and its cure."""


_told: WeakKeyDictionary[Machine, Access] = WeakKeyDictionary()
"""What a host told in this operation: each of its replicas asks."""


def access(machine: Machine) -> Access:
    """What a replica is given to get at the host's cards; nothing where it declares none.

    Raises:
        NoDevice: it declares one, and no container can get at it.
        HostError: the host does not tell.
    """
    if machine not in _told:
        _told[machine] = _ask(machine)
    return _told[machine]


def _ask(machine: Machine) -> Access:
    host = machine.host
    if host.accelerator == contract.CPU or host.software_device:
        return Access()
    found = gpu.parse(machine.run(gpu.facts()))
    engine = gpu.parse_engine(machine.engine, machine.run(gpu.engine_facts(machine.engine)))
    try:
        return gpu.access(found, engine)
    except ValueError as e:
        raise NoDevice(f"{host.name}: {host.accelerator} cannot be used: {e}.") from e


def fault(machine: Machine, models: Mapping[str, Any]) -> str | None:
    """Which models a ready replica runs elsewhere than its host declares; None: none.

    Args:
        models: of its answer on /readyz: name -> at least `device`.
    """
    host = machine.host
    if host.accelerator == contract.CPU:
        return None
    wanted = contract.SOFTWARE if host.software_device else host.accelerator
    elsewhere = {
        name: told.get("device")
        for name, told in models.items()
        if name in MODELS and isinstance(MODELS[name].takes, Photo)
    }
    wrong = [f"{name} runs on {where}" for name, where in elsewhere.items() if where != wanted]
    return f"{', '.join(wrong)}, and the host declares {wanted}" if wrong else None


def cause(machine: Machine) -> str:
    """What the host says now of why its cards cannot be used; empty: nothing is wrong there."""
    try:
        _ask(machine)
    except NoDevice as e:
        return str(e)
    return ""
