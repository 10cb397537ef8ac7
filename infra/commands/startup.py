"""What brings a stack back after a reboot: a script, and the systemd unit that runs it."""

import shlex

from infra.commands import floating, replica
from infra.commands.containers import ROLE_LABEL, STACK_LABEL

UNIT_FOLDER = "/etc/systemd/system"
USER_UNIT_FOLDER = ".config/systemd/user"

_SCRIPT = """\
#!/bin/sh
# Starts the live release and the edge after a reboot, and what moves the floating address, where
# there is one: kept and candidate releases stay off.
set -u
failed=0
note() { sed -n "s/^$1 //p" @live_map; }
case "$(note live)" in
    a | b) live=@prefix-$(note '# release') replicas=$(note '# replicas') ;;
    *) live=none replicas=0 ;;
esac
number=1
while [ "$number" -le "$replicas" ]; do
    @engine start "$live-$number" >/dev/null || failed=1
    number=$((number + 1))
done
@engine start @edge >/dev/null || failed=1
for name in $(@engine ps --all @address_filters --format '{{.Names}}'); do
    @engine start "$name" >/dev/null || failed=1
done
for name in $(@engine ps @replica_filters --format '{{.Names}}'); do
    case "$name" in
        "$live"-*) ;;
        *) @engine stop "$name" >/dev/null ;;
    esac
done
exit "$failed"
"""


def unit_name(stack: str) -> str:
    """The unit's file name."""
    return f"bentofleet-{stack}.service"


def script(*, engine: str, stack: str, edge: str, prefix: str, live_map: str) -> str:
    """A script that starts what the live map names and the edge, and stops every other replica.

    Safe to run twice. Its exit status is 1 when something did not start.

    Args:
        edge: the edge's container.
        prefix: what the names of the stack's replicas begin with, before the release.
        live_map: path of the file that says which release is live.
    """
    words = {
        "@engine": engine,
        "@edge": shlex.quote(edge),
        "@prefix": shlex.quote(prefix),
        "@live_map": shlex.quote(live_map),
        "@address_filters": _filters(stack, floating.ROLE),
        "@replica_filters": _filters(stack, replica.ROLE),
    }
    text = _SCRIPT
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _filters(stack: str, role: str) -> str:
    labels = {STACK_LABEL: stack, ROLE_LABEL: role}
    return " ".join(f"--filter {shlex.quote(f'label={k}={v}')}" for k, v in labels.items())


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


def systemctl(is_root: bool, *words: str) -> list[str]:
    """systemd's command for the system, or for the user who runs it.

    A login that systemd does not know of, such as one by `su`, misses the variable by which the
    user's own systemd is found.
    """
    if is_root:
        return ["systemctl", *words]
    script = (
        'export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; '
        'exec systemctl --user "$@"'
    )
    return ["sh", "-c", script, "sh", *words]


def linger(on: bool) -> list[str]:
    """Lets the services of the user who runs it go on without a login, or no more.

    He is named: without a name, logind looks for the session that the command belongs to.
    """
    verb = "enable-linger" if on else "disable-linger"
    return ["sh", "-c", f'loginctl {verb} "$(id -un)"']
