"""`make status`: what is live on each host of a stack, how it is, and since when."""

import argparse
import sys
from functools import partial

from infra import stack_file
from infra.config import ConfigError
from infra.config_edge import Floating
from infra.connection import HostError
from infra.host import Host
from infra.provider import floating, live, traffic
from infra.provider.each import on_each
from infra.provider.machine import Machine, open_machine
from infra.provider.replicas import not_of, of_role


def main() -> int:
    """Prints the stack's state; exit 1 when a host is silent or something is not as it should."""
    parser = argparse.ArgumentParser(prog="python -m infra.status", description=__doc__)
    parser.add_argument("--stack", default="demo")
    args = parser.parse_args()
    try:
        settings, hosts = stack_file.all_hosts(args.stack)
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    told = on_each(partial(_told, address=settings.edge.floating), hosts)
    for lines, _ in told:
        sys.stdout.write("\n".join(lines) + "\n")
    return 0 if all(is_well for _, is_well in told) else 1


def _told(host: Host, address: Floating | None) -> tuple[list[str], bool]:
    """What there is to say of a host, and whether it is as it should be."""
    if host.out:
        return [f"{host.name}: out; nobody looked"], True
    try:
        machine = open_machine(host)
        lines, is_well = _lines(machine)
        if address is not None and host.entry and floating.is_held(machine, address.ip):
            lines.append(f"  the floating address {address.ip} is here")
    except HostError as e:
        return [str(e)], False
    return lines, is_well


def _lines(machine: Machine) -> tuple[list[str], bool]:
    name, there = machine.host.name, machine.containers()
    running = {c.name for c in there if c.is_running}
    now = live.read(machine)
    if machine.edge_name not in running:
        return [f"{name}: the edge is not running. Run `make up`."], False
    if now is None:
        return [f"{name}: no release is live. Run `make up`."], False
    weight = 1 - traffic.canary(machine) if machine.edge_live() == now.slot else 0
    lines = [f"{name}: release {now.release}, weight {100 * weight:.4g} %, live since {now.since}"]
    servers = {(s.slot, s.number): s for s in machine.edge_servers() if s.group == "slot"}
    is_well = weight == 1
    mine = [c for c in of_role(there) if not not_of(now)(c)]
    for container in sorted(mine, key=lambda c: c.name):
        number = int(container.labels["bentofleet.number"])
        server = servers.get((now.slot, number))
        health = server.status if server else "unknown to the edge"
        is_well = is_well and server is not None and server.is_up
        lines.append(
            f"  {container.name}: {container.status}, edge says {health}, "
            f"since {container.started_at[:19]}, restarts {container.restarts}"
        )
    if len(mine) < now.replicas:
        is_well = False
        lines.append(f"  {now.replicas - len(mine)} of {now.replicas} replicas are missing")
    for other in of_role(there):
        if not_of(now)(other):
            is_well = False
            lines.append(f"  {other.name}: {other.status}, no part of the live release")
    return lines, is_well


if __name__ == "__main__":
    sys.exit(main())
