"""The edge of a simulated host: what its runtime API is told, and what it answers."""

from collections.abc import Callable, Mapping, Sequence

from infra.commands import edge, haproxy
from infra.commands.fleet import Fleet, Peer
from infra.config_edge import Edge
from infra.host import SLOTS, Host

Ready = Callable[[str], Mapping[int, str]]
"""Slot -> number and release of each replica of a host that is ready there."""

_COUNTERS = (
    *("qcur", "scur", "stot", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "econ", "eresp"),
    *("wretr", "wredis", "srv_abrt"),
)
_COLUMNS = ("# pxname", "svname", *_COUNTERS, "status", "weight", "check_status", "check_desc")


class SimulatedEdge:
    """The map that the walk moves, and servers that are up where the map's release is ready."""

    def __init__(self, host: Host, replicas: int, ready: Ready) -> None:
        self.host = host
        self.replicas = replicas
        self.others: Sequence[SimulatedEdge] = ()
        self._ready = ready
        self._map = {edge.LIVE: edge.NOBODY, edge.CANARY: "0"}
        self._map |= {edge.release_key(slot): edge.NOBODY for slot in SLOTS}
        self._weights: dict[tuple[str, str], str] = {}

    def config(self) -> str:
        """The file that the resource Edge would have written there."""
        others = [o.host for o in self.others]
        peers = tuple(Peer(o.name, o.address, o.entry) for o in others)
        fleet = Fleet(self.host.name, self.host.entry, peers, self.host.address)
        text = haproxy.config(Edge(), self.host.ports, self.replicas, fleet)
        for server, weight in haproxy.weights_of(text).items():
            self._weights.setdefault(server, str(weight))
        return text

    def command(self, text: str) -> str:
        """Answers a line of runtime commands.

        Raises:
            ValueError: no walk has needed one of them so far.
        """
        return "\n".join(self._one(each.split()) for each in text.strip().split(";"))

    def _one(self, words: list[str]) -> str:
        match words:
            case ["set", "map", _, key, value]:
                self._map[key] = value
                return ""
            case ["show", "map", _]:
                return "".join(f"0x1 {key} {value}\n" for key, value in self._map.items())
            case ["show", "stat"]:
                return "\n".join(",".join(row) for row in (_COLUMNS, *self._rows()))
            case ["set", "server", place, "weight", value]:
                backend, _, name = place.partition("/")
                self._weights[backend.rpartition("_")[2], name] = value
                return ""
            case ["set", "server", _, "state", _] | ["enable" | "disable", "health", _]:
                return ""
        raise ValueError(" ".join(words))

    def _rows(self) -> list[tuple[str, ...]]:
        return [row for slot in SLOTS for row in (*self._own(slot), *self._users(slot))]

    def _own(self, slot: str) -> list[tuple[str, ...]]:
        return [_row(f"slot_{slot}", edge.server(n), up, "1") for n, up in self.up(slot).items()]

    def _users(self, slot: str) -> list[tuple[str, ...]]:
        if not self.host.entry:
            return []
        up = {edge.server(number): is_up for number, is_up in self.up(slot).items()}
        for other in self.others:
            up[f"{edge.PEER_PREFIX}{other.host.name}"] = any(other.up(slot).values())
        return [
            _row(f"users_{slot}", name, is_up, self._weights.get((slot, name), "0"))
            for name, is_up in up.items()
        ]

    def up(self, slot: str) -> dict[int, bool]:
        """By the number of each replica of a slot: whether it may be asked."""
        wanted, ready = self._map[edge.release_key(slot)], self._ready(slot)
        return {n: ready.get(n) == wanted for n in range(1, self.replicas + 1)}


def _row(backend: str, name: str, is_up: bool, weight: str) -> tuple[str, ...]:
    status = ("UP" if weight != "0" else "DRAIN") if is_up else "DOWN"
    return (backend, name, *("0" for _ in _COUNTERS), status, weight, "L7OK", "")
