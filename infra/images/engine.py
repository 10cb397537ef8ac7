"""Finds the container engine that builds and keeps our images, and runs it.

`python -m infra.images.engine` prints its name. Standard library only: set-up runs it before there
is an environment.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import complaints

QUESTIONS = {
    "podman": ("info", "--format", "{{.Host.OCIRuntime.Name}}"),
    "docker": ("version", "--format", "{{.Server.Version}}"),
}
"""What each engine is asked, in the order of preference: podman needs no daemon of ours."""

ANSWER_TIMEOUT_S = 20.0
CURE = "Install podman or start Docker, or name the one to use in BENTOFLEET_ENGINE."


@dataclass(frozen=True)
class Engine:
    """A container engine that answers.

    Attributes:
        name: program on PATH, `podman` or `docker`.
    """

    name: str

    def image_id(self, tag: str) -> str | None:
        """The image's ID as 64 hex digits, or None where the engine has no image of that tag."""
        done = self.ask("image", "inspect", "--format", "{{.Id}}", tag)
        return done.stdout.strip().removeprefix("sha256:") if done.returncode == 0 else None

    def ask(
        self, *arguments: str, timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a short command and returns what it said, whatever its exit code."""
        return subprocess.run(
            [self.name, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
        )


STORES = {
    "podman": ("info", "--format", "{{.Store.GraphRoot}}"),
    "docker": ("info", "--format", "{{.DockerRootDir}}"),
}
"""What each engine is asked for the folder that its images lie in."""


def refuse_full_disk(engine: Engine, needed_gib: float) -> None:
    """Passes when there is room for a build where the engine keeps its images.

    An engine on another machine keeps them where we cannot look: that passes too.

    Raises:
        ValueError: there is less; one line.
    """
    store = engine.ask(*STORES[engine.name]).stdout.strip()
    if not store or not Path(store).is_dir():
        return
    free_gib = shutil.disk_usage(store).free / 2**30
    if free_gib < needed_gib:
        raise ValueError(
            f"{store}: too little room for building an image (got {free_gib:.1f} GiB, needs "
            f"{needed_gib:g}). Make room, for instance with `{engine.name} image prune`."
        )


def why_silent(name: str) -> str | None:
    """Why the engine does not answer, in a few words; None where it does."""
    if shutil.which(name) is None:
        return "not installed"
    try:
        done = Engine(name).ask(*QUESTIONS[name], timeout_s=ANSWER_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no answer in {ANSWER_TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).strip().splitlines()
    return said[-1] if said else f"exit code {done.returncode}"


def choose(asked: str | None, silence: Callable[[str], str | None]) -> str:
    """The engine to use.

    Args:
        asked: BENTOFLEET_ENGINE, taken alone where it is set.
        silence: says why an engine does not answer, None where it does.

    Raises:
        ValueError: none answers, or what was asked is no engine; one line with the cure.
    """
    if asked and asked not in QUESTIONS:
        raise ValueError(
            f"BENTOFLEET_ENGINE: no such container engine (got {asked}). Use podman or docker."
        )
    said = {}
    for name in [asked] if asked else QUESTIONS:
        reason = silence(name)
        if reason is None:
            return name
        said[name] = reason
    tried = "; ".join(f"{name}: {reason}" for name, reason in said.items())
    raise ValueError(
        f"containers: no engine answers ({tried}). {complaints.cure(said, otherwise=CURE)}"
    )


def find() -> Engine:
    """The engine of this machine.

    Raises:
        ValueError: none answers; one line with the cure.
    """
    return Engine(choose(os.environ.get("BENTOFLEET_ENGINE"), why_silent))


def main(arguments: Sequence[str] = ()) -> int:
    """Prints the engine's name; exit code 1 and one line where none answers."""
    try:
        sys.stdout.write(find().name + "\n")
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
