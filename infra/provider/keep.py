"""Which releases a host keeps: a record of each promotion, and the images of the last few."""

import json
from datetime import UTC, datetime

from infra.commands import containers
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from infra.provider.record import Record


def remember(machine: Machine, plan: Plan, record: Record) -> None:
    """Writes down that the release was promoted here: when, by whom, with which verdict."""
    entry = {
        "release": plan.release,
        "image": plan.image,
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
    """Removes images and records beyond the last `keep` releases; never an image in use."""
    entries = promoted(machine)
    kept = {str(e["image"]) for e in entries[:keep]} | {live_image}
    in_use = {c.image_id for c in machine.containers()}
    for tag in machine.image_tags(live_image.rpartition(":")[0]):
        if tag not in kept and machine.image_id(tag) not in in_use:
            machine.run(containers.remove_tag(machine.engine, tag))
    for entry in entries[keep:]:
        machine.remove(machine.paths.releases / f"{entry['release']}.json")
