"""`make logs`: what the containers of a stack printed, each line with its container's name."""

import argparse
import sys
from collections.abc import Sequence

from infra import stack_file
from infra.commands import containers
from infra.config import ConfigError
from infra.connection import HostError
from infra.host import Host
from infra.provider.each import on_each
from infra.provider.machine import open_machine


def main() -> int:
    """Prints the lines; exit 1 when a host cannot be asked."""
    parser = argparse.ArgumentParser(prog="python -m infra.logs", description=__doc__)
    parser.add_argument("--stack", default="demo")
    parser.add_argument("--host", help="only this host, also when it is out")
    parser.add_argument("--since", help="a time, or a span such as 10m")
    parser.add_argument("--lines", type=int, default=200, help="most lines per container")
    args = parser.parse_args()
    try:
        chosen = _chosen(args.stack, args.host)
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    several = len(chosen) > 1
    told = on_each(lambda host: _lines(host, args.since, args.lines), chosen)
    for host, lines in zip(chosen, told, strict=True):
        if isinstance(lines, HostError):
            sys.stderr.write(f"{lines}\n")  # and the others' lines are there all the same
            continue
        for line in lines:
            sys.stdout.write(f"{host.name}: {line}\n" if several else f"{line}\n")
    return 1 if any(isinstance(lines, HostError) for lines in told) else 0


def _chosen(stack: str, name: str | None) -> Sequence[Host]:
    _, every = stack_file.all_hosts(stack)
    if name is None:
        return stack_file.taking_part(every)
    chosen = [host for host in every if host.name == name]
    if not chosen:
        known = ", ".join(host.name for host in every)
        msg = f"--host: no such host (got {name}). Use one of: {known}."
        raise ConfigError([msg])
    return chosen


def _lines(host: Host, since: str | None, most: int) -> list[str] | HostError:
    try:
        machine = open_machine(host)
        lines = []
        for container in machine.containers():
            argv = containers.logs(machine.engine, container.name, since, most)
            done = machine.connection.run(argv)
            lines += [f"{container.name} {line}" for line in (done.out + done.err).splitlines()]
    except HostError as e:
        return e
    return lines


if __name__ == "__main__":
    sys.exit(main())
