"""Packages that bring a container engine or a time service: which, and apt's command lines.

Known are Debian 12 and 13 and Ubuntu 22.04 and 24.04. Where another system has an engine that
answers, nothing is installed and nothing need be known.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

TIME = ("systemd-timesyncd",)

UPDATE_TIMEOUT_S = 300.0
INSTALL_TIMEOUT_S = 1200.0
_UPDATE_LIMIT_S = 240
_LOCK_WAIT_S = 300
"""apt waits so long for another apt, such as the unattended upgrade right after a boot."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a system's archive has.

    Attributes:
        auto: the engine that is installed where none is asked for by name.
        podman, docker: packages of each. Recommended ones are left out by us, so those without
            which no container gets a network are named.
        rootless: what Podman needs besides for a user other than root.
    """

    auto: str
    podman: tuple[str, ...]
    docker: tuple[str, ...]
    rootless: tuple[str, ...]

    def of(self, engine: str, *, rootless: bool) -> tuple[str, ...]:
        """The packages of an engine."""
        if engine == "docker":
            return self.docker
        return (*self.podman, *self.rootless) if rootless else self.podman


OFFERS = {
    ("debian", "12"): Offer(
        auto="podman",
        # crun: this release's runc (1.1.5) lacks the fixes of 2025
        podman=("podman", "crun", "netavark", "aardvark-dns", "iptables", "ca-certificates"),
        docker=("docker.io", "ca-certificates"),
        rootless=("uidmap", "slirp4netns", "fuse-overlayfs", "dbus-user-session"),
    ),
    ("debian", "13"): Offer(
        auto="podman",
        # netavark calls nft from 1.14 on
        podman=("podman", "crun", "netavark", "aardvark-dns", "nftables", "ca-certificates"),
        docker=("docker.io", "docker-cli", "iptables", "ca-certificates"),
        rootless=("uidmap", "passt", "dbus-user-session"),
    ),
    ("ubuntu", "22.04"): Offer(
        # its Podman is 3.4, older than any that this is tested with
        auto="docker",
        podman=("podman", "runc", "containernetworking-plugins", "iptables", "ca-certificates"),
        docker=("docker.io", "ca-certificates"),
        rootless=("uidmap", "slirp4netns", "fuse-overlayfs", "dbus-user-session"),
    ),
    ("ubuntu", "24.04"): Offer(
        auto="podman",
        podman=("podman", "crun", "netavark", "aardvark-dns", "iptables", "ca-certificates"),
        docker=("docker.io", "ca-certificates"),
        rootless=("uidmap", "slirp4netns", "dbus-user-session"),
    ),
}


def offer(system: str, version: str) -> Offer | None:
    """What the archive of a system has; None where it is not known here."""
    return OFFERS.get((system, version))


def by_hand(packages: Iterable[str]) -> str:
    """The command that a person types for the same."""
    return f"sudo apt-get install -y {' '.join(packages)}"


def _apt(script: str, packages: Iterable[str] = ()) -> list[str]:
    """A script of apt's: asks nobody, answers in English, restarts no other service."""
    calm = (
        "export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 "
        'PATH="$PATH:/usr/sbin:/sbin"; '
    )
    return ["sh", "-c", calm + script, "sh", *packages]


_LOCK = f"-o DPkg::Lock::Timeout={_LOCK_WAIT_S}"


def update() -> list[str]:
    """Fetches the archive's lists, and ends what a cut-off installation left half done."""
    return _apt(
        f"dpkg --configure -a >&2; timeout {_UPDATE_LIMIT_S} apt-get update --error-on=any {_LOCK} "
        "-o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30"
    )


def settle() -> list[str]:
    """Ends what a cut-off installation left half done."""
    return _apt("dpkg --configure -a >&2; true")


def plan_install(packages: Iterable[str]) -> list[str]:
    """Prints what installing would do, and does nothing."""
    return _apt('apt-get install --simulate --no-install-recommends "$@"', packages)


def install(packages: Iterable[str]) -> list[str]:
    """Installs packages without those that they only recommend."""
    return _apt(f'apt-get install -y --no-install-recommends {_LOCK} "$@"', packages)


def parse_new(plan: str) -> list[str]:
    """Packages that `plan_install` would bring and that were not there in an older version.

    Source: apt-get(8): `Inst NAME (VERSION …)`, an upgrade being `Inst NAME [OLD] (VERSION …)`.
    """
    return re.findall(r"^Inst (\S+) \(", plan, re.MULTILINE)


def installed(packages: Iterable[str]) -> list[str]:
    """Prints those packages that are there, if only their settings or by half, one a line."""
    script = (
        "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' \"$@\" 2>/dev/null "
        "| sed -n -e '/ not-installed$/d' -e 's/ [a-z-]*$//p'"
    )
    return _apt(script, packages)


def plan_unneeded(packages: Iterable[str]) -> list[str]:
    """Prints which packages nothing on the host needs once these were not asked for by name.

    They are marked as apt marks what it brings along for others: what somebody installed since,
    and which needs one of them, keeps it. What only recommends one does not.
    """
    script = (
        'apt-mark auto "$@" >/dev/null; '
        "apt-get autoremove --simulate --purge -o APT::AutoRemove::RecommendsImportant=false "
        "-o APT::AutoRemove::SuggestsImportant=false"
    )
    return _apt(script, packages)


def plan_purge(packages: Iterable[str]) -> list[str]:
    """Prints what purging would take along, and does nothing."""
    return _apt('apt-get purge --simulate "$@"', packages)


def purge(packages: Iterable[str]) -> list[str]:
    """Removes packages with their settings."""
    return _apt(f'apt-get purge -y {_LOCK} "$@"', packages)


def parse_gone(plan: str) -> list[str]:
    """Packages that `plan_unneeded` or `plan_purge` would take away."""
    return re.findall(r"^(?:Purg|Remv) (\S+) ", plan, re.MULTILINE)


def everything(engine: str) -> dict[str, list[str]]:
    """What an engine can keep, whosever it is -> the command that prints an id for each."""
    return {
        "containers": [engine, "ps", "--all", "--quiet"],
        "images": [engine, "images", "--quiet", "--filter", "dangling=false"],
        "volumes": [engine, "volume", "ls", "--quiet"],
    }


def remove_store(path: str) -> list[str]:
    """Removes what an engine that is gone has kept; it leaves folders mounted onto themselves."""
    script = (
        'while read -r _ at _; do case "$at" in "$1" | "$1"/*) echo "$at" ;; esac; done '
        '</proc/mounts | sort -r | while read -r at; do umount "$at"; done; rm -rf -- "$1"'
    )
    return ["sh", "-c", script, "sh", path]


def is_any_running() -> list[str]:
    """Exit 0 while a container of any user runs under Podman, each of which has its `conmon`."""
    return ["sh", "-c", "grep -qsx conmon /proc/[0-9]*/comm"]
