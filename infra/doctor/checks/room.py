"""Room for images, files and replicas: disk and memory."""

from collections.abc import Iterator

from infra.commands import disk
from infra.doctor.facts import Facts
from infra.doctor.kinds import Finding, Kind, ok
from infra.doctor.wanted import EDGE_MIB, Wanted

LEAST_KIB = {"disk.engine": disk.STORE_BYTES >> 10, "disk.stack": disk.FOLDER_BYTES >> 10}
"""What `pulumi up` asks for, where the engine keeps its images and where the stack's files lie."""

KEPT_KIB = 2 << 20
"""Beyond that, room for the images of releases that are kept."""

FULL_INODES_PERCENT = 95
_KIB_PER_GIB = 1 << 20
_KIB_PER_MIB = 1 << 10

_CLEAN = "Make room: `{engine} image prune`, old logs below /var/log, `sudo apt clean`."

DISK_FULL = Kind(
    "error", "disk.full", "there is too little room on {mount} (needs {need} GiB)", _CLEAN
)
DISK_LOW = Kind("warning", "disk.low", "there is room for few images on {mount}", _CLEAN)
INODES = Kind(
    "error",
    "disk.inodes",
    "the file system on {mount} can hold hardly any more files",
    "Remove many small files there: `sudo du --inodes -x {mount} | sort -n | tail`.",
)
DISK_UNCHECKED = Kind(
    "unchecked",
    "disk.unchecked",
    "room on the disk could not be found out",
    "Look at `df -h` on the host.",
)
MEMORY_SHORT = Kind(
    "error",
    "memory.short",
    "the machine has less memory than one release may take ({need} MiB)",
    "Lower `service.replicas` or `service.memory_mib`, or add memory.",
)
MEMORY_TIGHT = Kind(
    "warning",
    "memory.tight",
    "live and candidate together may take more memory than the machine has ({need} MiB)",
    "Lower `service.replicas` or `service.memory_mib`: while a candidate is tried, both run.",
)
MEMORY_BUSY = Kind(
    "warning",
    "memory.busy",
    "other programs leave too little memory for one more release ({need} MiB)",
    "Look with `ps aux --sort=-rss | head` what takes it.",
)
MEMORY_UNCHECKED = Kind(
    "unchecked",
    "memory.unchecked",
    "the machine's memory could not be found out",
    "Look at `free -m` on the host.",
)


def check(facts: Facts, wanted: Wanted, engine: str | None) -> Iterator[Finding]:
    """Findings about disk and memory."""
    seen: set[str] = set()
    for name in ("disk.engine", "disk.stack"):
        lines = facts.all(name)
        if len(lines) < 2:
            if name == "disk.stack" or engine:
                yield DISK_UNCHECKED.found(got=facts.why_unknown(name))
            continue
        mount = lines[-1].split()[-1]
        if mount not in seen:
            seen.add(mount)
            yield from _disk(facts, name, mount, engine or "podman")
    yield from _memory(facts, wanted)


def _disk(facts: Facts, name: str, mount: str, engine: str) -> Iterator[Finding]:
    free, least = int(facts.all(name)[-1].split()[-3]), LEAST_KIB[name]
    got = f"{free / _KIB_PER_GIB:.1f} GiB free"
    if free < least:
        need = f"{least / _KIB_PER_GIB:.2g}"
        yield DISK_FULL.found(got=got, mount=mount, engine=engine, need=need)
    elif name == "disk.engine" and free < least + KEPT_KIB:
        yield DISK_LOW.found(got=got, mount=mount, engine=engine)
    else:
        yield ok("disk.room", f"{mount}: {got}")
    inodes = facts.all(f"{name}.inodes")
    used = inodes[-1].split()[-2].rstrip("%") if len(inodes) > 1 else ""
    if used.isdigit() and int(used) >= FULL_INODES_PERCENT:
        yield INODES.found(got=f"{used} % of its inodes are used", mount=mount)


def _memory(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    told = facts.pairs("memory", separator=":")
    total, free = _mib(told.get("MemTotal")), _mib(told.get("MemAvailable"))
    if total is None or free is None:
        yield MEMORY_UNCHECKED.found(got=facts.why_unknown("memory"))
        return
    one, both = wanted.release_mib + EDGE_MIB, 2 * wanted.release_mib + EDGE_MIB
    if total < one:
        yield MEMORY_SHORT.found(got=f"{total} MiB", need=one)
    elif total < both:
        yield MEMORY_TIGHT.found(got=f"{total} MiB", need=both)
    elif free < wanted.release_mib:
        yield MEMORY_BUSY.found(got=f"{free} of {total} MiB free", need=wanted.release_mib)
    else:
        yield ok("memory.room", f"{free} of {total} MiB free")


def _mib(text: str | None) -> int | None:
    number = (text or "").split()[:1]
    return int(number[0]) // _KIB_PER_MIB if number and number[0].isdigit() else None
