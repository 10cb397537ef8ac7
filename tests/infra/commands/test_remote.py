"""Command lines as they go over SSH."""

from pathlib import PurePosixPath

import pytest

from infra.commands import remote


def test_a_command_is_bound_in_time_and_begins_elsewhere_than_at_home() -> None:
    assert remote.line(["podman", "ps", "--all"], sudo=False, timeout_s=30) == (
        "cd /tmp; exec env LC_ALL=C.UTF-8 timeout --kill-after=5 30 podman ps --all"
    )


def test_sudo_stands_before_what_bounds_it_and_never_asks() -> None:
    assert remote.line(["id", "-u"], sudo=True, timeout_s=0.2) == (
        "cd /tmp; exec env LC_ALL=C.UTF-8 sudo -n -- timeout --kill-after=5 1 id -u"
    )


def test_arguments_are_quoted_for_the_other_sides_shell() -> None:
    line = remote.line(["sh", "-c", 'echo "$1"; id', "sh", "it's"], sudo=False, timeout_s=1)

    assert line.endswith("""1 sh -c 'echo "$1"; id' sh 'it'"'"'s'""")


@pytest.mark.parametrize(
    ("status", "complaint", "is_missing"),
    [
        (127, "timeout: failed to run command \u2018podman\u2019: No such file or directory", True),
        (
            127,
            "a warning\ntimeout: failed to run command 'podman': No such file or directory",
            True,
        ),
        (127, "sh: 1: podman: not found", False),
        (1, "cat: podman: No such file or directory", False),
        (127, "timeout: failed to run command 'podman-remote': No such file or directory", False),
        (126, "timeout: failed to run command 'podman': Permission denied", False),
    ],
)
def test_a_missing_program_is_told_from_a_failing_one(
    status: int, complaint: str, is_missing: bool
) -> None:
    assert remote.is_missing("podman", status, complaint) is is_missing


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("0\n/root\nabc\n", remote.Facts(True, PurePosixPath("/root"), "abc")),
        ("1000\n/home/ana\n", remote.Facts(False, PurePosixPath("/home/ana"), "")),
        ("0\n/root\n\n", remote.Facts(True, PurePosixPath("/root"), "")),
    ],
    ids=["root", "a user on a machine without an id", "an empty id"],
)
def test_what_a_host_says_of_itself_is_read(text: str, facts: remote.Facts) -> None:
    assert remote.parse_facts(text) == facts


@pytest.mark.parametrize("text", ["", "Welcome!\n0\n/root\nabc\n", "0\n", "0\nroot\n"])
def test_a_shell_that_says_something_else_is_not_believed(text: str) -> None:
    with pytest.raises(ValueError, match="said something else"):
        remote.parse_facts(text)
