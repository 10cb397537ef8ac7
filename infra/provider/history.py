"""What the hosts of a stack keep of their releases: which are live, promoted when and by whom."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.provider import keep, live, rolled_back
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.rolled_back import RolledBack
from infra.provider.stored import Stored

LEAST_DIGITS = 4
"""So many digits of a release's id name it, where no other begins with them."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One release on one host.

    Attributes:
        entry: the record of its promotion (`keep`).
        refused: its way back, where the host refuses it.
        has_image: whether its image is there.
    """

    entry: Mapping[str, Any]
    is_live: bool
    refused: RolledBack | None
    has_image: bool

    @property
    def release(self) -> str:
        """The release's id."""
        return str(self.entry["release"])

    @property
    def stored(self) -> Stored | None:
        """Its settings; None where they do not suffice to start it."""
        return Stored.of(self.entry)

    @property
    def can_start(self) -> bool:
        """Whether the host has all that it takes."""
        return self.has_image and self.stored is not None


@dataclass(frozen=True, kw_only=True)
class History:
    """What one host keeps.

    Attributes:
        releases: the one that became live last is the first.
        refused: by release; some may be kept no more.
    """

    host: str
    live: Live | None
    releases: tuple[Kept, ...]
    refused: Mapping[str, RolledBack]

    def of(self, release: str) -> Kept | None:
        """One of its releases; None where it keeps it not."""
        return next((kept for kept in self.releases if kept.release == release), None)


def read(machine: Machine) -> History:
    """Asks a host."""
    now, refused = live.read(machine), rolled_back.read(machine)
    kept = (
        Kept(
            entry=entry,
            is_live=now is not None and now.release == entry["release"],
            refused=refused.get(str(entry["release"])),
            has_image=machine.image_id(str(entry["image"])) is not None,
        )
        for entry in keep.promoted(machine)
    )
    return History(host=machine.host.name, live=now, releases=tuple(kept), refused=refused)


def releases(histories: Sequence[History]) -> list[str]:
    """Every release that any of the hosts keeps, the one that became live last first."""
    last: dict[str, str] = {}
    for history in histories:
        for kept in history.releases:
            last[kept.release] = max(last.get(kept.release, ""), keep.became_live(kept.entry))
    return sorted(last, key=lambda release: last[release], reverse=True)


def before(histories: Sequence[History], now: Live | None, pin: str | None) -> str:
    """The release to go back to where nobody named one.

    That is the one before what is live. After a way back that was broken off before it was pinned,
    it is what is live already: going further back has to be asked for once more.

    Args:
        now: what is live on the stack.

    Raises:
        ValueError: none is kept that could be started.
    """
    if now is not None and now.release != pin and _is_return(histories, now.release):
        return now.release
    refused = _refused(histories)
    for release in releases(histories):
        is_other = now is None or release != now.release
        if is_other and release not in refused and _can_start(histories, release):
            return release
    known = ", ".join(releases(histories)) or "none"
    msg = (
        f"no earlier release is kept that can be started (got {known}). "
        "`make releases` lists them; `make up` releases what was built."
    )
    raise ValueError(msg)


def named(histories: Sequence[History], wanted: str) -> str:
    """The release that somebody named, perhaps by the first digits of its id.

    Raises:
        ValueError: there is none of that name, there are several, it is refused, or no host can
            start it.
    """
    known = releases(histories)
    found = [release for release in known if release.startswith(wanted)]
    shown = ", ".join(known) or "none"
    if len(found) != 1 or len(wanted) < LEAST_DIGITS:
        what = "no kept release is meant" if not found else "more than one may be meant"
        msg = f"TO: {what} (got {wanted}; kept: {shown}). Give one of them."
        raise ValueError(msg)
    (release,) = found
    if refusal := _refused(histories).get(release):
        msg = (
            f"TO: release {release} was itself rolled back {refusal.told()} and is refused. "
            "Choose another one, or run `make unpin` first."
        )
        raise ValueError(msg)
    if not _can_start(histories, release):
        msg = f"TO: no host has the image of release {release} any more. Choose another one."
        raise ValueError(msg)
    return release


def _is_return(histories: Sequence[History], release: str) -> bool:
    """Whether a host says that this release came in another's place by a way back."""
    return any(entry.to == release for h in histories for entry in h.refused.values())


def _refused(histories: Sequence[History]) -> dict[str, RolledBack]:
    return {name: entry for history in histories for name, entry in history.refused.items()}


def kept_by(histories: Sequence[History], release: str) -> Iterator[tuple[str, Kept]]:
    """Each host that can start a release, with what it keeps of it."""
    for history in histories:
        kept = history.of(release)
        if kept is not None and kept.can_start:
            yield history.host, kept


def _can_start(histories: Sequence[History], release: str) -> bool:
    return any(True for _ in kept_by(histories, release))
