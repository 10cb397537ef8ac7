"""One machine at the end of a stack, where things lie on it, and which ports they use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import PurePosixPath
from typing import Any

from infra.config import MAX_REPLICAS

SLOTS = ("a", "b")
"""Two places for a release on a host: live has one, a candidate is started in the other."""


def other_slot(slot: str | None) -> str:
    """The slot a candidate takes while `slot` (None: nothing) is live."""
    return "b" if slot == "a" else "a"


@dataclass(frozen=True)
class Ports:
    """The 100 loopback ports of a host, counted from `first`.

    +0..+15 replicas of slot a, +16..+31 of slot b, +32..+47 and +48..+63 their metrics,
    +64 and +65 the edge's direct frontends of slot a and b, +66 the edge's own metrics,
    +67 the entry's door for the gate's requests.
    """

    first: int

    def replica(self, slot: str, number: int) -> int:
        """Port of replica `number` (from 1) in `slot`."""
        return self._of(slot, number, 0)

    def metrics(self, slot: str, number: int) -> int:
        """Port of that replica's metrics."""
        return self._of(slot, number, 2 * MAX_REPLICAS)

    def direct(self, slot: str) -> int:
        """Port of the edge's frontend that offers `slot` alone and takes no user traffic."""
        return self.first + 4 * MAX_REPLICAS + SLOTS.index(slot)

    @property
    def edge_metrics(self) -> int:
        """Port of the edge's own Prometheus page."""
        return self.first + 4 * MAX_REPLICAS + 2

    @property
    def door(self) -> int:
        """Port of an entry's frontend that shares requests out as it does those of users."""
        return self.first + 4 * MAX_REPLICAS + 3

    def _of(self, slot: str, number: int, start: int) -> int:
        if not 1 <= number <= MAX_REPLICAS:
            msg = f"replica number: must be 1 to {MAX_REPLICAS} (got {number})."
            raise ValueError(msg)
        return self.first + start + SLOTS.index(slot) * MAX_REPLICAS + number - 1


@dataclass(frozen=True)
class Paths:
    """Where a stack's things lie on a host, below one folder that `destroy` removes."""

    root: PurePosixPath

    @property
    def edge(self) -> PurePosixPath:
        """Folder mounted into the edge: its configuration, the live map, the walk's lock."""
        return self.root / "edge"

    @property
    def keys(self) -> PurePosixPath:
        """Folder mounted into every replica: the public keys that tokens are checked with."""
        return self.root / "keys"

    @property
    def config(self) -> PurePosixPath:
        """HAProxy's configuration."""
        return self.edge / "haproxy.cfg"

    @property
    def live_map(self) -> PurePosixPath:
        """Which release is live, in which slot: HAProxy's map, with notes (`provider.live`)."""
        return self.edge / "live.map"

    @property
    def weights(self) -> PurePosixPath:
        """On an entry: how much of the users' traffic each host of the stack gets."""
        return self.edge / "weights.json"

    @property
    def inner_certificate(self) -> PurePosixPath:
        """The host's own key and certificate for the other hosts."""
        return self.edge / "tls" / "inner.pem"

    @property
    def peers(self) -> PurePosixPath:
        """The other hosts' certificates."""
        return self.edge / "tls" / "peers.pem"

    @property
    def address(self) -> PurePosixPath:
        """Folder mounted into keepalived, on an entry of a stack with a floating address."""
        return self.root / "address"

    @property
    def jwks(self) -> PurePosixPath:
        """The key set."""
        return self.keys / "jwks.json"

    @property
    def start(self) -> PurePosixPath:
        """Script that starts the edge and the live release after a reboot."""
        return self.root / "start"

    @property
    def lock(self) -> PurePosixPath:
        """Who is walking a release on this host; beside the map, for the edge's watcher."""
        return self.edge / "walk.lock"

    @property
    def releases(self) -> PurePosixPath:
        """One record per promoted release: when, by whom, with which verdict."""
        return self.root / "releases"

    @property
    def rolled_back(self) -> PurePosixPath:
        """The releases that the host refuses, because they were rolled back on it."""
        return self.root / "rolled_back.json"

    @property
    def audit(self) -> PurePosixPath:
        """What was done on the host by whom, a line each."""
        return self.root / "audit.jsonl"


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A machine in between, through which a host is reached.

    Attributes:
        key: private key's file; None: as for the host itself.
        host_key: public host key, `kind base64`; None: not known yet.
    """

    address: str
    user: str
    port: int = 22
    key: str | None = None
    host_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Host:
    """One machine as the program and the provider speak of it.

    Attributes:
        connection: `ssh` or `local`; what is about logging in has no meaning for `local`.
        user: who logs in; empty for `local`.
        key: private key's file; None: the agent's keys, then those in ~/.ssh.
        host_key: public host key, `kind base64`; None: not known yet.
        sudo: act as root, by sudo.
        connect_timeout_s: a host that is silent for so long is dead.
        boot_timeout_s: how long a host that refuses connections is asked again.
        software_device: for tests, a processor may stand in for the card.
        engine: `docker`, `podman`, or `auto` for the one that is there.
        entry: takes the users' traffic for the whole stack.
        inner_address: by which the stack's other hosts reach it; None: `address`.
        out: no part of traffic, walk and checks; it stays as it is.
        machine_id: the machine's own id when it was prepared; None before that.
    """

    name: str
    address: str
    connection: str
    accelerator: str
    stack: str
    ports_from: int
    user: str = ""
    port: int = 22
    key: str | None = None
    host_key: str | None = None
    jump: Jump | None = None
    sudo: bool = False
    connect_timeout_s: float = 10
    boot_timeout_s: float = 20
    software_device: bool = False
    engine: str = "auto"
    entry: bool = False
    inner_address: str | None = None
    out: bool = False
    machine_id: str | None = None

    @property
    def ports(self) -> Ports:
        """The host's port plan."""
        return Ports(self.ports_from)

    @property
    def reached_inside(self) -> str:
        """By which address the stack's other hosts reach it."""
        return self.inner_address or self.address

    def to_inputs(self) -> dict[str, Any]:
        """The host as inputs of a resource: without the machine's id, an output of Prepare."""
        given = {k: v for k, v in asdict(self).items() if v is not None and k != "machine_id"}
        if self.jump is not None:
            given["jump"] = {k: v for k, v in given["jump"].items() if v is not None}
        return given

    @staticmethod
    def from_inputs(inputs: Mapping[str, Any]) -> "Host":
        """The host that `to_inputs` described; a machine id may stand beside it.

        What an older state does not tell is as it was then: the default.
        """
        known = {f.name for f in fields(Host)}
        given = {k: v for k, v in inputs.items() if k in known and v is not None}
        if "jump" in given:
            jump = {k: v for k, v in given["jump"].items() if v is not None}
            given["jump"] = Jump(**jump)
        return Host(**given)
