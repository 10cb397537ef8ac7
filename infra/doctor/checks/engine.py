"""The container engine: is one there, does it answer, can it hold a container to its limits."""

from collections.abc import Iterator

from infra import complaints
from infra.doctor.facts import Facts, version
from infra.doctor.kinds import Finding, Kind, ok
from infra.doctor.wanted import Wanted

RUNC_FIXED = ((1, 2, 8), (1, 3, 3))
"""Each series' first release without CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881, by which a
container gets out. Source: the advisories of opencontainers/runc, read 2026-11."""

CONTROLLERS = ("memory", "pids")

NONE = Kind(
    "error",
    "engine.none",
    "there is no container engine",
    "Install one: `sudo apt install podman crun uidmap`, or Docker.",
)
INSTALLABLE = Kind(
    "warning",
    "engine.not-yet",
    "there is no container engine yet",
    "Nothing: `pulumi up` installs one from the distribution's packages.",
)
SILENT = Kind("error", "engine.silent", "the container engine does not answer", "{cure}")
NO_IDS = Kind(
    "error",
    "engine.no-ids",
    "the user {user} has no ids for containers, which Podman without root needs",
    "Run `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`, then "
    "`podman system migrate`.",
)
NO_PROGRAMS = Kind(
    "error",
    "engine.no-programs",
    "Podman without root lacks programs",
    "Run `sudo apt-get install -y {packages}`.",
)
NO_LIMITS = Kind(
    "error",
    "engine.no-limits",
    "the engine cannot limit {missing} here, and containers are started with such limits",
    "Delegate it to the user's services: `sudo mkdir -p /etc/systemd/system/user@.service.d && "
    "printf '[Service]\\nDelegate=memory pids cpu\\n' | sudo tee "
    "/etc/systemd/system/user@.service.d/delegate.conf`, then reboot.",
)
OLD_RUNC = Kind(
    "warning",
    "engine.old-runc",
    "runc is older than the fixes of November 2025, by which a container could get out; a "
    "distribution's own fixes do not show in this number",
    "Update it, or use crun: `sudo apt install crun`.",
)
UNCHECKED = Kind(
    "unchecked",
    "engine.unchecked",
    "what the engine runs containers with could not be found out",
    "Look at `{engine} info` on the host.",
)


def check(facts: Facts, wanted: Wanted, installable: bool) -> Iterator[Finding]:
    """Findings about the engine.

    Args:
        facts: of the host.
        wanted: of the stack.
        installable: whether `pulumi up` would install one here.
    """
    engine = in_use(facts)
    if engine is None:
        yield from _none_answers(facts, installable)
        return
    info = facts.pairs(f"{engine}.info")
    yield ok("engine.version", f"{engine} {facts.one(f'{engine}.version')}")
    if not info:
        yield UNCHECKED.found(got=facts.why_unknown(f"{engine}.info"), engine=engine)
        return
    if engine == "podman" and info.get("rootless") == "true":
        yield from _rootless(facts, wanted, info)
    yield from _runtime(facts, engine, info)


def in_use(facts: Facts) -> str | None:
    """The engine that the stack uses, or would use: one that answers."""
    return facts.one("engine.used")


def is_rootless(facts: Facts) -> bool:
    """Whether the engine in use runs without root."""
    told = facts.pairs(f"{in_use(facts)}.info").get("rootless", "")
    return told == "true" or "rootless" in told


def runtime_of(facts: Facts) -> str:
    """What the engine in use starts containers with: crun, runc."""
    told = facts.pairs(f"{in_use(facts)}.info").get("runtime", "unknown")
    return told.rpartition("/")[2]


def _none_answers(facts: Facts, installable: bool) -> Iterator[Finding]:
    names = facts.all("engine")
    if not facts.is_whole:
        yield UNCHECKED.found(got=facts.why_unknown("engine"), engine="podman")
        return
    said = {e: facts.unknown[f"{e}.version"] for e in names if f"{e}.version" in facts.unknown}
    if said:
        told = "; ".join(f"{engine}: {words}" for engine, words in said.items())
        yield SILENT.found(got=told, cure=complaints.cure(said, otherwise="Start it."))
    elif installable and not names:
        yield INSTALLABLE.found(got="neither podman nor docker")
    else:
        yield NONE.found(got=", ".join(names) or "neither podman nor docker")


def _rootless(facts: Facts, wanted: Wanted, info: dict[str, str]) -> Iterator[Finding]:
    programs = set(facts.all("program"))
    missing = [] if "newuidmap" in programs else ["uidmap"]
    if not programs & {"slirp4netns", "pasta"}:
        missing.append("slirp4netns")
    if missing:
        got = ", ".join(sorted(programs)) or "none of newuidmap, slirp4netns, pasta"
        yield NO_PROGRAMS.found(got=got, packages=" ".join(missing))
    user, uid = facts.one("user") or wanted.user, facts.one("uid")
    for name in ("subuid", "subgid"):
        lines = facts.all(name)
        if not any(line.startswith((f"{user}:", f"{uid}:")) for line in lines):
            yield NO_IDS.found(got=f"no line for {user} in /etc/{name}", user=user)
            break
    there = info.get("controllers", "").strip("[]").split()
    if lacking := [name for name in CONTROLLERS if name not in there]:
        yield NO_LIMITS.found(
            got=f"controllers: {', '.join(there) or 'none'}", missing=" and ".join(lacking)
        )


def _runtime(facts: Facts, engine: str, info: dict[str, str]) -> Iterator[Finding]:
    words = [info.get("says", ""), *facts.all(f"{engine}.parts")]
    told = next((w.split() for w in words if w.startswith(("runc", "crun"))), None)
    if told is None:
        yield UNCHECKED.found(got=info.get("runtime", "nothing"), engine=engine)
        return
    name, number = told[0], told[-1]
    if name == "runc" and not _is_fixed(version(number)):
        yield OLD_RUNC.found(got=f"runc {number}")
    else:
        yield ok("engine.runtime", f"{name} {number}")


def _is_fixed(found: tuple[int, ...]) -> bool:
    series = next((fixed for fixed in RUNC_FIXED if fixed[:2] == found[:2]), RUNC_FIXED[-1])
    return found >= series
