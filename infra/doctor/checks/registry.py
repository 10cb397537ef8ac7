"""Whether a host reaches the registry that its images come from."""

from collections.abc import Iterator

from infra.doctor.facts import Facts
from infra.doctor.kinds import Finding, Kind, ok
from infra.doctor.wanted import Wanted

NO_CURL = "there is no curl"

NOT_REACHED = Kind(
    "warning",
    "registry.not-reached",
    "the host does not reach {registry} by HTTPS",
    "Let it out to that name and port, or give its engine the proxy or the certificate that it "
    "needs; without `images.registry` images come over SSH.",
)
UNCHECKED = Kind(
    "unchecked",
    "registry.unchecked",
    "whether the host reaches {registry} could not be found out",
    "`sudo apt install curl` there, or look whether the engine can pull from it.",
)


def check(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Findings about the registry, where the stack has one."""
    if not wanted.registry:
        return
    status, why = facts.one("registry"), facts.why_unknown("registry")
    if status is not None:
        yield ok("registry.reached", f"{wanted.registry} answers {status}")
    elif why == NO_CURL or "registry" not in facts.unknown:
        yield UNCHECKED.found(got=why, registry=wanted.registry)
    else:
        yield NOT_REACHED.found(got=why, registry=wanted.registry)
