"""Which release is live on a host: one file, read by HAProxy, the start script, the watcher and us.

One file and one rename: whatever is killed, and whenever, all of them come back with one answer.
"""

from dataclasses import dataclass

from infra.commands.containers import RELEASE_LABEL, SLOT_LABEL
from infra.commands.replica import ROLE
from infra.host import SLOTS
from infra.provider.machine import Machine

_HEAD = "# The release that has the traffic. Written by `pulumi up`."
NOBODY = "none"
"""What stands for the slot while no release is live."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """The release that has the traffic on a host.

    Attributes:
        since: when it was promoted, ISO 8601 UTC.
    """

    release: str
    slot: str
    replicas: int
    since: str
    image: str


def text(live: Live | None) -> str:
    """The file: HAProxy's map has the line `live`, and skips the notes as comments."""
    if live is None:
        return f"{_HEAD}\nlive {NOBODY}\n"
    return (
        f"{_HEAD}\n# release {live.release}\n# replicas {live.replicas}\n"
        f"# since {live.since}\n# image {live.image}\nlive {live.slot}\n"
    )


def parse(content: str) -> Live | None:
    """What the file says; None where no release is live, or where it is damaged."""
    words = {}
    for line in content.splitlines():
        key, _, value = line.removeprefix("# ").partition(" ")
        words[key] = value.strip()
    replicas = words.get("replicas", "")
    if words.get("live") not in SLOTS or not replicas.isdigit():
        return None
    try:
        return Live(
            release=words["release"],
            slot=words["live"],
            replicas=int(replicas),
            since=words["since"],
            image=words["image"],
        )
    except KeyError:
        return None


def read(machine: Machine) -> Live | None:
    """The host's record of what is live; None before the first promotion, or when it is damaged."""
    content = machine.read(machine.paths.live_map)
    return None if content is None else parse(content)


def write(machine: Machine, live: Live | None) -> None:
    """Makes `live` what a restart comes back with; None: users get 503."""
    machine.write(machine.paths.live_map, text(live))


def mend(machine: Machine) -> None:
    """Writes a record that was lost or damaged anew, from what serves users now."""
    if read(machine) is None and (found := serving(machine)) is not None:
        write(machine, found)


def serving(machine: Machine) -> Live | None:
    """The release that the running edge sends users to, told by its containers' labels."""
    there = [c for c in machine.containers() if c.is_running]
    if machine.edge_name not in {c.name for c in there}:
        return None
    slot = machine.edge_live()
    mine = [c for c in there if c.role == ROLE and c.labels.get(SLOT_LABEL) == slot]
    releases = {c.labels.get(RELEASE_LABEL, "") for c in mine}
    if slot is None or len(releases) != 1:
        return None
    return Live(
        release=releases.pop(),
        slot=slot,
        replicas=len(mine),
        since=min(c.started_at for c in mine),
        image=mine[0].image,
    )
