"""service/requirements*.txt: what the images install, with hashes, taken from uv.lock.

The packages that only BentoML needs stay out: the container serves the application without them,
and what is not there needs no update. `python -m infra.images.requirements` writes the file,
`--check` tells whether it is up to date. The file for Vulkan has ncnn alone: of what ncnn asks for
only numpy is used, which the other file has.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FILE = Path("service/requirements.txt")
VULKAN_FILE = Path("service/requirements-vulkan.txt")
VULKAN_GROUP = "vulkan"
VULKAN_PACKAGE = "ncnn"
FRAMEWORK = "bentoml"
CURE = "Run `make lock` and commit it."
HEADER = "# Made from uv.lock by `make lock`: what the service image installs. Do not edit.\n"

COMMAND = (
    "uv",
    "export",
    "--quiet",
    "--frozen",
    "--no-default-groups",
    "--no-emit-project",
    "--no-annotate",
    "--no-header",
    "--format=requirements.txt",
)


def exported(root: Path) -> str:
    """The file's content as the lock has it now.

    Raises:
        ValueError: uv is missing or refuses the lock; one line.
    """
    everything = _export(root)
    alone = _names(everything) - _names(_export(root, f"--prune={FRAMEWORK}")) - {FRAMEWORK}
    return HEADER + _export(root, *(f"--no-emit-package={name}" for name in sorted(alone)))


def exported_for_vulkan(root: Path) -> str:
    """What the image for Vulkan installs besides, as the lock has it now.

    Raises:
        ValueError: uv is missing or refuses the lock; one line.
    """
    group = f"--only-group={VULKAN_GROUP}"
    others = _names(_export(root, group)) - {VULKAN_PACKAGE}
    return HEADER + _export(root, group, *(f"--no-emit-package={name}" for name in sorted(others)))


def check(root: Path) -> None:
    """Passes when the files are what the lock says.

    Raises:
        ValueError: one is not; one line with the cure.
    """
    for file, content in _files(root).items():
        path = root / file
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            raise ValueError(f"{file}: is not what uv.lock says. {CURE}")


def _files(root: Path) -> dict[Path, str]:
    return {FILE: exported(root), VULKAN_FILE: exported_for_vulkan(root)}


def _export(root: Path, *options: str) -> str:
    try:
        done = subprocess.run(
            [*COMMAND, *options], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ValueError(
            f"{FILE}: uv is not installed. Run `make check`, which gets it."
        ) from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise ValueError(f"{FILE}: uv cannot export uv.lock ({said[-1]}). Run `uv lock`.")
    return done.stdout


def _names(text: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE))


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files, or with `--check` only looks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if one is old")
    asked = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        if asked.check:
            check(root)
        else:
            for file, content in _files(root).items():
                (root / file).write_text(content, encoding="utf-8")
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
