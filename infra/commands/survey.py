"""What preparing a host must know of it: one script that tells all of it, and how to read it."""

from dataclasses import dataclass

from infra.commands.clock import TIME_SERVICES
from infra.commands.groups import NAMES as GROUPS

PROGRAMS = ("podman", "docker", "apt-get", "newuidmap", "slirp4netns", "pasta", "timedatectl")

_SCRIPT = """\
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
tell() { printf '%s\\n' "$*"; }
[ ! -r /etc/os-release ] || . /etc/os-release
user=$(id -un)
tell system "${ID:-}"
tell version "${VERSION_ID:-}"
tell title "${PRETTY_NAME:-}"
tell user "$user"
for name in @programs; do
    ! command -v "$name" >/dev/null 2>&1 || tell program "$name"
done
for name in @groups; do
    ! getent group "$name" >/dev/null 2>&1 || tell group "$name"
done
for kind in subuid subgid; do
    ! grep -q -e "^$user:" -e "^$(id -u):" "/etc/$kind" 2>/dev/null || tell ids "$kind"
done
if [ -d /run/systemd/system ]; then
    tell init systemd
    [ ! -e "/var/lib/systemd/linger/$user" ] || tell linger yes
    ! systemd-detect-virt --quiet --container 2>/dev/null || tell time host
    [ "$(timedatectl show --property NTPSynchronized --value 2>/dev/null)" != yes ] || tell time yes
    [ "$(timedatectl show --property CanNTP --value 2>/dev/null)" != yes ] || tell ntp yes
    for name in @services; do
        ! systemctl is-active --quiet "$name" 2>/dev/null || tell time "$name"
    done
fi
"""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A host before it is prepared.

    Attributes:
        system, version, title: ID, VERSION_ID and PRETTY_NAME of os-release, where it has them.
        user: who commands run as.
        programs: which of `PROGRAMS` are on PATH.
        groups: which of `infra.commands.groups.NAMES` exist.
        id_maps: `subuid` and `subgid` where the user has ids for containers.
        lingers: whether the user's services run without a login.
        time_keepers: what keeps the clock right; empty when nothing does.
        has_time_service: whether one is installed, running or not.
    """

    system: str
    version: str
    title: str
    user: str
    programs: frozenset[str]
    groups: frozenset[str]
    id_maps: frozenset[str]
    has_systemd: bool
    lingers: bool
    time_keepers: tuple[str, ...]
    has_time_service: bool


def ask() -> list[str]:
    """Prints the facts, a line each."""
    script = _SCRIPT
    for word, names in (("@programs", PROGRAMS), ("@groups", GROUPS), ("@services", TIME_SERVICES)):
        script = script.replace(word, " ".join(names))
    return ["sh", "-c", script]


def parse(text: str) -> Facts:
    """Reads what `ask` printed; what a host could not tell is empty."""
    told: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        told.setdefault(key, []).append(value.strip())

    def one(key: str) -> str:
        return told.get(key, [""])[0]

    return Facts(
        system=one("system"),
        version=one("version"),
        title=one("title"),
        user=one("user"),
        programs=frozenset(told.get("program", [])),
        groups=frozenset(told.get("group", [])),
        id_maps=frozenset(told.get("ids", [])),
        has_systemd=one("init") == "systemd",
        lingers=one("linger") == "yes",
        time_keepers=tuple(told.get("time", [])),
        has_time_service=one("ntp") == "yes",
    )
