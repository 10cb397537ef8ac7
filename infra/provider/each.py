"""The same work on many hosts side by side, with one error for all on which it failed."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from infra.connection import HostError

H = TypeVar("H")
T = TypeVar("T")

AT_ONCE = 32


def on_each(work: Callable[[H], T], hosts: Sequence[H], at_once: int = AT_ONCE) -> list[T]:
    """What the work gives on each host, in their order.

    Raises:
        Exception: of the kind that weighs most, with a line for every host on which it failed: a
            fault of what is worked with goes before one of a host, which says nothing of it.
    """
    if not hosts:
        return []
    with ThreadPoolExecutor(at_once) as pool:
        done = list(pool.map(lambda host: _tried(work, host), hosts))
    failed = [e for _, e in done if e is not None]
    if failed:
        chosen = next((e for e in failed if not isinstance(e, HostError)), failed[0])
        if len(failed) == 1:
            raise chosen
        raise type(chosen)(*(str(reason) for e in failed for reason in e.args)) from chosen
    return [result for result, _ in done]  # type: ignore[misc]  # None only where it failed


def _tried(work: Callable[[H], T], host: H) -> tuple[T | None, Exception | None]:
    try:
        return work(host), None
    except Exception as e:
        return None, e


def on_each_host(work: Callable[[H], T], hosts: Sequence[H], at_once: int = AT_ONCE) -> list[T]:
    """The same where only hosts can be at fault.

    Raises:
        HostError: one line that names each.
    """
    try:
        return on_each(work, hosts, at_once)
    except HostError as e:
        if len(e.args) == 1:
            raise
        raise type(e)(" ".join(e.args)) from e
