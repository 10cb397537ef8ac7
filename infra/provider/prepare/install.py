"""Packages that a host lacks: found out, installed from its archive, and taken back."""

from collections.abc import Sequence

from infra.commands import files, groups, packages
from infra.complaints import last_line
from infra.connection import HostError
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.prepare import made
from infra.provider.prepare.host import Found
from infra.provider.prepare.made import Made
from infra.provider.resource import Refused

APT = "apt-get"
ENGINE_PACKAGES = {"podman": "podman", "docker.io": "docker"}
STORES = {
    "podman": ("/etc/containers", "/var/lib/containers"),
    "docker": ("/etc/docker", "/var/lib/containerd", "/var/lib/docker"),
}
"""What an engine makes beside the files of its package."""

SHARED = (
    *("/etc/cni", "/etc/cni/net.d"),
    *("/opt/containerd", "/opt/containerd/bin", "/opt/containerd/lib"),
)
"""Folders that engines make for more programs than themselves: they go when they are empty."""

LOCK = "/etc/cni/net.d/cni.lock"
"""Podman's file in there."""

LAST_WORDS = 300


def missing(found: Found) -> tuple[str, ...]:
    """Packages that bring the host an engine; empty where it has one.

    Raises:
        Refused: it has none, and none can be installed; with the cure.
    """
    if found.has_engine:
        return ()
    facts, asked = found.facts, found.asked_engine
    offer = packages.offer(facts.system, facts.version)
    lack = f"{found.host.name}: no container engine (looked for {asked or 'podman and docker'})"
    if offer is None or APT not in facts.programs:
        msg = (
            f"{lack}, and none can be installed on this system (got "
            f"{facts.title or 'no os-release'}). Install Docker or Podman there."
        )
        raise Refused(msg)
    if found.is_rootless:
        by_hand = packages.by_hand(offer.of(asked or "podman", rootless=True))
        msg = (
            f"{lack}, and the user {facts.user} may not install one. Run there: {by_hand}; "
            "or set `sudo: true`."
        )
        raise Refused(msg)
    return offer.of(asked or offer.auto, rootless=False)


def install(found: Found, wanted: Sequence[str], console: Console) -> None:
    """Installs packages; what comes with them is written down first.

    Raises:
        Refused: apt cannot get or install them; with its last words.
    """
    bare = found.bare
    console.say(f"{found.host.name}: installing {', '.join(wanted)}")
    updated = bare.connection.run(packages.update(), timeout_s=packages.UPDATE_TIMEOUT_S)
    plan = bare.connection.run(packages.plan_install(wanted))
    if plan.status != 0:
        raise Refused(_why_not(found, wanted, updated.err if updated.status else plan.err))
    made.note(bare, _to_be_made(found, wanted, packages.parse_new(plan.out)))
    done = bare.connection.run(packages.install(wanted), timeout_s=packages.INSTALL_TIMEOUT_S)
    if done.status != 0:
        raise Refused(_why_not(found, wanted, done.err))


def _to_be_made(found: Found, wanted: Sequence[str], new: Sequence[str]) -> Made:
    engines = [ENGINE_PACKAGES[name] for name in wanted if name in ENGINE_PACKAGES]
    folders = [f for engine in engines for f in (*STORES[engine], *SHARED)]
    is_new = groups.DOCKER in engines and groups.DOCKER not in found.facts.groups
    return Made(
        packages=tuple(new),
        groups=(groups.DOCKER,) if is_new else (),
        folders=absent(found.bare, folders),
    )


def absent(machine: Machine, folders: Sequence[str]) -> tuple[str, ...]:
    """Which folders are not there."""
    there = files.parse_modes(machine.run(files.modes(folders)))
    return tuple(folder for folder in folders if folder not in there)


def _why_not(found: Found, wanted: Sequence[str], complaint: str) -> str:
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("E:")), lines[-1] if lines else "")
    return (
        f"{found.host.name}: apt cannot install {', '.join(wanted)} "
        f"({told[:LAST_WORDS] or 'no message'}). Correct its sources or its proxy below /etc/apt "
        "there, or install these packages by other means."
    )


def take_back(machine: Machine, ours: Made, console: Console, is_fresh: bool) -> None:
    """Removes packages, groups and folders that were made, as far as nobody else needs them.

    Args:
        is_fresh: they were made just now, so nobody can use them yet.

    Raises:
        HostError: apt fails.
    """
    kept = _who_needs(machine, ours) if ours.packages and not is_fresh else None
    if kept:
        console.warn(
            f"{machine.host.name}: what was installed for this stack stays, because {kept} "
            f"(got {' '.join(ours.packages)}). Remove it by hand when you can."
        )
        return
    _purge(machine, ours.packages, console)
    gone = [engine for engine in STORES if not machine.connection.has(engine)]
    stores = {folder for engine in gone for folder in STORES[engine]} & {*ours.folders}
    lock = {LOCK} if len(gone) == len(STORES) and {*SHARED} & {*ours.folders} else set()
    for path in sorted(stores | lock):
        machine.run(packages.remove_store(path))
    for name in ours.groups:
        if name != groups.DOCKER or groups.DOCKER in gone:
            machine.run(groups.remove(name))


def _purge(machine: Machine, ours: Sequence[str], console: Console) -> None:
    if not ours:
        return
    name = machine.host.name
    machine.run(packages.settle(), timeout_s=packages.INSTALL_TIMEOUT_S)
    going = machine.run(packages.installed(ours)).split()
    if _strangers(machine, going):
        # some of ours are needed by now: apt knows which are not
        unneeded = packages.parse_gone(machine.run(packages.plan_unneeded(going)))
        going = [package for package in going if package in unneeded]
    if strangers := _strangers(machine, going):
        console.warn(
            f"{name}: what was installed for this stack stays, because other packages would go "
            f"with it (got {', '.join(strangers)}). Remove it by hand when you can."
        )
        return
    if not going:
        return
    console.say(f"{name}: removing {', '.join(going)}")
    done = machine.connection.run(packages.purge(going), timeout_s=packages.INSTALL_TIMEOUT_S)
    if done.status != 0:
        msg = (
            f"{name}: apt cannot remove {', '.join(going)} ({last_line(done.err)}). Mend that "
            "there, mostly with `sudo apt-get -f install`, then run `make destroy` again."
        )
        raise HostError(msg)


def _strangers(machine: Machine, going: Sequence[str]) -> list[str]:
    """Packages that are not ours and would go, or come in the place of ours."""
    if not going:
        return []
    plan = machine.run(packages.plan_purge(going))
    changed = {*packages.parse_gone(plan), *packages.parse_new(plan)}
    return sorted(changed - set(going))


def _who_needs(machine: Machine, ours: Made) -> str | None:
    """Who else uses an engine that was installed by us, in words; None where nobody does."""
    for package, engine in ENGINE_PACKAGES.items():
        if package in ours.packages and machine.connection.has(engine):
            for what, argv in packages.everything(engine).items():
                done = machine.connection.run(argv)
                if done.status != 0:
                    return f"{engine} does not tell what others keep in it"
                if ids := done.out.split():
                    return f"{engine} has {what} of others ({len(ids)})"
    if "podman" in ours.packages and machine.connection.run(packages.is_any_running()).status == 0:
        return "another user runs containers"
    return None
