"""Runs the long commands of an image build: every line into build/logs, the steps on the screen."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

FOLDER = Path("build/logs")
STEP = re.compile(r"(?:STEP [\d/]+: |#\d+ \[[^\]]*\] )(?:FROM|RUN|COPY) [^\n]*")
"""How podman and Docker announce a step of a recipe."""

WIDTH = 110


class Failed(Exception):
    """A command of the build failed; one line that names the log."""


def say(text: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"image: {text}\n")
    sys.stdout.flush()


def run(name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
    """Runs `command` with its whole output in build/logs/image-<name>.log.

    Raises:
        Failed: it could not be started or its exit code is not 0.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"image-{name}.log"
    with path.open("w", encoding="utf-8") as log:
        code = _run(command, environ, log)
    if code:
        raise Failed(
            f"image {name}: {Path(command[0]).name} failed with exit code {code} "
            f"({_last_words(path)}). The whole output is in {path}."
        )


def _run(command: Sequence[str], environ: Mapping[str, str] | None, log: TextIO) -> int:
    try:
        process = subprocess.Popen(
            list(command),
            env=dict(environ if environ is not None else os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise Failed(
            f"image: {command[0]} is not installed. Run `make demo` or install it."
        ) from error
    with process:
        for line in process.stdout or ():
            log.write(line)
            step = STEP.search(line)
            if step:
                say(step.group()[:WIDTH])
    return process.returncode


def _last_words(path: Path) -> str:
    """The last line with text in it, or the last that speaks of an error."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return (errors or lines or ["it said nothing"])[-1][:WIDTH]
