"""Two container stores on one machine: one that builds, one that stands for a host elsewhere."""

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import socket
import subprocess
import tarfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from infra.connection import Done, Local
from infra.host import Host, Paths

CACHE = "/var/lib/containers/cache"
"""Where root's Podman remembers which compressed layer is which: for all stores of a machine."""

MIB = 2**20


def noise(size: int, seed: int) -> bytes:
    """Bytes that no compression makes smaller."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - for bytes, not for secrets


class ContainerStore:
    """A store of images of its own, and what Podman needs to use it and no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.conf = folder / "storage.conf"
        for name in ("graph", "run", "cache", "data"):
            (folder / name).mkdir(parents=True)
        self.conf.write_text(
            '[storage]\ndriver = "overlay"\n'
            f'graphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
        )

    @property
    def environ(self) -> dict[str, str]:
        """For commands on this store that may share the machine's cache."""
        return {"CONTAINERS_STORAGE_CONF": str(self.conf)}

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The same command on this store, as if it were on a machine of its own."""
        names = [f"CONTAINERS_STORAGE_CONF={self.conf}", f"XDG_DATA_HOME={self.folder}/data"]
        own = ["env", *names, *argv]
        if os.geteuid() != 0 or not Path(CACHE).is_dir():
            return own
        script = f'mount --bind "{self.folder}/cache" {CACHE} && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *own]

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        """A command on this store that must succeed."""
        done = subprocess.run(self.argv(argv), input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode()

    def load(self, tag: str, layers: Mapping[str, bytes], command: str = "x") -> str:
        """Puts an image with one file per layer into the store; its id."""
        config, archive = _archive(tag, layers, command)
        self.run("podman", "load", "--quiet", stdin=archive)
        return hashlib.sha256(config).hexdigest()

    def tags(self) -> list[str]:
        """Names of all images."""
        told = self.run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}")
        return sorted(told.split())

    def close(self) -> None:
        """Removes everything in it, and the mount that Podman leaves on its folder."""
        for argv in (["rm", "--all", "--force"], ["rmi", "--all", "--force"]):
            subprocess.run(self.argv(["podman", *argv]), capture_output=True, check=False)
        # bound onto itself, which `is_mount` does not see
        argv = ["umount", "--lazy", str(self.folder / "graph" / "overlay")]
        subprocess.run(argv, capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _archive(tag: str, layers: Mapping[str, bytes], command: str) -> tuple[bytes, bytes]:
    """An image's config and the whole image, as `docker save` writes it."""
    tars = {name: _tar({name: content}) for name, content in layers.items()}
    ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars.values()]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": [command]},
            "history": [{"created_by": name} for name in layers],
            "rootfs": {"type": "layers", "diff_ids": ids},
        }
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    entry = [{"Config": name, "RepoTags": [tag], "Layers": [f"{n}.tar" for n in tars]}]
    files = {f"{n}.tar": tar for n, tar in tars.items()}
    manifest = json.dumps(entry).encode()
    return config, _tar({**files, name: config, "manifest.json": manifest})


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Line:
    """What carries bytes between a host and this machine, and can be cut."""

    def __init__(self) -> None:
        self._cut_after: int | None = None
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.is_down = False

    def cut_after(self, number: int) -> None:
        """Goes down once so many bytes have come over."""
        self._cut_after = number

    def cut(self) -> None:
        """Down: what is open ends, and nothing new comes through."""
        with self._lock:
            self.is_down, self._cut_after = True, None
            for each in self._open:
                _end(each)
            self._open.clear()

    def mend(self) -> None:
        """Up again."""
        self.is_down = False

    def port_to(self, port: int) -> int:
        """A new port that leads to `port` while the line is up."""
        server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(server, port), daemon=True).start()
        return int(server.getsockname()[1])

    def _accept(self, server: socket.socket, port: int) -> None:
        while True:
            client, _ = server.accept()
            if self.is_down:
                client.close()
                continue
            there = socket.create_connection(("127.0.0.1", port))
            with self._lock:
                self._open += [client, there]
            threading.Thread(target=self._carry, args=(client, there, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(there, client, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_counted: bool) -> None:
        try:
            while data := source.recv(64 * 1024):
                if is_counted and self._cut_after is not None:
                    self._cut_after -= len(data)
                    if self._cut_after < 0:
                        self.cut()
                        return
                target.sendall(data)
        except OSError:
            return  # cut
        finally:
            _end(source)
            _end(target)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)  # `close` alone wakes nobody who reads from it
    each.close()


class Elsewhere(Local):
    """A connection to the second store, as SSH would be one to another machine."""

    def __init__(self, host: Host, containers: ContainerStore) -> None:
        super().__init__(host)
        self.containers = containers
        self.line = Line()
        self.mends_by_itself = True
        self.seen: list[list[str]] = []
        """Every command line that another user of the host could have seen."""
        self._ports: dict[int, int] = {}

    def paths(self) -> Paths:
        """In the store's own folder."""
        return Paths(PurePosixPath(str(self.containers.folder / "root")))

    def run(self, argv: Sequence[str], stdin: str | bytes = "", timeout_s: float = 60.0) -> Done:
        """On the second store."""
        self.seen.append(list(argv))
        return super().run(self.containers.argv(argv), stdin, timeout_s)

    def reverse_port(self, local_port: int) -> int:
        """Through the line; after a cut there is a new one, when it mends by itself."""
        if self.line.is_down and self.mends_by_itself:
            self.line.mend()
        if local_port not in self._ports:
            self._ports[local_port] = self.line.port_to(local_port)
        return self._ports[local_port]
