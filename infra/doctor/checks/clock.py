"""The clock: tokens, certificates and the walk's lock are measured by it."""

from collections.abc import Iterator

from infra.commands import clock
from infra.doctor.facts import Facts
from infra.doctor.kinds import Finding, Kind, ok

OFF = Kind(
    "error",
    "clock.off",
    "the clock is off by {seconds} s from this machine's",
    "Set the wrong one: `sudo timedatectl set-ntp true`.",
)
NOT_KEPT = Kind(
    "warning",
    "clock.not-kept",
    "no time server keeps the clock right",
    "As root, `pulumi up` turns a time service on; by hand: `sudo apt install systemd-timesyncd`, "
    "then `sudo timedatectl set-ntp true`. Without internet name a server of your own in "
    "/etc/systemd/timesyncd.conf.",
)
UNCHECKED = Kind(
    "unchecked",
    "clock.unchecked",
    "whether a time server keeps the clock right could not be found out",
    "Look at `timedatectl` or `chronyc tracking` on the host.",
)


def check(facts: Facts, asked_s: float, answered_s: float) -> Iterator[Finding]:
    """Findings about the clock.

    Args:
        facts: of the host.
        asked_s: this machine's time before the question.
        answered_s: this machine's time after the answer.
    """
    host_s = facts.whole("time")
    if host_s is not None:
        skew_s = clock.skew_s(host_s, asked_s, answered_s)
        if abs(skew_s) > clock.MOST_S:
            yield OFF.found(got=clock.shown(host_s), seconds=f"{skew_s:+.0f}")
        else:
            yield ok("clock.right", clock.shown(host_s))
    kept = facts.pairs("clock").get("NTPSynchronized")
    if kept is None:
        yield UNCHECKED.found(got=facts.why_unknown("clock"))
    elif kept != "yes":
        yield NOT_KEPT.found(got="NTPSynchronized=no")
