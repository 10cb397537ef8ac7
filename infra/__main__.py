"""The Pulumi program: reads the stack's configuration and declares it. `pulumi up` runs this."""

from pathlib import Path

import pulumi

from infra import addresses, stack
from infra.images import manifest
from infra.targets import local

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Declares the selected stack, or ends with one line per fault."""
    settings = pulumi.Config("bentofleet")
    try:
        name = pulumi.get_stack()
        wanted, secrets = stack.read(name, settings)
        images = manifest.load_fresh(ROOT)
        hosts, versions = local.hosts(name, wanted), stack.model_versions(ROOT, wanted)
        release = stack.declare(name, wanted, hosts, images, versions, secrets)
    except ValueError as e:
        raise pulumi.RunError(str(e)) from None
    pulumi.export("url", addresses.url(wanted.hosts[0].address, wanted.edge.port))
    pulumi.export("release", release.release)
    pulumi.export("live_since", release.live_since)
    pulumi.export("verdict", release.verdict)


main()
