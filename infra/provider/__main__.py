"""Starts the provider: Pulumi runs `pulumi-resource-bentofleet`, and that runs this."""

import signal
import sys

from infra.provider.edge import Edge
from infra.provider.image import Image
from infra.provider.prepare import Prepare
from infra.provider.release import Release
from infra.provider.server import serve

VERSION = "0.1.0"

RESOURCES = {
    "bentofleet:host:Prepare": Prepare(),
    "bentofleet:host:Image": Image(),
    "bentofleet:host:Edge": Edge(),
    "bentofleet:stack:Release": Release(),
}


def main() -> int:
    """Serves until the engine ends us; the engine's address is the first argument."""
    if len(sys.argv) < 2:
        sys.stderr.write(
            "pulumi-resource-bentofleet: started without an engine. Run `pulumi up` instead.\n"
        )
        return 2
    # Ctrl-C reaches us as the engine's `Cancel`; the terminal's own signal must not end us first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.argv[1], VERSION, RESOURCES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
