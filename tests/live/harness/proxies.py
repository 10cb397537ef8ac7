"""A real HAProxy with our configuration, from the edge's image or from PATH, and stand-ins."""

import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.commands import edge, haproxy
from infra.images import engine as engines
from infra.images import manifest
from service import contract

ROOT = Path(__file__).resolve().parents[3]
WATCH = ROOT / "infra/images/edge/watch"
START_TIMEOUT_S = 30
SOCAT = """\
import shutil, socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect({0!r})
client.sendall(sys.stdin.buffer.read())
client.shutdown(socket.SHUT_WR)
shutil.copyfileobj(client.makefile("rb"), sys.stdout.buffer)
"""
"""What the watcher asks for of it, where there is none."""

LARGE = 64 << 20
"""Bytes of the answer to a path with `/large`: more than all buffers on the way take."""


class Replica:
    """Says that it is ready, and answers a request by what it saw of it, or breaks off.

    Attributes:
        release: that it names when it is asked whether it is ready.
        breaks_off: whether it resets the connection instead, as a killed process does.
        status: of its answers.
        delay_s: before each answer.
        refuses: tokens that it answers 401.
        seen: the heads of the requests that it answered.
    """

    def __init__(self, port: int, release: str = "r", address: str = "127.0.0.1") -> None:
        self._socket = socket.create_server((address, port), backlog=512)
        self.port = port
        self.release = release
        self.breaks_off = False
        self.status = "200 OK"
        self.delay_s = 0.0
        self.asked = 0
        self.refuses: set[str] = set()
        self.seen: list[dict[str, str]] = []
        self._open: set[socket.socket] = set()
        self._goes_on = threading.Event()
        self._goes_on.set()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):  # a thread that waits in accept keeps it open else
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def hang(self) -> None:
        """It takes connections and requests, and answers nothing any more."""
        self._goes_on.clear()

    def kill(self) -> None:
        """As `kill -9` does it: nobody listens any more, and what is in work breaks off."""
        self.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.add(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                head = {}
                while (header := stream.readline().strip()) != b"":
                    name, _, value = header.decode("latin-1").partition(":")
                    head[name.lower()] = value.strip()
                self._goes_on.wait()
                if line.startswith(b"GET /readyz"):
                    connection.sendall(self._text("200 OK", b""))
                    continue
                self.asked += 1
                if self.breaks_off:  # SO_LINGER of nothing: the peer sees a reset
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                stream.read(int(head.get("content-length", 0)))
                time.sleep(self.delay_s)
                self._goes_on.wait()
                self.seen.append(head)
                token = head.get("authorization", "").split()[-1:]
                status = "401 Unauthorized" if set(token) & self.refuses else self.status
                body = b"x" * LARGE if b"/large" in line else f"replica on {self.port}".encode()
                connection.sendall(self._text(status, body))
        self._open.discard(connection)

    def _text(self, status: str, body: bytes) -> bytes:
        head = f"HTTP/1.1 {status}\r\n{contract.RELEASE_HEADER}: {self.release}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    for first in range(26_000, 32_000, 100):
        with suppress(OSError), ExitStack() as held:
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    pytest.fail("no free ports")


class Running:
    """HAProxy that was started, with the configuration in `folder`.

    Attributes:
        engine: that runs it in a container; None: it runs as it is on PATH.
    """

    def __init__(self, engine: str | None, image: str, folder: Path, log: Path) -> None:
        self.engine, self.folder, self.log = engine, folder, log
        self._name = f"bentofleet-test-{uuid.uuid4().hex[:12]}"
        argv = self._argv_in_image(image) if engine else self._argv()
        with log.open("ab") as out:
            self.process = subprocess.Popen(argv, stdout=out, stderr=out, start_new_session=True)

    def _argv(self) -> list[str]:
        config, master = self.folder / "haproxy.cfg", self.folder / "master.sock"
        return ["haproxy", "-W", "-db", "-S", str(master), "-f", str(config)]

    def _argv_in_image(self, image: str) -> list[str]:
        return [
            *(str(self.engine), "run", "--rm", "--name", self._name, "--network", "host"),
            *("--read-only", "--cap-drop", "ALL", "--tmpfs", "/run/haproxy:rw,size=1m,mode=1777"),
            *("--volume", f"{self.folder}:{edge.FOLDER}:ro,z", "--entrypoint", "haproxy", image),
            *("-W", "-db", "-S", "/run/haproxy/master.sock", "-f", haproxy.CONFIG),
        ]

    def command(self, text: str) -> str:
        """Sends one line to the runtime API; its answer."""
        if self.engine:
            argv = [self.engine, "exec", "--interactive", self._name, *edge.CONTROL]
            done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
            if done.returncode != 0:  # as long as the container is not up
                raise OSError(done.stderr)
            return done.stdout
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.folder / "admin.sock"))
            client.sendall(text.replace(edge.FOLDER, str(self.folder)).encode())
            parts = []
            while part := client.recv(65536):
                parts.append(part)
        return b"".join(parts).decode()

    def watch(self) -> "subprocess.Popen[bytes]":
        """Starts the watcher of the image beside it, with a log of its own beside this one."""
        text = WATCH.read_text().replace(edge.FOLDER, str(self.folder))
        text = text.replace("NAMES_S=20", "NAMES_S=1")
        script, socat = self.folder.parent / "watch", self.folder.parent / "socat"
        script.write_text(text)
        if self.engine:
            talk = shlex.join([self.engine, "exec", "--interactive", self._name, *edge.CONTROL])
            socat.write_text(f"#!/bin/sh\nsed 's#{self.folder}#{edge.FOLDER}#g' | {talk}\n")
        else:
            socat.write_text(f"#!{sys.executable}\n{SOCAT.format(str(self.folder / 'admin.sock'))}")
        socat.chmod(0o755)
        environ = {"PATH": f"{script.parent}:/usr/local/bin:/usr/bin:/bin"}
        with self.log.with_suffix(".watch").open("ab") as out:
            return subprocess.Popen(["sh", str(script)], env=environ, stdout=out, stderr=out)

    def reload(self) -> None:
        """New workers read the configuration; the old ones finish.

        Asked again while nothing comes of it: a master that has just started may miss a signal.
        """
        before = self._worker()
        deadline = time.monotonic() + START_TIMEOUT_S
        asked = 0
        while self._worker() in ("", before):
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")
            if asked % 50 == 0 and self.engine:
                self._ask_engine("kill", "--signal", "USR2")
            elif asked % 50 == 0:
                os.kill(self.process.pid, signal.SIGUSR2)
            asked += 1
            time.sleep(0.1)

    def _worker(self) -> str:
        """The process id of the worker that answers; empty while none does."""
        with suppress(OSError):
            told = self.command("show info\n").splitlines()
            return next((line for line in told if line.startswith("Pid:")), "")
        return ""

    def pause(self) -> None:
        """It goes silent with everything it has, as a machine does that is cut off."""
        if self.engine:
            self._ask_engine("pause")
        else:
            os.killpg(self.process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        """Ends it at once, as a power cut does."""
        if self.engine:
            self._ask_engine("rm", "--force")
        else:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def _ask_engine(self, *words: str) -> None:
        subprocess.run([str(self.engine), *words, self._name], capture_output=True, check=False)


@dataclass(frozen=True)
class Program:
    """How HAProxy is started: in the edge's image where there is one, else as it is on PATH."""

    engine: str | None
    image: str = ""

    def start(self, folder: Path, log: Path) -> Running:
        """Starts it with the configuration in `folder`."""
        return Running(self.engine, self.image, folder, log)

    def written(self, text: str, folder: Path) -> str:
        """The configuration with the paths that it has where the program runs."""
        if self.engine is not None:
            return text
        return text.replace(edge.FOLDER, str(folder)).replace(edge.SOCKET_FOLDER, str(folder))


def find_program(*, is_quick: bool = False) -> Program:
    """The edge's image through the engine, else haproxy on PATH, else the test is skipped.

    Args:
        is_quick: haproxy on PATH first: tests that start many of them take half the time so.
    """
    is_on_path = shutil.which("haproxy") is not None
    if is_quick and is_on_path:
        return Program(None)
    try:
        found = engines.Engine(
            engines.choose(os.environ.get("BENTOFLEET_ENGINE"), engines.why_silent)
        )
        built = manifest.load_fresh(ROOT, {"edge"})["edge"]
        if found.image_id(built.tag) is not None:
            return Program(found.name, built.tag)
        why = f"{found.name} has no {built.tag}"
    except ValueError as e:
        why = str(e)
    if is_on_path:
        return Program(None)
    pytest.skip(f"no HAProxy: {why}, and there is none on PATH. Run `make image`.")
