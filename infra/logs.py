"""`make logs`: what the containers of a stack printed, each line with its container's name."""

import argparse
import sys

from infra import stack_file
from infra.commands import containers
from infra.config import ConfigError
from infra.connection import HostError
from infra.host import Host
from infra.provider.machine import open_machine


def main() -> int:
    """Prints the lines; exit 1 when a host cannot be asked."""
    parser = argparse.ArgumentParser(prog="python -m infra.logs", description=__doc__)
    parser.add_argument("--stack", default="demo")
    parser.add_argument("--host", help="only this host")
    parser.add_argument("--since", help="a time, or a span such as 10m")
    parser.add_argument("--lines", type=int, default=200, help="most lines per container")
    args = parser.parse_args()
    try:
        _, hosts = stack_file.hosts(args.stack)
        chosen = [h for h in hosts if args.host in (None, h.name)]
        if not chosen:
            known = ", ".join(h.name for h in hosts)
            msg = f"--host: no such host (got {args.host}). Use one of: {known}."
            raise ConfigError([msg])
        for host in chosen:
            _print(host, args.since, args.lines)
    except (ConfigError, HostError) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    return 0


def _print(host: Host, since: str | None, lines: int) -> None:
    machine = open_machine(host)
    for container in machine.containers():
        argv = containers.logs(machine.engine, container.name, since, lines)
        done = machine.connection.run(argv)
        for line in (done.out + done.err).splitlines():
            sys.stdout.write(f"{container.name} {line}\n")


if __name__ == "__main__":
    sys.exit(main())
