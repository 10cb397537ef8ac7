"""The kernel under the card: versions that are known to be bad, and what it has complained of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from infra.doctor.facts import Facts, version
from infra.doctor.kinds import Finding, Kind, ok

OLDEST = (5, 15)
"""Ubuntu 22.04's: the oldest kernel of a distribution that is tried."""

NEWEST = (7, 2)
"""The newest kernel that the list below was made with."""


@dataclass(frozen=True)
class Bad:
    """Kernels from `first` on and before `end`, and who found it."""

    first: tuple[int, int]
    end: tuple[int, int]
    what: str
    source: str


BAD = (
    Bad(
        (7, 1),
        (7, 3),
        "hangs RX 580 and 590 cards for some, from video and games; 6.18 did not",
        "github.com/CachyOS/linux-cachyos/issues/930, read 2026-11, one distribution's builds",
    ),
)
"""Of Polaris cards under Vulkan. The faults of 6.12 to 6.15 with these cards were in amdkfd, which
only ROCm uses (github.com/ROCm/legacy-rocm-build/issues/4965)."""

KNOWN_BAD = Kind(
    "warning",
    "kernel.known-bad",
    "this kernel {what} ({source})",
    "Boot your distribution's long-term kernel: 6.1, 6.8, 6.12 and 6.18 have no such report.",
)
OLD = Kind(
    "warning",
    "kernel.old",
    "this kernel is older than any that is tried",
    "Update the distribution.",
)
NEW = Kind(
    "unchecked",
    "kernel.new",
    "this kernel is newer than the list of those that hang the card (up to {newest})",
    "Watch `sudo dmesg | grep amdgpu` under load.",
)
HUNG = Kind(
    "error",
    "kernel.card-hung",
    "the card has hung since the machine started",
    "If it comes again: lower its memory clock, leave out the riser, boot another kernel; "
    "`sudo dmesg | grep amdgpu` tells what it was at.",
)
FAULTED = Kind(
    "warning",
    "kernel.card-faults",
    "the card has reached outside of its memory since the machine started",
    "Once after a crash is no harm; again and again means bad memory on the card.",
)
BUS_ERRORS = Kind(
    "warning",
    "kernel.bus-errors",
    "the PCIe bus reports errors",
    "Seat the card anew, leave out the riser.",
)
LOG_UNCHECKED = Kind(
    "unchecked",
    "kernel.log-unchecked",
    "whether the card has hung could not be found out",
    "Look at `sudo dmesg | grep -E 'amdgpu|AER'`, or put the user into the group adm.",
)

_COMPLAINTS = (
    (HUNG, re.compile(r"ring \S+ timeout|GPU reset begin|GPU hang|IB test failed", re.IGNORECASE)),
    (FAULTED, re.compile(r"GPU fault detected|PROTECTION_FAULT|page fault", re.IGNORECASE)),
    (BUS_ERRORS, re.compile(r"AER: .*error|PCIe Bus Error", re.IGNORECASE)),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Findings about the kernel of a host with a card."""
    kernel = facts.one("kernel") or ""
    number = version(kernel)[:2]
    bad = [entry for entry in BAD if entry.first <= number < entry.end]
    for entry in bad:
        yield KNOWN_BAD.found(got=kernel, what=entry.what, source=entry.source)
    if number > NEWEST:
        yield NEW.found(got=kernel, newest=".".join(map(str, NEWEST)))
    elif number < OLDEST:
        yield OLD.found(got=kernel)
    elif not bad:
        yield ok("kernel.version", f"{kernel}: not known to be bad")
    yield from _log(facts)


def _log(facts: Facts) -> Iterator[Finding]:
    if not facts.one("log"):
        yield LOG_UNCHECKED.found(got=facts.why_unknown("log"))
        return
    lines = facts.all("log.line")
    is_quiet = True
    for kind, pattern in _COMPLAINTS:
        if hits := [line for line in lines if pattern.search(line)]:
            is_quiet = False
            yield kind.found(got=f"{len(hits)} lines, the last: {hits[-1].strip()}")
    if is_quiet:
        yield ok("kernel.log", f"no complaint of the card in the kernel's log ({facts.one('log')})")
