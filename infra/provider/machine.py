"""A host with its container engine: the effects that resources and the walk are made of."""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from infra import complaints
from infra.commands import containers, edge, files
from infra.commands.containers import Container, Running
from infra.complaints import last_line
from infra.connection import Connection, HostError, Unreachable, connect
from infra.host import Host, Paths

ENGINE_VARIABLE = "BENTOFLEET_ENGINE"
ENGINES = ("podman", "docker")
ENGINE_TIMEOUT_S = 30.0
NOT_THERE = 4
"""Exit status of `files.read` for a file that is not there, of `files.append` for its folder."""


class Machine:
    """One host, its engine found, ready for work."""

    def __init__(self, host: Host, connection: Connection, engine: str) -> None:
        self.host = host
        self.connection = connection
        self.engine = engine

    @property
    def paths(self) -> Paths:
        """Where the stack's things lie."""
        return self.connection.paths()

    # -- commands -------------------------------------------------------------------------------

    def run(self, argv: Sequence[str], stdin: str | bytes = "", timeout_s: float = 60.0) -> str:
        """Runs a command that must succeed; its output.

        Raises:
            HostError: with the command's last line of complaint.
        """
        done = self.connection.run(argv, stdin, timeout_s)
        if done.status != 0:
            raise HostError(f"{self.host.name}: {_short(argv)} failed ({last_line(done.err)}).")
        return done.out

    # -- files ----------------------------------------------------------------------------------

    def read(self, path: PurePosixPath) -> str | None:
        """A file's content; None when it is not there."""
        done = self.connection.run(files.read(str(path)))
        if done.status == NOT_THERE:
            return None
        if done.status != 0:
            raise HostError(f"{self.host.name}: cannot read {path} ({last_line(done.err)}).")
        return done.out

    def write(self, path: PurePosixPath, content: str, mode: str = "0644") -> None:
        """Replaces a file at once."""
        self.run(files.write(str(path), mode, len(content.encode())), stdin=content)

    def append(self, path: PurePosixPath, line: str, most_bytes: int) -> None:
        """Adds a line to a file that begins anew at `most_bytes`; not where its folder is gone."""
        done = self.connection.run(files.append(str(path), line, most_bytes))
        if done.status not in (0, NOT_THERE):
            msg = f"{self.host.name}: cannot write to {path} ({last_line(done.err)})."
            raise HostError(msg)

    def remove(self, path: PurePosixPath) -> None:
        """Removes a file or folder."""
        self.run(files.remove(str(path)))

    def names_in(self, folder: PurePosixPath) -> list[str]:
        """Names in a folder."""
        return self.run(files.list_folder(str(folder))).split()

    # -- containers -----------------------------------------------------------------------------

    def containers(self) -> list[Running]:
        """Every container of the stack on this host, running or not."""
        ids = self.run(containers.list_ids(self.engine, self.host.stack)).split()
        if not ids:
            return []
        done = self.connection.run(containers.inspect(self.engine, ids))
        if done.status != 0 and not containers.is_gone(done.err):  # one went between the two calls
            raise HostError(
                f"{self.host.name}: cannot look at containers ({last_line(done.err)}). "
                "Look whether the container engine is well."
            )
        return containers.parse_inspect(done.out)

    def has_containers(self) -> bool:
        """Whether its engine has a container of the stack, running or not."""
        return bool(self.run(containers.list_ids(self.engine, self.host.stack)).strip())

    def ensure(self, wanted: Container, there: Sequence[Running]) -> bool:
        """Starts `wanted` unless it runs already with the same settings; whether it was started."""
        found = next((c for c in there if c.name == wanted.name), None)
        if found and found.is_running and not found.differs_from(wanted):
            return False
        self.remove_container(wanted.name)
        self.run(containers.run(self.engine, wanted))
        return True

    def stop(self, names: Sequence[str], timeout_s: int) -> None:
        """Lets containers finish side by side, then removes them; also those that are gone."""
        if not names:
            return
        argv = containers.stop(self.engine, names, timeout_s)
        self.connection.run(argv, timeout_s=timeout_s + 30.0)
        for name in names:
            self.remove_container(name)

    def remove_container(self, name: str) -> None:
        """Removes a container, running or not, there or not."""
        done = self.connection.run(containers.remove(self.engine, name))
        if done.status != 0 and not containers.is_gone(done.err):
            raise HostError(
                f"{self.host.name}: cannot remove container {name} ({last_line(done.err)})."
            )

    def last_words(self, name: str) -> str:
        """The last line that a container printed; empty when there is none."""
        lines = [line for line in self.log_end(name, 5).splitlines() if line.strip()]
        return lines[-1].strip()[:300] if lines else ""

    def log_end(self, name: str, lines: int) -> str:
        """The last lines that a container printed, as they are."""
        done = self.connection.run(containers.log_end(self.engine, name, lines))
        return done.out + done.err

    # -- images ---------------------------------------------------------------------------------

    def image_id(self, tag: str) -> str | None:
        """The id of the image with that tag; None when there is none."""
        done = self.connection.run(containers.image_id(self.engine, tag))
        return containers.short_id(done.out) if done.status == 0 else None

    def image_tags(self, repository: str) -> list[str]:
        """All tags of a repository on this host.

        Podman also names the other repositories that have the same image: those are left out.
        """
        tags = self.run(containers.image_tags(self.engine, repository)).split()
        return [tag for tag in tags if tag.startswith(f"{repository}:")]

    # -- edge -----------------------------------------------------------------------------------

    @property
    def edge_name(self) -> str:
        """The edge's container."""
        return f"bentofleet-{self.host.stack}-edge"

    def edge_command(self, command: str) -> str:
        """Sends one command to the edge's runtime API; its answer."""
        argv = [self.engine, "exec", "--interactive", self.edge_name, *edge.CONTROL]
        return self.run(argv, stdin=command)

    def edge_servers(self) -> list[edge.Server]:
        """The replicas as the edge sees them."""
        return edge.parse_stat(self.edge_command(edge.show_stat()))

    def edge_live(self) -> str | None:
        """The slot that the running edge sends users to."""
        return edge.parse_live(self.edge_command(edge.show_map()))

    def edge_map(self) -> dict[str, str]:
        """What the running edge goes by: live, the candidate's share, the slots' releases."""
        return edge.parse_map(self.edge_command(edge.show_map()))

    # -- HTTP -----------------------------------------------------------------------------------

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> "Answer":
        """GET on a loopback port of the host."""
        url = f"http://127.0.0.1:{self.connection.local_port(port)}{path}"
        try:
            with urllib.request.urlopen(url, timeout=timeout_s) as reply:
                return Answer(reply.status, dict(reply.headers), reply.read().decode())
        except urllib.error.HTTPError as e:
            return Answer(e.code, dict(e.headers), e.read().decode(errors="replace"))
        except OSError as e:
            return Answer(0, {}, str(e))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; status 0: there was none, and `text` says why."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is not one."""
        try:
            value = json.loads(self.text)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def header(self, name: str) -> str:
        """A header's value, whatever its case; empty when it is not there."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), "")


def open_machine(host: Host) -> Machine:
    """Connects to a host and finds its engine: of two, the one that has the stack's containers.

    Raises:
        HostError: no engine is installed, we are not let in, or it is not the machine that was
            prepared.
        Unreachable: host or engine do not answer.
    """
    connection = connect(host)
    wanted = wanted_engine(host)
    installed = [e for e in ((wanted,) if wanted else ENGINES) if connection.has(e)]
    if not installed:
        msg = (
            f"{host.name}: no container engine (looked for {wanted or ' and '.join(ENGINES)}). "
            "Install Docker or Podman."
        )
        raise HostError(msg)
    said = {engine: _silence(connection, engine) for engine in installed}
    answering = [Machine(host, connection, e) for e, words in said.items() if words is None]
    if answering:
        return next((m for m in answering[1:] if m.has_containers()), answering[0])
    told = "; ".join(f"{engine}: {words}" for engine, words in said.items())
    cure = complaints.cure({e: w for e, w in said.items() if w}, otherwise="Start it.")
    msg = f"{host.name}: the container engine does not answer ({told}). {cure}"
    raise Unreachable(msg)


def wanted_engine(host: Host) -> str | None:
    """The one that the host's entry names; on this machine, the one that the environment does."""
    if host.engine != "auto":
        return host.engine
    return os.environ.get(ENGINE_VARIABLE) if host.connection == "local" else None


def _silence(connection: Connection, engine: str) -> str | None:
    """Why an engine does not answer; None where it does."""
    try:
        done = connection.run(containers.version(engine), timeout_s=ENGINE_TIMEOUT_S)
    except Unreachable:
        return f"no answer in {ENGINE_TIMEOUT_S:.0f} s"
    return None if done.status == 0 else last_line(done.err)


def wait_until(
    is_so: Callable[[], bool], timeout_s: float, stopped: threading.Event, every_s: float = 0.25
) -> bool:
    """Asks until it is so, the time is over, or someone stops us; the last answer."""
    end = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() >= end or stopped.wait(every_s):
            return False
    return True


def _short(argv: Sequence[str]) -> str:
    return f"`{' '.join(argv[:3])}`" if argv[0] != "sh" else "a file command"
