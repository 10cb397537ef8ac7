"""Which releases a host keeps: a record of each promotion, and the images of the last few."""

import json
from datetime import UTC, datetime

from infra.commands import containers, images
from infra.complaints import last_line
from infra.connection import HostError
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from infra.provider.record import Record

EDGE = "edge"
"""The edge's role, and its image's name in a stack's repositories."""


def remember(machine: Machine, plan: Plan, record: Record) -> None:
    """Writes down that the release was promoted here: when, by whom, with which verdict."""
    entry = {
        "release": plan.release,
        "image": plan.image_of(machine.host),
        "bento": plan.bento,
        "models": plan.models,
        "env": plan.env,
        "memory_mib": plan.memory_mib,
        "promoted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "operator": machine.connection.operator(),
        "verdict": record.outcome,
        "attempt": record.attempt,
    }
    path = machine.paths.releases / f"{plan.release}.json"
    machine.write(path, json.dumps(entry, indent=1) + "\n")


def promoted(machine: Machine) -> list[dict[str, object]]:
    """The releases promoted on this host, the latest first; damaged records are left out."""
    entries = []
    for name in machine.names_in(machine.paths.releases):
        text = machine.read(machine.paths.releases / name)
        try:
            entry = json.loads(text or "")
        except ValueError:
            continue
        if isinstance(entry, dict) and {"release", "image", "promoted_at"} <= entry.keys():
            entries.append(entry)
    return sorted(entries, key=lambda e: str(e["promoted_at"]), reverse=True)


def prune(machine: Machine, live_image: str, keep: int) -> None:
    """Removes images and records beyond the last `keep` releases; never an image in use.

    Old images of the edge go too: only the one that its container was started from is needed.
    """
    entries = promoted(machine)
    kept = {str(e["image"]) for e in entries[:keep]} | {live_image}
    there = machine.containers()
    in_use = {c.image_id for c in there}
    repository = live_image.rpartition(":")[0]
    _remove_others(machine, repository, kept, in_use)
    if any(c.role == EDGE for c in there):
        edges = f"{repository.rpartition('/')[0]}/{EDGE}"
        _remove_others(machine, edges, set(), in_use)
    for entry in entries[keep:]:
        machine.remove(machine.paths.releases / f"{entry['release']}.json")


def _remove_others(machine: Machine, repository: str, kept: set[str], in_use: set[str]) -> None:
    for tag in machine.image_tags(repository):
        if tag in kept or machine.image_id(tag) in in_use:
            continue
        done = machine.connection.run(containers.remove_tag(machine.engine, tag))
        # a container that is none of the stack's may hold it: it goes with a later release
        if done.status != 0 and not images.is_in_use(done.err):
            msg = (
                f"{machine.host.name}: cannot remove the old image {tag} "
                f"({last_line(done.err)}). Look whether the container engine is well."
            )
            raise HostError(msg)
