"""Groups: which are needed, and the commands that make and remove them, with stand-ins."""

import subprocess
from pathlib import Path

import pytest

from infra.commands import groups


@pytest.mark.parametrize(
    ("accelerator", "software", "needed"),
    [("cpu", False, ()), ("vulkan", False, ("render",)), ("vulkan", True, ())],
    ids=["cpu", "card", "software"],
)
def test_only_a_card_needs_a_group(accelerator: str, software: bool, needed: tuple[str]) -> None:
    assert groups.needed(accelerator, software=software) == needed


def run(tmp_path: Path, argv: list[str], line: str) -> list[str]:
    """What a command line calls where `getent` answers with `line`."""
    log = tmp_path / "log"
    log.touch()
    (tmp_path / "getent").write_text(f"#!/bin/sh\necho '{line}'; test -n '{line}'\n")
    for name in ("groupadd", "groupdel", "udevadm"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{log}\n')
    for name in ("getent", "groupadd", "groupdel", "udevadm"):
        (tmp_path / name).chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(argv, env=environ, check=True, stdout=subprocess.DEVNULL)
    return log.read_text().splitlines()


UDEV = ["udevadm control --reload", "udevadm trigger --subsystem-match=drm"]


def test_a_group_is_made_once_and_udev_gives_it_the_nodes(tmp_path: Path) -> None:
    made = ["groupadd --system render", *UDEV]
    assert run(tmp_path, groups.make("render"), "") == made


def test_a_group_that_is_there_is_not_made(tmp_path: Path) -> None:
    assert run(tmp_path, groups.make("render"), "render:x:104:") == UDEV


@pytest.mark.parametrize(
    ("line", "calls"),
    [("render:x:104:", ["groupdel render"]), ("render:x:104:anna", []), ("", [])],
    ids=["empty", "in use", "gone"],
)
def test_a_group_goes_only_when_nobody_is_in_it(
    tmp_path: Path, line: str, calls: list[str]
) -> None:
    assert run(tmp_path, groups.remove("render"), line) == calls
