"""Has the provider ask all hosts, before the program declares anything on them."""

from collections.abc import Sequence

import pulumi

from infra.config_edge import Edge
from infra.host import Host
from infra.resources.prepare import wanted_at

TOKEN = "bentofleet:stack:muster"  # noqa: S105 - names a function, is no secret
FAULTS = "faults"


def muster(hosts: Sequence[Host], edge: Edge, *, is_override: bool = False) -> None:
    """Passes when every host can be worked on, or prepared where it is new; a preview asks none.

    Args:
        is_override: somebody changes the stack outside its hours, which the audit log tells.

    Raises:
        ValueError: with a line for each that cannot.
    """
    if pulumi.runtime.is_dry_run():
        return
    listens = {host.name: wanted_at(host, edge, len(hosts) > 1) for host in hosts}
    given = {
        "hosts": [host.to_inputs() for host in hosts],
        "listens": listens,
        "is_override": is_override,
    }
    told = pulumi.runtime.invoke(TOKEN, given).value
    if lines := (told or {}).get(FAULTS):
        raise ValueError("\n".join(lines))
