"""What a host's clock says, and how far it is from this machine's."""

from datetime import UTC, datetime

MOST_S = 30.0
"""Two clocks may differ by this. A larger difference makes tokens look expired or not yet valid,
and a walk's lock look younger or older than it is."""

TIME_SERVICES = (
    "systemd-timesyncd",
    "chrony",
    "chronyd",
    "ntpsec",
    "ntp",
    "ntpd",
    "openntpd",
    "ptp4l",
)
"""Units of which one that runs keeps a clock right."""


def now() -> list[str]:
    """Prints the host's time in seconds since 1970."""
    return ["date", "-u", "+%s"]


def skew_s(host_s: float, asked_s: float, answered_s: float) -> float:
    """Seconds that a host is ahead; below 0 when it is behind.

    Args:
        host_s: what the host said, in whole seconds.
        asked_s: this machine's time before the question.
        answered_s: this machine's time after the answer: what lies between is the line's, and is
            never held against the host.
    """
    if host_s > answered_s:
        return host_s - answered_s
    return min(0.0, host_s - int(asked_s))


def shown(time_s: float) -> str:
    """A time as a message tells it."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def keep_right(on: bool) -> list[str]:
    """Turns the installed time service on or off, now and at each boot."""
    return ["timedatectl", "set-ntp", "true" if on else "false"]
