"""The Pulumi program: reads the stack's configuration and declares it. `pulumi up` runs this."""

from datetime import UTC, datetime
from pathlib import Path

import pulumi

from infra import hours, served, stack
from infra.images import manifest
from infra.resources.muster import muster
from infra.targets import local

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Declares the selected stack, or ends with one line per fault."""
    settings = pulumi.Config("bentofleet")
    try:
        name = pulumi.get_stack()
        wanted, secrets = stack.read(name, settings)
        now, is_preview = datetime.now(UTC), pulumi.runtime.is_dry_run()
        if held := hours.hold(wanted.rollout.hours, now, is_preview=is_preview):
            pulumi.log.warn(held)
        hosts, versions = local.hosts(name, wanted), stack.model_versions(ROOT, wanted)
        images = manifest.load_fresh(ROOT, {"edge", *(host.accelerator for host in hosts)})
        muster(hosts, wanted.edge, is_override=hours.refusal(wanted.rollout.hours, now) is not None)
        every = local.all_hosts(name, wanted)
        to = served.choose(wanted, every, images, versions)
        release = stack.declare(name, wanted, every, images, to, secrets)
    except ValueError as e:
        raise pulumi.RunError(str(e)) from None
    pulumi.export("url", (urls := stack.urls(hosts, wanted.edge))[0])
    pulumi.export("urls", urls)
    pulumi.export("release", release.release)
    pulumi.export("live_since", release.live_since)
    pulumi.export("verdict", release.verdict)


main()
