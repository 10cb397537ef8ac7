"""A stack on two loopback hosts, reached over SSH as real ones are: by root, and by sudo."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.crowd import Crowd, post
from harness.loopback import USER, LoopbackHost
from harness.stack import LiveStack
from infra import stack_file
from infra.commands import containers
from infra.connection import line
from infra.provider import live
from infra.provider.machine import Machine, open_machine

NAME = "live-ssh"
PORT = 18543
PORTS_FROM = 24000
PLACES = {"alpha": ("127.0.0.2", 22022), "beta": ("127.0.0.3", 22023)}
LOGINS: dict[str, dict[str, Any]] = {"alpha": {}, "beta": {"user": USER, "sudo": True}}


class Fleet(LiveStack):
    """The stack, its file, its two hosts, and `pulumi` on it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, NAME)
        self.hosts = {
            name: LoopbackHost(name, address, port=port) for name, (address, port) in PLACES.items()
        }
        for host in self.hosts.values():
            host.lead(PORT)
            host.allow_sudo(True)
        self.settings |= {
            "hosts": self._entries({}),
            "service": {"models": ["demand", "energy"], "replicas": 1},
            "edge": {"port": PORT, "ports_from": PORTS_FROM},
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
            host.entry(**{**LOGINS[name], **(changes.get(name) or {})})
            for name, host in self.hosts.items()
            if name not in changes or changes[name] is not None
        ]

    def on(self, host: LoopbackHost) -> Machine:
        """The host as the provider sees it, over a connection of our own."""
        _, every = stack_file.all_hosts(NAME)
        entry = next(h for h in every if h.name == host.name)
        return open_machine(entry)

    def live_on(self, host: LoopbackHost) -> live.Live | None:
        """The release that a host says is live; read from its disk."""
        path = host.on_disk(f"/var/lib/bentofleet/{NAME}/edge/live.map")
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
        found += [tag for tag in tags if f"bentofleet-{NAME}" in tag]
        return found + [path.name for path in (host.folder / "lib").iterdir()]

    def ask(self, host: LoopbackHost, token: str) -> tuple[int, dict[str, object]]:
        """One prediction through a host's own edge."""
        return post(f"http://{host.address}:{PORT}", token)

    def users_of(self, host: LoopbackHost) -> Crowd:
        """Users that ask a host's edge all the time."""
        url = f"http://{host.address}:{PORT}"
        return Crowd(url, self.token(), kept=0, fresh=2, pause_s=0.02)

    def machine(self) -> Machine:
        """The first host as the provider sees it."""
        return self.on(self.alpha)

    def close(self, hosts: Sequence[str] = ("alpha", "beta")) -> None:
        """Ends the hosts and what runs on them."""
        line.close_all()
        for name in hosts:
            self.hosts[name].close()
        self.file.unlink(missing_ok=True)
