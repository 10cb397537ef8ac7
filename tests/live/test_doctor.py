"""The doctor on a bare machine of each named distribution, as root and as a user (`make soak`)."""

from collections.abc import Iterator

import pytest
from harness import box
from harness.box import DISTRIBUTIONS, Distribution, Inside

from infra import config
from infra.doctor import examine
from infra.doctor.kinds import Finding
from infra.host import Host

pytestmark = [pytest.mark.soak, pytest.mark.live]

SETTINGS = config.parse(
    {"kind": "local", "hosts": [{"name": "box", "address": "192.0.2.1", "user": "root"}]}
)


@pytest.fixture(params=DISTRIBUTIONS, ids=lambda d: d.name, scope="module")
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Distribution, str]]:
    distribution: Distribution = request.param
    try:
        box.make_image(distribution, tmp_path_factory.mktemp("box"))
    except box.NoImage as e:
        pytest.skip(f"{distribution.name} cannot be had here: {e}")
    with box.box(distribution) as name:
        yield distribution, name


def look(name: str, user: str) -> dict[str, Finding]:
    """Of the machine; it is reached without SSH, so nothing is found about that."""
    host = Host(
        name="box",
        address="192.0.2.1",
        connection="local",
        accelerator="vulkan",
        stack="demo",
        ports_from=47000,
        user=user,
    )
    (found,) = examine.all_hosts(SETTINGS, [host], lambda _: Inside(host, name, user))
    return {finding.code: finding for finding in found.findings}


def test_a_bare_machine_tells_all_and_lacks_only_what_up_brings_and_the_card(machine) -> None:
    distribution, name = machine
    found = look(name, "root")
    assert "host.cut-off" not in found
    assert distribution.version in found["system.distribution"].got
    assert "engine.not-yet" in found
    assert {code for code, f in found.items() if f.severity == "error"} == {"gpu.no-card"}


def test_a_user_without_rights_is_told_that_he_has_to_install_an_engine(machine) -> None:
    _, name = machine
    found = look(name, "nobody")
    assert "host.cut-off" not in found
    assert "engine.none" in found
    assert "kernel.log-unchecked" in found
