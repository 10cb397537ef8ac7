"""The base image: pulled, or made from Debian's packages under the same name where it cannot be.

`python -m infra.images.base` makes sure of it. Standard library only: set-up runs it before there
is an environment.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra import versions
from infra.images import engine as engines
from infra.images import logs

PULL_TIMEOUT_S = 300.0
MISSING_TOOL = 3
"""Exit code that tells set-up to install mmdebstrap."""

SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/linda/*",
    "path-exclude=/usr/share/lintian/overrides/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
"""What Debian's own slim images leave out; stays in force for packages that are installed later."""

SOURCES = tuple(
    f"deb http://deb.debian.org/{archive} {suite} main"
    for archive, suite in (
        ("debian", versions.DEBIAN_SUITE),
        ("debian", f"{versions.DEBIAN_SUITE}-updates"),
        ("debian-security", f"{versions.DEBIAN_SUITE}-security"),
    )
)


class NoWay(Exception):
    """The base can neither be pulled nor made here."""


def bootstrap_command(tar: Path) -> list[str]:
    """The command that makes the base's root file system as a tar file."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        # Else apt takes the converter of old systems and the whole of Perl with it.
        "--include=usr-is-merged",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt={option}" for option in SLIM),
        # In the image itself a wish for fewer packages would surprise; each recipe says it.
        "--customize-hook=rm -f $1/etc/apt/apt.conf.d/99mmdebstrap",
        "--customize-hook=rm -rf $1/var/cache/debconf/*-old $1/var/log/*.log $1/var/log/apt",
        # mmdebstrap brings these two from this machine.
        "--customize-hook=: > $1/etc/resolv.conf && rm -f $1/etc/hostname",
        versions.DEBIAN_SUITE,
        str(tar),
        *SOURCES,
    ]


def ensure(engine: engines.Engine) -> None:
    """Makes sure that the engine has the base image, and says how it got it.

    Raises:
        NoWay: it cannot be pulled and mmdebstrap is missing.
        logs.Failed: it can neither be pulled nor made; names the log.
    """
    if engine.image_id(versions.BASE_IMAGE):
        return
    logs.say(f"pulling the base image {versions.BASE_IMAGE}")
    reason = _pull(engine)
    if reason is None:
        return
    if shutil.which("mmdebstrap") is None:
        raise NoWay(reason)
    logs.say(f"it cannot be pulled ({reason})")
    logs.say(
        f"making it from Debian {versions.DEBIAN_SUITE}'s packages instead and importing it "
        f"under the same name (about half a minute)"
    )
    try:
        _make(engine)
    except logs.Failed as error:
        raise logs.Failed(
            f"base image {versions.BASE_IMAGE}: cannot be pulled ({reason}), and making it failed "
            f"({str(error).rstrip('.')}). Let this machine reach a registry or deb.debian.org "
            f"(HTTPS_PROXY, http_proxy), or load the image by hand with `{engine.name} load`."
        ) from error


def _pull(engine: engines.Engine) -> str | None:
    """None when pulled, else why not in one line."""
    try:
        done = engine.ask("pull", versions.BASE_IMAGE, timeout_s=PULL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no answer in {PULL_TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[-1].rpartition(": ")[2] if said else f"exit code {done.returncode}"


def _make(engine: engines.Engine) -> None:
    environ = {**os.environ, "SOURCE_DATE_EPOCH": versions.IMAGE_EPOCH_S}
    with tempfile.TemporaryDirectory(prefix="bentofleet-base-") as folder:
        tar = Path(folder) / "base.tar"
        logs.run("base", bootstrap_command(tar), environ)
        logs.run(
            "base-import",
            [engine.name, "import", "--change", 'CMD ["bash"]', str(tar), versions.BASE_IMAGE],
        )


def main() -> int:
    """Makes sure of the base image; exit code 3 where only mmdebstrap is missing."""
    try:
        ensure(engines.find())
    except NoWay as error:
        logs.say(f"it cannot be pulled ({error}), mmdebstrap would make it and is not installed")
        return MISSING_TOOL
    except (ValueError, logs.Failed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
