"""A host for tests: this machine's shell in a folder, with stand-ins for all that changes a system.

The stand-ins keep what they are told in files, so that a test sees packages, units and settings
come and go. What the kernel would tell (clock, ports, disks, system) is set by the test.
"""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from harness.console import KeptConsole

from infra.commands import clock, disk, packages, ports, startup, survey
from infra.connection import COMMAND_TIMEOUT_S, Done, Local
from infra.host import Host, Paths
from infra.provider import machine, prepare
from infra.provider.prepare import Prepare, host

APT_GET = Path(__file__).with_name("apt-get")
TOOLS = ("sh", "cat", "chmod", "date", "dirname", "grep", "ls", "mkdir", "mv", "rm", "rmdir", "sed")
MORE_TOOLS = (
    "stat",
    "sync",
    "test",
    "timeout",
    "touch",
    "env",
    "sleep",
    "sort",
    "tr",
    "true",
    "wc",
)

PODMAN = r"""
case "$*" in
version*) echo 4.3.1 ;;
info*) echo "$PLACE/store" ;;
"ps --all --quiet --no-trunc --filter label=bentofleet.stack=demo") cat "$PLACE/own" ;;
"ps --all --quiet") cat "$PLACE/foreign" ;;
inspect*) cat "$PLACE/inspect" ;;
esac
"""

STAND_INS = {
    "dpkg": "true",
    "apt-mark": 'shift; for name in "$@"; do echo "$name" >>"$PLACE/auto"; done',
    "dpkg-query": (
        'for name in "$@"; do grep -qx "$name" "$PLACE/packages" && echo "$name installed"; done; '
        "true"
    ),
    "systemctl": r"""
[ "$1" != --user ] || shift
echo "systemctl $*" >>"$PLACE/calls"
case "$1" in
enable) touch "$PLACE/enabled-$2" ;;
disable) rm -f "$PLACE/enabled-$2" ;;
is-enabled) [ -e "$PLACE/enabled-$2" ] && echo enabled || { echo disabled; exit 1; } ;;
esac
""",
    "timedatectl": 'echo "timedatectl $*" >>"$PLACE/calls"; touch "$PLACE/time-service"',
    "loginctl": (
        'echo "loginctl $*" >>"$PLACE/calls"; [ ! -e "$PLACE/no-polkit" ] || exit 1; '
        'case "$1" in enable-linger) touch "$PLACE/linger" ;; *) rm -f "$PLACE/linger" ;; esac'
    ),
    "id": "echo deploy",
    "getent": 'grep -x "$2:x:[0-9]*:.*" "$PLACE/groups"',
    "groupadd": 'echo "$2:x:999:" >>"$PLACE/groups"',
    "groupdel": 'grep -v "^$1:" "$PLACE/groups" >"$PLACE/rest"; mv "$PLACE/rest" "$PLACE/groups"',
}


