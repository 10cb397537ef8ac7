"""How a command line reaches a host over SSH, and what a host is asked on entering."""

import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_ENV = "env LC_ALL=C.UTF-8"
"""Complaints are understood in English only (`infra.complaints`)."""

_SUDO = "sudo -n --"
_KILL_AFTER_S = 5
_NOT_FOUND = 127

_FACTS = 'id -u; printf "%s\\n" "$HOME"; cat /etc/machine-id 2>/dev/null; exit 0'


def line(argv: Sequence[str], sudo: bool, timeout_s: float) -> str:
    """One line for the login shell of the other side, whatever stands in the arguments.

    It begins elsewhere than at home, where conmon would leave a file. The other side ends it after
    `timeout_s` by itself: sshd hands no signal on to what root runs.
    """
    as_root = f"{_SUDO} " if sudo else ""
    bound = f"timeout --kill-after={_KILL_AFTER_S} {math.ceil(timeout_s)}"
    return f"cd /tmp; exec {_ENV} {as_root}{bound} {shlex.join(argv)}"


def is_missing(program: str, status: int, complaint: str) -> bool:
    """Whether a command failed because there is no such program."""
    told = rf"^timeout: failed to run command \W{re.escape(program)}\W: No such file"
    return status == _NOT_FOUND and re.search(told, complaint, re.MULTILINE) is not None


def has(program: str) -> list[str]:
    """Exit 0 when a program is on PATH."""
    return ["sh", "-c", 'command -v -- "$1" >/dev/null', "sh", program]


def facts() -> list[str]:
    """Asks who commands act as there, where his home is, and which machine it is."""
    return ["sh", "-c", _FACTS]


@dataclass(frozen=True)
class Facts:
    """What a host says of itself on entering; an empty `machine_id`: it has none."""

    is_root: bool
    home: PurePosixPath
    machine_id: str


def parse_facts(text: str) -> Facts:
    """What `facts` printed.

    Raises:
        ValueError: something else, as a login shell that greets would print.
    """
    match text.splitlines():
        case [uid, home, *rest] if uid.isdigit() and home.startswith("/"):
            return Facts(uid == "0", PurePosixPath(home), rest[0].strip() if rest else "")
    msg = f"said something else (got {text[:80]!r})"
    raise ValueError(msg)
