"""`make unpin`: the stack releases what was built again, and hosts refuse nothing any more."""

import argparse
import sys
from collections.abc import Sequence

from infra import pin, stack_file
from infra.config import ConfigError
from infra.connection import HostError
from infra.provider import audit, rolled_back
from infra.provider.answering import Answering, reached
from infra.provider.lock import Lock
from infra.provider.machine import Machine
from infra.provider.resource import Refused
from infra.terminal import Terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 1 with a line for each host that refuses still, and for a file that stayed as it is."""
    parser = argparse.ArgumentParser(prog="python -m infra.unpin", description=__doc__)
    parser.add_argument("--stack", default="demo")
    args = parser.parse_args(argv)
    console = Terminal()
    try:
        settings, hosts = stack_file.hosts(args.stack)
        changed = pin.write(args.stack, None)
        machines = reached(hosts, console)
        allowed = _clear(args.stack, settings.rollout.pin, machines, console)
    except (ConfigError, HostError, Refused, pin.CannotEdit) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    path = pin.shown_path(args.stack)
    console.say(f"{path}: nothing is pinned. `make up STACK={args.stack}` releases what was built.")
    if allowed:
        console.say(f"{args.stack}: may come again: {', '.join(sorted(allowed))}")
    if changed:
        console.say(f"Commit it: {pin.commit(args.stack, f'Unpin {args.stack}')}")
    if len(machines) == len(hosts):
        return 0
    left = sorted({host.name for host in hosts} - {m.host.name for m in machines})
    names = ", ".join(left)
    console.warn(f"{args.stack}: {names} may refuse still. Run `make unpin` again when it answers.")
    return 1


def _clear(
    stack: str, pinned: str | None, machines: Sequence[Machine], console: Terminal
) -> set[str]:
    """Has every host refuse nothing; what was refused."""
    if not machines:
        return set()
    found: set[str] = set()
    there = Answering(lambda error: console.warn(str(error)))
    with Lock(machines), audit.Audit(stack, machines, console) as log:
        there.on(machines, lambda machine: found.update(rolled_back.clear(machine)))
        log.note(audit.UNPIN, release=pinned, allowed=sorted(found))
    return found


if __name__ == "__main__":
    sys.exit(main())
