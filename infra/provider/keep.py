"""Which releases a host keeps: a record of each promotion, and the images of the last few."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from infra.commands import containers, images
from infra.complaints import last_line
from infra.connection import HostError
from infra.provider import live
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from infra.provider.record import Record

EDGE = "edge"
"""The edge's role, and its image's name in a stack's repositories."""


def remember(machine: Machine, plan: Plan, record: Record) -> None:
    """Writes down that the release was promoted here: when, by whom, with which verdict."""
    how = {
        "promoted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "operator": machine.connection.operator(),
        "verdict": record.outcome,
        "attempt": record.attempt,
    }
    _write(machine, plan, how)


def copy(machine: Machine, plan: Plan, others: Sequence[Machine]) -> None:
    """Writes the same down on a host that joined later, from one of those that have it.

    Where none has it, the walk was killed between its promotion and its end: all that a verdict
    asks for had passed, and no attempt has it in its files.
    """
    path = machine.paths.releases / f"{plan.release}.json"
    if _entry(machine.read(path)) is not None:
        return
    found = (_entry(m.read(m.paths.releases / path.name)) for m in others if m is not machine)
    how = next((entry for entry in found if entry is not None), None) or {
        "promoted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "operator": machine.connection.operator(),
        "verdict": "pass",
        "attempt": None,
    }
    _write(machine, plan, how)


def returned(machine: Machine, plan: Plan, entry: Mapping[str, object]) -> None:
    """Writes down that a release became live again without a walk: when, and by whom.

    Args:
        entry: the record of its promotion, from this host or another.
    """
    how = {
        **entry,
        "returned_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "returned_by": machine.connection.operator(),
    }
    _write(machine, plan, how)


def _write(machine: Machine, plan: Plan, how: Mapping[str, object]) -> None:
    entry = {
        **how,
        "release": plan.release,
        "image": plan.image_of(machine.host),
        "bento": plan.bento,
        "models": plan.models,
        "env": plan.env,
        "memory_mib": plan.memory_mib,
    }
    path = machine.paths.releases / f"{plan.release}.json"
    machine.write(path, json.dumps(entry, indent=1) + "\n")


def promoted(machine: Machine) -> list[dict[str, object]]:
    """The releases promoted on this host, the latest first; damaged records are left out."""
    entries = []
    for name in machine.names_in(machine.paths.releases):
        entry = _entry(machine.read(machine.paths.releases / name))
        if entry is not None:
            entries.append(entry)
    return sorted(entries, key=became_live, reverse=True)


def became_live(entry: Mapping[str, object]) -> str:
    """When a release last became live, by a walk or by a way back."""
    return max(str(entry["promoted_at"]), str(entry.get("returned_at") or ""))


def _entry(text: str | None) -> dict[str, object] | None:
    """A record of a promotion; None where it is none, or damaged."""
    try:
        entry = json.loads(text or "")
    except ValueError:
        return None
    is_one = isinstance(entry, dict) and {"release", "image", "promoted_at"} <= entry.keys()
    return entry if is_one else None


def prune(machine: Machine, live_image: str, keep: int) -> None:
    """Removes images and records beyond the last `keep` releases; never what is live or in use.

    Old images of the edge go too: only the one that its container was started from is needed.
    """
    entries = promoted(machine)
    now = live.read(machine)
    kept = {str(e["image"]) for e in entries[:keep]} | {live_image}
    there = machine.containers()
    in_use = {c.image_id for c in there}
    repository = live_image.rpartition(":")[0]
    _remove_others(machine, repository, kept, in_use)
    if any(c.role == EDGE for c in there):
        edges = f"{repository.rpartition('/')[0]}/{EDGE}"
        _remove_others(machine, edges, set(), in_use)
    for entry in entries[keep:]:
        if now is not None and entry["release"] == now.release:
            continue
        machine.remove(machine.paths.releases / f"{entry['release']}.json")


def _remove_others(machine: Machine, repository: str, kept: set[str], in_use: set[str]) -> None:
    for tag in machine.image_tags(repository):
        if tag in kept or machine.image_id(tag) in in_use:
            continue
        done = machine.connection.run(containers.remove_tag(machine.engine, tag))
        # a container that is none of the stack's may hold it: it goes with a later release
        if done.status != 0 and not images.is_in_use(done.err):
            msg = (
                f"{machine.host.name}: cannot remove the old image {tag} "
                f"({last_line(done.err)}). Look whether the container engine is well."
            )
            raise HostError(msg)
