"""A stack on hosts of its own network, reached over SSH as real ones are: by root, and by sudo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.crowd import Crowd, post
from harness.loopback import USER, LoopbackHost, why_no_host
from harness.network import BASE, Network, why_no_network
from harness.stack import LiveStack
from infra import stack_file
from infra.commands import containers
from infra.connection import line
from infra.host import Ports
from infra.provider import live
from infra.provider.machine import Machine, open_machine

BY_SUDO = {"user": USER, "sudo": True}
EDGE = {"port": 8080, "ports_from": 21000}
"""A host's own ports: no other host, and nothing of this machine, is in its way."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A host to be made.

    Attributes:
        number: on the site's network.
        entry: what its entry in the stack's file says besides.
    """

    number: int
    entry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a fleet is: no two that are there at a time share a network.

    Attributes:
        places: by the hosts' names; the first one takes the users' requests.
    """

    name: str
    network: int
    places: Mapping[str, Place]


SITE = Site(
    name="live-ssh",
    network=1,
    places={"alpha": Place(number=11), "beta": Place(number=12, entry=BY_SUDO)},
)
NAME = SITE.name


def why_no_fleet() -> str | None:
    """Why no fleet can be made here; None: one can."""
    return why_no_host() or why_no_network()


class Fleet(LiveStack):
    """The stack, its file, its hosts, and `pulumi` on it."""

    def __init__(self, folder: Path, site: Site = SITE) -> None:
        super().__init__(folder, site.name)
        self.site = site
        self.ports = Ports(EDGE["ports_from"])
        self.network = Network(site.network)
        self.hosts = {
            name: LoopbackHost(
                name, base=BASE / site.name, network=self.network, number=place.number
            )
            for name, place in site.places.items()
        }
        for host in self.hosts.values():
            host.allow_sudo(True)
        self.url = self.url_of(next(iter(self.hosts.values())))
        self.settings |= {
            "hosts": self._entries({}),
            "service": {"models": ["demand", "energy"], "replicas": 1},
            "edge": EDGE,
        }

    @property
    def alpha(self) -> LoopbackHost:
        """The first host."""
        return self.hosts["alpha"]

    @property
    def beta(self) -> LoopbackHost:
        """The second host."""
        return self.hosts["beta"]

    def sweep(self) -> None:
        """Removes what a run that was killed has left; its hosts went when these were made."""
        self.file.unlink(missing_ok=True)

    def list_hosts(self, **changes: dict[str, Any] | None) -> None:
        """Writes the hosts into the stack's file, as they are now: changes by name, None: none."""
        self.settings["hosts"] = self._entries(changes)
        self._write()

    def _entries(self, changes: dict[str, dict[str, Any] | None]) -> list[dict[str, Any]]:
        return [
            host.entry(**{**self.site.places[name].entry, **(changes.get(name) or {})})
            for name, host in self.hosts.items()
            if name not in changes or changes[name] is not None
        ]

    def on(self, host: LoopbackHost) -> Machine:
        """The host as the provider sees it, over a connection of our own."""
        _, every = stack_file.all_hosts(self.name)
        entry = next(h for h in every if h.name == host.name)
        return open_machine(entry)

    def live_on(self, host: LoopbackHost) -> live.Live | None:
        """The release that a host says is live; read from its disk."""
        path = host.on_disk(f"/var/lib/bentofleet/{self.name}/edge/live.map")
        return live.parse(path.read_text()) if path.exists() else None

    def releases_on(self, host: LoopbackHost) -> list[str]:
        """The releases of the replicas that run on a host."""
        label = f'{{{{index .Labels "{containers.RELEASE_LABEL}"}}}}'
        out = host.run(
            "podman", "ps", "--filter", "label=bentofleet.role=replica", "--format", label
        )
        return out.split()

    def traces_on(self, host: LoopbackHost) -> list[str]:
        """What of the stack is on a host: containers, image tags, files."""
        found = host.run("podman", "ps", "--all", "--format", "{{.Names}}").split()
        tags = host.run("podman", "images", "--format", "{{.Repository}}").split()
        found += [tag for tag in tags if f"bentofleet-{self.name}" in tag]
        return found + [path.name for path in (host.folder / "lib").iterdir()]

    def url_of(self, host: LoopbackHost) -> str:
        """A host's own edge, as its users reach it."""
        return f"http://{host.address}:{EDGE['port']}"

    def ask(
        self, host: LoopbackHost, token: str, model: str = "energy"
    ) -> tuple[int, dict[str, object]]:
        """One prediction through a host's own edge."""
        return post(self.url_of(host), token, model)

    def users_of(self, host: LoopbackHost) -> Crowd:
        """Users that ask a host's edge all the time."""
        return Crowd(self.url_of(host), self.token(), kept=0, fresh=2, pause_s=0.02)

    def machine(self) -> Machine:
        """The first host as the provider sees it."""
        return self.on(next(iter(self.hosts.values())))

    def close(self) -> None:
        """Ends the hosts and what runs on them."""
        line.close_all()
        for host in self.hosts.values():
            host.close()
        self.network.close()
        self.file.unlink(missing_ok=True)
