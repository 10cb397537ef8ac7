"""Which release is live on a host: one file, read by HAProxy, the start script, the watcher and us.

One file and one rename: whatever is killed, and whenever, all of them come back with one answer.
"""

from dataclasses import asdict, dataclass

from infra.commands import edge
from infra.commands.containers import RELEASE_LABEL, SLOT_LABEL
from infra.commands.replica import ROLE
from infra.host import SLOTS
from infra.provider.machine import Machine

_HEAD = "# The release that has the traffic. Written by `pulumi up`."
_NOTES = "# release {release}\n# replicas {replicas}\n# since {since}\n# image {image}\n"


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
    """The file: HAProxy's map, which skips the notes as comments.

    A restart comes back with this, so no candidate stands in it: neither its release, nor a share.
    """
    notes = "" if live is None else _NOTES.format(**asdict(live))
    keys = {
        edge.LIVE: live.slot if live else edge.NOBODY,
        edge.CANARY: "0",
        **{edge.release_key(slot): edge.NOBODY for slot in SLOTS},
        **({edge.release_key(live.slot): live.release} if live else {}),
    }
    return f"{_HEAD}\n{notes}" + "".join(f"{key} {value}\n" for key, value in keys.items())


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
    """Writes a record anew that was lost or damaged, from what serves users now, or an older one.

    An edge with our configuration needs every key of the map, and an older record lacks some.
    """
    content = machine.read(machine.paths.live_map)
    found = (None if content is None else parse(content)) or serving(machine)
    if content != text(found):
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
