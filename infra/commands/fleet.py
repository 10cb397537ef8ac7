"""What the edge of one host knows of the stack: whether it is an entry, and the other hosts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """Another host that takes part.

    Attributes:
        address: by which the hosts of the stack reach it.
        entry: whether users' traffic goes to it, and so comes from it to this host.
    """

    name: str
    address: str
    entry: bool = False


@dataclass(frozen=True)
class Fleet:
    """The stack, as seen by the host called `name`.

    Attributes:
        entry: whether it takes users' traffic for the whole stack.
        peers: the others that take part; none: the stack has this host alone.
        inner_bind: address on which the other hosts reach it; None: nobody has to.
    """

    name: str
    entry: bool = True
    peers: tuple[Peer, ...] = ()
    inner_bind: str | None = None
