"""What an SSH connection lets us do, found by doing it: forwards there and back, many sessions."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from infra.connection import Connection, Done, HostError
from infra.doctor.kinds import Finding, Kind, ok

SESSIONS = 8
"""Commands that run over one connection at a time (`infra.connection`)."""

_TIMEOUT_S = 5.0
_STAY = ("sh", "-c", "date +%s%N; sleep 1; date +%s%N")
"""Stays long enough for all the others to begin on a busy host."""

NO_FORWARDING = Kind(
    "error",
    "ssh.no-forwarding",
    "the SSH server forbids the forwards that images, health and load tests travel by",
    "Set `AllowTcpForwarding yes` in /etc/ssh/sshd_config for this user, then `sudo systemctl "
    "reload ssh`.",
)
FEW_SESSIONS = Kind(
    "warning",
    "ssh.few-sessions",
    "fewer commands ran at a time over one connection than are used (8), so they wait for each "
    "other",
    "Set `MaxSessions 10` in /etc/ssh/sshd_config, then `sudo systemctl reload ssh`; a host that "
    "is very busy looks the same.",
)
SESSIONS_UNCHECKED = Kind(
    "unchecked",
    "ssh.sessions-unchecked",
    "how many commands run at a time over one connection could not be found out",
    "As root on the host, `sshd -T | grep maxsessions` has to show at least 8.",
)


def at_a_time(spans: list[tuple[int, int]]) -> int:
    """How many of the spans (begin, end) lie over one moment, at most."""
    return max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)


def check(connection: Connection) -> Iterator[Finding]:
    """Findings about ports that lead there and back, and about many commands at a time."""
    with ThreadPoolExecutor(max_workers=SESSIONS) as pool:
        runs = [pool.submit(connection.run, _STAY) for _ in range(SESSIONS)]
        complaint = _forward(connection)
    if complaint:
        yield NO_FORWARDING.found(got=complaint)
    else:
        yield ok("ssh.forward", "a port there led back here, and one here led there")
    yield _of_sessions(runs)


def _forward(connection: Connection) -> str | None:
    """What is wrong with a way from here to the host and back; None: nothing."""
    with socket.create_server(("127.0.0.1", 0)) as here:
        here.settimeout(_TIMEOUT_S)
        try:
            there = connection.reverse_port(here.getsockname()[1])
            way = ("127.0.0.1", connection.local_port(there))
            with socket.create_connection(way, timeout=_TIMEOUT_S):
                here.accept()[0].close()
        except (HostError, OSError) as e:
            return str(e) or type(e).__name__
    return None


def _of_sessions(runs: "list[Future[Done]]") -> Finding:
    told = []
    for run in runs:
        error = run.exception()
        if isinstance(error, HostError):
            return FEW_SESSIONS.found(got=error)
        if error is not None:
            raise error
        told.append(run.result().out.split())
    spans = [(int(words[0]), int(words[1])) for words in told if _is_span(words)]
    if len(spans) < len(told):
        return SESSIONS_UNCHECKED.found(got="its `date` has no nanoseconds")
    most = at_a_time(spans)
    return (
        ok("ssh.sessions", f"{most} at a time")
        if most == SESSIONS
        else FEW_SESSIONS.found(got=most)
    )


def _is_span(words: list[str]) -> bool:
    return len(words) == 2 and all(word.isdigit() for word in words)
