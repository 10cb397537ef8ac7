"""How many connections may be open, and which have to go where one more comes."""

import heapq
import resource
from collections.abc import Iterable
from functools import cache
from typing import Protocol, TypeVar

from service import contract

_OTHER_FILES = 64  # models, keys, libraries, the inner port
_AT_ONCE = 32  # a part of all; so the search for them is rare


class _Connection(Protocol):
    def idle_since(self) -> float | None: ...


_Any = TypeVar("_Any", bound=_Connection)


def raise_limit() -> None:
    """Takes all the open files that the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@cache
def most() -> int:
    """Connections that may be open: the contract's, or fewer where the system gives fewer files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return contract.CONNECTIONS
    return max(1, min(contract.CONNECTIONS, soft - _OTHER_FILES))


def longest_idle(connections: Iterable[_Any]) -> list[_Any]:
    """Of the connections that no request is in progress on, some that are so for longest."""
    idle = [(since, c) for c in connections if (since := c.idle_since()) is not None]
    count = max(1, most() // _AT_ONCE)
    return [c for _, c in heapq.nsmallest(count, idle, key=lambda pair: pair[0])]
