"""`make promote`: another stack may get what a stack serves, the same image and nothing else."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra import served, stack_file
from infra.config import ConfigError, Stack
from infra.connection import HostError
from infra.host import Host
from infra.images import manifest
from infra.provider import keep, live
from infra.provider.machine import open_machine

ROOT = Path(__file__).resolve().parents[1]


class NotTheSame(Exception):
    """The other stack cannot be given what is served: one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0 where `make up` of the other stack would release what the first one serves."""
    parser = argparse.ArgumentParser(prog="python -m infra.promote", description=__doc__)
    parser.add_argument("--from", dest="source", required=True, metavar="STACK")
    parser.add_argument("--stack", required=True)
    args = parser.parse_args(argv)
    try:
        _, sources = stack_file.hosts(args.source)
        settings, hosts = stack_file.all_hosts(args.stack)
        release = _served(args.source, sources)
        _refuse_pinned(settings, args.stack)
        refuse_other(release, args.source, args.stack, _planned(settings, hosts))
    except (ConfigError, HostError, NotTheSame, ValueError) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    sys.stdout.write(f"{args.stack}: gets release {release}, which {args.source} serves\n")
    return 0


def _served(stack: str, hosts: Sequence[Host]) -> str:
    """The release that a stack's first entry serves, once it has passed there."""
    machine = open_machine(next((host for host in hosts if host.entry), hosts[0]))
    now = live.read(machine)
    if now is None:
        msg = f"{stack}: no release is live. Run make up STACK={stack}."
        raise NotTheSame(msg)
    record = next((e for e in keep.promoted(machine) if e["release"] == now.release), None)
    verdict = (record or {}).get("verdict")
    if verdict != "pass":
        msg = (
            f"{stack}: release {now.release} has not passed there (got {verdict or 'no record'}). "
            f"Run make up STACK={stack}."
        )
        raise NotTheSame(msg)
    return now.release


def _planned(settings: Stack, hosts: Sequence[Host]) -> str:
    """The release that `pulumi up` would make, from what was built and the stack's settings."""
    wanted = {host.accelerator for host in hosts if not host.out}
    images = manifest.load_fresh(ROOT, wanted)
    return served.built(settings, hosts, images, {}).release


def _refuse_pinned(settings: Stack, stack: str) -> None:
    """A stack whose file pins a release would get that one, whatever was built."""
    if settings.rollout.pin is not None:
        msg = (
            f"{stack}: pins release {settings.rollout.pin}, so it gets no other. "
            f"Run make unpin STACK={stack} first."
        )
        raise NotTheSame(msg)


def refuse_other(release: str, source: str, stack: str, planned: str) -> None:
    """Ends where the two are not the same.

    Raises:
        NotTheSame: they are not.
    """
    if release != planned:
        msg = (
            f"{stack}: would release {planned}, and {source} serves {release}. Give both the same "
            "`service` section and kinds of accelerator, and take the images that were released "
            "there: its commit, and make unbundle FILE=…."
        )
        raise NotTheSame(msg)


if __name__ == "__main__":
    sys.exit(main())
