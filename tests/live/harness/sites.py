"""Hosts with real files, whose engine and HAProxy live in memory: what lies there can be compared.

Both are told what the real ones are, and answer as they do as far as the edge asks them.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from infra.commands import certificate, edge, haproxy
from infra.commands.containers import SPEC_LABEL, Container, Running
from infra.connection import Done, HostError, Local
from infra.host import Host, Paths
from infra.provider.machine import Answer, Machine

HOST = Host(
    name="here",
    address="192.0.2.11",
    connection="local",
    accelerator="cpu",
    stack="demo",
    ports_from=21000,
)

# Makes what a container would, in a folder instead of its tmpfs.
_ENGINE = """\
#!/bin/sh
while [ "$1" != -c ]; do shift; done
exec sh -c "$(printf %s "$2" | sed "s|/run/haproxy|@tmpfs|")"
"""


class Place(Local):
    """This machine, the stack's folder being the test's.

    Attributes:
        said: everything that commands were given as words.
        worker: process id of HAProxy's worker; None: HAProxy does not run.
        taken: what HAProxy has read of its files, by the runtime command that shows it.
    """

    def __init__(self, host: Host, root: Path) -> None:
        super().__init__(host)
        self.root = root
        self.said: list[str] = []
        self.worker: int | None = None
        self.taken: dict[str, str] = {}

    def paths(self) -> Paths:
        return Paths(PurePosixPath(str(self.root)))

    def run(self, argv: Sequence[str], *rest: Any, **more: Any) -> Done:
        self.said += argv
        if "exec" not in argv[:2]:
            return super().run(argv, *rest, **more)
        if self.worker is None:
            return Done(1, "", "no such container")
        if argv[-1].endswith("master.sock"):
            return Done(0, f"1 master 0\n# workers\n{self.worker} worker 0\n", "")
        return Done(0, self.taken.get(str(rest[0]), "\n"), "")

    def take_in(self) -> None:
        """What HAProxy does when it starts and when it is reloaded."""
        self.worker = (self.worker or 100) + 1
        paths = self.paths()
        config = Path(paths.config)
        mark = haproxy.mark_of(config.read_text()) if config.exists() else None
        self.taken = {haproxy.show_mark(): f"BENTOFLEET_CONFIG={mark}\n"}
        for command, path in (
            (certificate.show_key_pair(edge.INNER_CERTIFICATE), paths.inner_certificate),
            (certificate.show_trusted(edge.PEERS), paths.peers),
        ):
            text = Path(path).read_text() if Path(path).exists() else ""
            shown = "".join(certificate.split(text))
            prints = sorted(certificate.fingerprints(shown)) if "BEGIN" in shown else []
            self.taken[command] = "".join(f"SHA1 FingerPrint: {each}\n" for each in prints)


class Site(Machine):
    """A host whose engine and HAProxy live in memory.

    Attributes:
        listens: ports that are listened on by others.
        refuses: whether HAProxy refuses the configuration.
        hangs: whether its new workers do not start.
        leaves: ports that HAProxy does not come to listen on.
        image: what its engine calls every image.
    """

    connection: Place

    def __init__(self, root: Path, host: Host = HOST) -> None:
        engine, tmpfs = root / "podman", root / "tmpfs"
        tmpfs.mkdir(parents=True)
        engine.write_text(_ENGINE.replace("@tmpfs", str(tmpfs)))
        engine.chmod(0o755)
        super().__init__(host, Place(host, root / "demo"), str(engine))
        self.there: list[Running] = []
        self.signals: list[str] = []
        self.listens: set[int] = set()
        self.leaves: set[int] = set()
        self.refuses = self.hangs = False
        self.image = "image"
        for folder in (self.paths.edge, self.paths.keys):
            Path(folder).mkdir(parents=True)

    def run(self, argv: Sequence[str], stdin: str | bytes = "", timeout_s: float = 60.0) -> str:
        if "/proc/net/tcp" in argv[-1]:
            held = haproxy.listens_on(self.read(self.paths.config) or "") if self.there else set()
            numbers = self.listens | (held - self.leaves)
            return "".join(f"0: 0100007F:{n:04X} 00000000:0000 0A\n" for n in numbers)
        if argv[0] != self.engine:
            return super().run(argv, stdin, timeout_s)
        if argv[1] == "kill":
            self.signals.append(argv[3])
            if not self.hangs:
                self.connection.take_in()
        elif self.refuses:
            raise HostError(f"{self.host.name}: `podman exec` failed (unknown keyword).")
        return ""

    def containers(self) -> list[Running]:
        return self.there

    def ensure(self, wanted: Container, there: object) -> bool:
        self.there = [c for c in self.there if c.name != wanted.name]
        self.there.append(
            Running(
                name=wanted.name,
                status="running",
                image_id=self.image,
                labels={**wanted.labels, SPEC_LABEL: wanted.spec},
                started_at="",
                restarts=0,
            )
        )
        self.connection.take_in()
        return True

    def stop(self, names: Sequence[str], timeout_s: int) -> None:
        self.there = [c for c in self.there if c.name not in names]
        self.connection.worker = None

    def end(self, name: str, status: str = "exited") -> None:
        """A container that ends by itself."""
        self.there = [replace(c, status=status) if c.name == name else c for c in self.there]

    def image_id(self, tag: str) -> str | None:
        return self.image

    def edge_live(self) -> str | None:
        return None

    def edge_servers(self) -> list[edge.Server]:
        return []

    def last_words(self, name: str) -> str:
        return "no socket"

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> Answer:
        return Answer(200, {}, "")
