"""Images through a registry of the operator's: pushed once from here, pulled by every host."""

import base64
import json
import re
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from infra import complaints
from infra.commands import containers, files, images
from infra.complaints import last_line
from infra.images import engine as engines
from infra.images import export
from infra.images.engine import Engine
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.resource import Plain, Refused

TIMEOUT_S = 3600.0

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_pushing = threading.Lock()
_pushed: dict[tuple[str, str], str] = {}
"""Reference and image id -> digest in the registry, of what this process has pushed."""


@dataclass(frozen=True)
class Shelf:
    """Where in which registry a stack's images lie.

    Attributes:
        repository: registry and path, such as `ghcr.io/org/bentofleet`.
        user: whom the password is of; empty where each engine's own login is used.
    """

    repository: str
    user: str = ""
    password: str = field(default="", repr=False)

    @staticmethod
    def of(inputs: Plain) -> "Shelf":
        """The shelf that `infra.resources.image` wrote as inputs."""
        return Shelf(
            repository=str(inputs["repository"]),
            user=str(inputs.get("user") or ""),
            password=str(inputs.get("password") or ""),
        )

    @property
    def _registry(self) -> str:
        return self.repository.partition("/")[0]

    def name(self, source: str) -> str:
        """Where an image lies, by its build's tag."""
        return f"{self.repository}/{source.rpartition('/')[2]}"

    def fill(self, source: str, image_id: str) -> str:
        """Pushes the image that was built here, once per process; its digest in the registry.

        Raises:
            Refused: this machine has no such image, or the registry does not take it.
        """
        key = (self.name(source), image_id)
        with _pushing:
            if key not in _pushed:
                _pushed[key] = self._push(source, image_id)
            return _pushed[key]

    def bring(self, machine: Machine, source: str, tag: str, console: Console) -> None:
        """Lets a host pull what `fill` pushed, and names it for the stack.

        Raises:
            Refused: the host's engine did not get it.
        """
        name = self.name(source)
        (digest,) = {d for (pushed, _), d in _pushed.items() if pushed == name}
        reference = f"{name.rpartition(':')[0]}@{digest}"
        folder = machine.paths.root / f"pull-{name.rpartition(':')[0].rpartition('/')[2]}"
        try:
            login = self._log_in(machine, str(folder))
            argv = images.pull(machine.engine, reference, TIMEOUT_S, login)
            done = machine.connection.run(argv, timeout_s=TIMEOUT_S + images.KILL_S)
        finally:
            if self.password:
                machine.remove(folder)
        if done.status != 0:
            msg = (
                f"{machine.host.name}: image {name}: the engine did not pull it "
                f"({last_line(done.err)}). Look whether the host reaches the registry and may "
                "read it."
            )
            raise Refused(_cured(msg, machine.engine, done.err))
        machine.run(containers.tag_image(machine.engine, reference, tag))
        machine.run(containers.remove_tag(machine.engine, reference))
        console.say(f"{machine.host.name}: image {name} pulled")

    def _log_in(self, machine: Machine, folder: str) -> str | None:
        """Puts the password where only the host's engine reads it, for one pull."""
        if not self.password:
            return None
        machine.run(files.make_folder(folder, "0700"))
        machine.write(PurePosixPath(folder) / "config.json", self._login, "0600")
        return folder

    @property
    def _login(self) -> str:
        """What Docker calls config.json and Podman an authfile."""
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return json.dumps({"auths": {self._registry: {"auth": pair}}})

    def _push(self, source: str, image_id: str) -> str:
        try:
            engine = engines.find()
        except ValueError as e:
            raise Refused(str(e)) from e
        found = engine.image_id(source)
        if found != image_id:
            raise Refused(export.not_built(engine, source, found, image_id))
        with tempfile.TemporaryDirectory(prefix="bentofleet-push-") as folder:  # mode 0700
            return self._push_by(engine, source, Path(folder))

    def _push_by(self, engine: Engine, source: str, folder: Path) -> str:
        name = self.name(source)
        if self.password:
            login = folder / "config.json"
            login.touch(mode=0o600)
            login.write_text(self._login)
        login_at = str(folder) if self.password else None
        argv = images.push(engine.name, source, name, login_at, str(folder / "digest"))
        if images.is_docker(engine.name):
            engine.ask(*containers.tag_image(engine.name, source, name)[1:])
        try:
            done = engine.ask(*argv[1:], timeout_s=TIMEOUT_S)
        except subprocess.TimeoutExpired as e:
            msg = f"{name}: was not pushed in {TIMEOUT_S:.0f} s. Look whether the registry answers."
            raise Refused(msg) from e
        finally:
            if images.is_docker(engine.name):
                engine.ask(*containers.remove_tag(engine.name, name)[1:])
        if done.returncode != 0:
            msg = (
                f"{name}: was not pushed ({last_line(done.stderr)}). Look whether this machine "
                "reaches the registry and may write to it."
            )
            raise Refused(_cured(msg, engine.name, done.stderr))
        return _digest(folder / "digest", done.stdout)


def _digest(file: Path, said: str) -> str:
    """Podman writes it to a file, Docker prints it in its last line."""
    text = file.read_text() if file.exists() else said
    found = _DIGEST.findall(text)
    if not found:
        raise Refused("images: the engine told no digest of what it pushed. Run it again.")
    return str(found[-1])


def _cured(message: str, engine: str, complaint: str) -> str:
    """The message; where the engine's complaint is one that is known, with its cure at the end."""
    cure = complaints.cure({engine: complaint}, "")
    return f"{message} {cure}".rstrip()
