"""Which release is live on a whole stack, told from the records of its hosts. Pure."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from infra.provider.live import Live


def of(records: Mapping[str, Live | None], entries: Collection[str]) -> Live | None:
    """What the stack's users get.

    The entries' records say it: among them the one that was written last, so that an entry which
    missed promotions, or which could not be put back, does not count. Where no entry has one, as
    with a single entry that was set up anew, the other hosts' is taken if all of them agree.

    Args:
        records: of each host, by its name.
        entries: names of the hosts that take the users' traffic.

    Returns:
        The record of one host; None where nothing is live.
    """
    told = [record for name, record in records.items() if record and name in entries]
    if told:
        return max(told, key=lambda record: _moment(record.since))
    others = [record for name, record in records.items() if name not in entries]
    first = next(iter(others), None)
    return first if all(is_level(record, first) for record in others) else None


def is_level(record: Live | None, stack: Live | None) -> bool:
    """Whether a host has what is live on the stack, in the stack's slot."""
    if record is None or stack is None:
        return False
    return (record.release, record.slot) == (stack.release, stack.slot)


def _moment(text: str) -> datetime:
    """A time as records hold it; what cannot be read is older than all."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
