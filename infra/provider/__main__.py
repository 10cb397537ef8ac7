"""Starts the provider: Pulumi runs `pulumi-resource-bentofleet`, and that runs this."""

import sys
from contextlib import suppress

from infra.provider.edge import Edge
from infra.provider.floating import Floating
from infra.provider.identity import Identity
from infra.provider.image import Image
from infra.provider.prepare import Prepare
from infra.provider.release import Release
from infra.provider.server import serve
from infra.provider.trust import Trust

VERSION = "0.1.0"

RESOURCES = {
    "bentofleet:host:Prepare": Prepare(),
    "bentofleet:host:Image": Image(),
    "bentofleet:host:Identity": Identity(),
    "bentofleet:host:Trust": Trust(),
    "bentofleet:host:Edge": Edge(),
    "bentofleet:host:Floating": Floating(),
    "bentofleet:stack:Release": Release(),
}


def main() -> int:
    """Serves until the engine ends us; the engine's address is the first argument."""
    if len(sys.argv) < 2:
        sys.stderr.write(
            "pulumi-resource-bentofleet: started without an engine. Run `pulumi up` instead.\n"
        )
        return 2
    # The engine ends us with SIGINT when it is done; Ctrl-C reaches us as its `Cancel` before that.
    with suppress(KeyboardInterrupt):
        serve(sys.argv[1], VERSION, RESOURCES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