class Place(Local):
    """The host. Attributes with a default are what a test may set."""

    def __init__(self, folder: Path, entry: Host) -> None:
        super().__init__(entry)
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ("calls", "packages", "auto", "needed", "along", "foreign", "own", "groups"):
            (folder / name).touch()
        for name in (*TOOLS, *MORE_TOOLS, "cp"):
            (self.bin / name).symlink_to(str(shutil.which(name)))
        for name, script in STAND_INS.items():
            self.program(name, script)
        shutil.copy(APT_GET, self.bin / "apt-get")
        (self.bin / "apt-get").chmod(0o755)
        (folder / "podman").write_text(f"#!/bin/sh\n{PODMAN}\n")
        (folder / "podman").chmod(0o755)
        self.root = folder / "lib" / "demo"
        self.root_user = True
        self.system = "system debian\nversion 12\ntitle Debian GNU/Linux 12 (bookworm)"
        self.has_systemd = True
        self.time_keepers = ("systemd-timesyncd",)
        self.id_maps = ("subuid", "subgid")
        self.ahead_s = 0.0
        self.refusal = ""
        self.others_run = False
        self.sockets = ""
        self.rooms: dict[str, str] = {}
        self.dies_at: str | None = None
        self.dies_of: BaseException = Killed()

    @property
    def is_root(self) -> bool:
        return self.root_user

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def with_podman(self) -> "Place":
        """Somebody installed it before us."""
        shutil.copy(self.folder / "podman", self.bin / "podman")
        return self

    def serve(self) -> None:
        """The stack's edge runs, and one replica in slot a."""
        (self.folder / "own").write_text("1\n2\n")
        labels = {"bentofleet.role": "replica", "bentofleet.slot": "a", "bentofleet.number": "1"}
        running = [
            {
                "Name": name,
                "State": {"Status": "running"},
                "Config": {"Labels": labels},
                "Image": "sha256:0",
            }
            for name, labels in (("bentofleet-demo-edge", {}), ("bentofleet-demo-x-1", labels))
        ]
        (self.folder / "inspect").write_text(json.dumps(running))

    def listen(self, *ports: int, address: str = "0100007F") -> None:
        """Something listens there; the address as Linux prints it."""
        self.sockets = "".join(
            f"   0: {address}:{port:04X} 00000000:0000 0A 0 0 0 0 0 1\n" for port in ports
        )

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    def paths(self) -> Paths:
        return Paths(PurePosixPath(str(self.root)))

    def home(self) -> PurePosixPath:
        return PurePosixPath(str(self.folder / "home"))

    def machine_id(self) -> str:
        return "0" * 32

    def told(self) -> str:
        lines = [self.system, f"user {'root' if self.root_user else 'deploy'}"]
        lines += [f"program {name}" for name in survey.PROGRAMS if (self.bin / name).exists()]
        lines += [f"group {line.partition(':')[0]}" for line in self.lines("groups")]
        lines += [f"ids {kind}" for kind in self.id_maps]
        if self.has_systemd:
            lines.append("init systemd")
        if (self.folder / "linger").exists():
            lines.append("linger yes")
        if (self.folder / "time-service").exists() or self.time_keepers:
            lines.append("ntp yes")
        return "\n".join([*lines, *(f"time {name}" for name in self.time_keepers)])

    def run(
        self,
        argv: Sequence[str],
        stdin: str | bytes = "",
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> Done:
        words = list(argv)
        if words == survey.ask():
            return Done(0, self.told(), "")
        if words == clock.now():
            return Done(0, f"{time.time() + self.ahead_s:.0f}\n", "")
        if words == packages.is_any_running():
            return Done(0 if self.others_run else 1, "", "")
        if words == ports.tables():
            return Done(0, self.sockets, "")
        if words[:3] == disk.ask([])[:3]:
            plenty = "99999999 4096 9999999 9999999"
            rooms = (f"{self.rooms.get(path, plenty)} {path}" for path in words[4:])
            return Done(0, "\n".join(rooms), "")
        if self.refusal and "mkdir" in words[2]:
            return Done(1, "", self.refusal + "\n")
        if self.dies_at and self.dies_at in " ".join(words):
            raise self.dies_of
        return super().run(argv, stdin, timeout_s)


class Killed(BaseException):
    """Stands for `kill -9` of the provider."""


class Bench:
    """Prepares the place, and looks at it, as Pulumi would."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.console = KeptConsole()
        self.inputs: dict[str, Any] = {
            "host": place.host.to_inputs(),
            "address": "127.0.0.1",
            "ports": {"edge.port": 8080},
        }
        self.outputs: dict[str, Any] = {}

    @property
    def state(self) -> dict[str, Any]:
        return {**self.inputs, **self.outputs}

    def create(self) -> dict[str, Any]:
        self.outputs = Prepare().create(self.inputs, self.console)
        return self.outputs

    def update(self, **changes: Any) -> dict[str, Any]:
        old, self.inputs = self.state, {**self.inputs, **changes}
        self.outputs = Prepare().update(old, self.inputs, self.console)
        return self.outputs

    def drift(self) -> dict[str, str]:
        found = Prepare().look(self.state)
        assert set(found) == set(Prepare().parts(self.state))
        return {part: words for part, words in found.items() if words != "as declared"}

    def delete(self) -> None:
        Prepare().delete(self.state, self.console)


def entry(**changes: Any) -> Host:
    given = {
        "name": "here",
        "address": "192.0.2.11",
        "connection": "ssh",
        "accelerator": "cpu",
        "stack": "demo",
        "ports_from": 21000,
        "user": "deploy",
    }
    return Host(**{**given, **changes})


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bench:
    """A bare Debian 12 over SSH, entered as root; other entries by `indirect`."""
    place = Place(tmp_path, entry(**getattr(request, "param", {})))
    monkeypatch.setenv("PATH", str(place.bin))
    monkeypatch.setenv("PLACE", str(tmp_path))
    monkeypatch.delenv(machine.ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(startup, "UNIT_FOLDER", str(tmp_path / "units"))
    for folder in ("home", "units"):
        (tmp_path / folder).mkdir()
    for module in (host, machine):
        monkeypatch.setattr(module, "connect", lambda _: place)
    assert prepare.find is host.find
    return Bench(place)


@pytest.fixture
def place(bench: Bench) -> Place:
    return bench.place
