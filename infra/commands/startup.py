"""What brings a stack back after a reboot: a script, and the systemd unit that runs it."""

import shlex
from collections.abc import Sequence

UNIT_FOLDER = "/etc/systemd/system"
USER_UNIT_FOLDER = ".config/systemd/user"


def unit_name(stack: str) -> str:
    """The unit's file name."""
    return f"bentofleet-{stack}.service"


def script(
    engine: str, edge: str | None, live: Sequence[str], replica_filters: Sequence[str]
) -> str:
    """A script that starts the live release and the edge, and stops every other replica.

    Safe to run twice. Its exit status is 1 when something did not start.

    Args:
        edge: the edge's container; None before there is one.
        live: containers of the live release.
        replica_filters: the engine's filters that together name every replica of the stack.
    """
    names = " ".join(shlex.quote(name) for name in live)
    filters = " ".join(f"--filter {shlex.quote(f)}" for f in replica_filters)
    lines = [
        "#!/bin/sh",
        "# Starts the live release after a reboot: kept and candidate ones stay off.",
        "set -u",
        "failed=0",
        *(f"{engine} start {shlex.quote(name)} >/dev/null || failed=1" for name in live),
        *([f"{engine} start {shlex.quote(edge)} >/dev/null || failed=1"] if edge else []),
        f"for name in $({engine} ps {filters} --format '{{{{.Names}}}}'); do",
        f'    case " {names} " in',
        '        *" $name "*) ;;',
        f'        *) {engine} stop "$name" >/dev/null ;;',
        "    esac",
        "done",
        'exit "$failed"',
    ]
    return "\n".join(lines) + "\n"


def unit(stack: str, start: str, rootless: bool) -> str:
    """The systemd unit that runs the script at boot."""
    target = "default.target" if rootless else "multi-user.target"
    return f"""\
[Unit]
Description=bentofleet stack {stack}: starts the live release
Wants=network-online.target
After=network-online.target docker.service podman.socket

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={start}

[Install]
WantedBy={target}
"""
