"""Has the provider ask the hosts what they keep of a release that the stack pins."""

from collections.abc import Sequence
from typing import Any

import pulumi

from infra.host import Host

TOKEN = "bentofleet:stack:stored"  # noqa: S105 - names a function, is no secret


def stored(hosts: Sequence[Host], release: str) -> dict[str, Any]:
    """What each host says, by its name (`infra.provider.stored.ask`); a preview asks too."""
    given = {"hosts": [host.to_inputs() for host in hosts], "release": release}
    told = pulumi.runtime.invoke(TOKEN, given).value
    return dict((told or {}).get("told") or {})
