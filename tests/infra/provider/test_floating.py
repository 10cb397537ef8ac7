"""The floating address on one entry: its files are real, its engine is not."""

from pathlib import Path
from typing import Any

import pytest
from harness.console import KeptConsole
from harness.sites import Place, Site

from infra.connection import Done
from infra.provider import floating
from infra.provider.floating import CONFIG_PART, CONTAINER_PART, Floating
from infra.provider.replicas import of_role
from infra.provider.resource import AS_DECLARED, Plain, Refused

NAME = "bentofleet-demo-address"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path)
    monkeypatch.setattr(floating, "machine_of", lambda _: site)
    monkeypatch.setattr(floating, "STAYS_S", 0.0)
    monkeypatch.setattr(Place, "is_root", True)
    return site


def inputs(**changes: Any) -> Plain:
    return {
        "image": "localhost/bentofleet-demo/edge:1",
        "address": "192.0.2.10/24",
        "interface": "lo",
        "router_id": 51,
        "entries": [
            {"name": "here", "address": "192.0.2.11"},
            {"name": "there", "address": "192.0.2.12"},
        ],
        **changes,
    }


def create(**changes: Any) -> Plain:
    return Floating().create(inputs(**changes), KeptConsole())


def look(**changes: Any) -> dict[str, str]:
    return dict(Floating().look(inputs(**changes)))


def test_what_was_made_is_found_as_declared(site: Site) -> None:
    create()

    assert look() == dict.fromkeys(Floating().parts(inputs()), AS_DECLARED)
    assert [c.name for c in site.there] == [NAME]


def test_another_setting_is_taken_in_without_giving_the_address_away(site: Site) -> None:
    create()
    create(router_id=52)

    assert site.signals == ["HUP"]
    assert "virtual_router_id 52" in (site.read(site.paths.address / "keepalived.conf") or "")


def test_another_image_is_another_container_and_the_old_one_ends_by_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    stop = site.stop
    create()
    monkeypatch.setattr(site, "stop", lambda names, t: (ended.extend(names), stop(names, t)))
    site.image = "another"

    assert look()[CONTAINER_PART] == "runs another image (image)"
    create()

    assert ended == [NAME]
    assert look()[CONTAINER_PART] == AS_DECLARED
    assert site.signals == []


@pytest.mark.parametrize(
    ("by_hand", "part", "expected"),
    [
        (lambda s: Path(s.paths.address / "keepalived.conf").unlink(), CONFIG_PART, "removed"),
        (
            lambda s: Path(s.paths.address / "keepalived.conf").write_text("x"),
            CONFIG_PART,
            "changed by hand",
        ),
        (lambda s: s.stop([NAME], 5), CONTAINER_PART, "removed"),
        (lambda s: s.end(NAME), CONTAINER_PART, "not running (exited)"),
    ],
    ids=["file removed", "file changed", "container removed", "container ended"],
)
def test_what_was_touched_is_shown_and_put_back(
    site: Site, by_hand: Any, part: str, expected: str
) -> None:
    create()
    by_hand(site)

    assert look()[part] == expected
    create()
    assert look()[part] == AS_DECLARED


def test_a_host_without_root_or_without_that_card_is_refused_before_anything_is_made(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Place, "is_root", False)

    with pytest.raises(Refused) as caught:
        create(interface="nope")

    assert str(caught.value).splitlines() == [
        "here: is worked on without root, which cannot move the floating address. Work there as "
        "root, or remove `edge.floating` and use a DNS name with two records.",
        "here: has no network card nope. Name one that `ip link` shows on every entry, "
        "`edge.floating.interface`.",
    ]
    assert site.there == []
    assert not Path(site.paths.address).exists()


def test_keepalived_that_ends_at_once_is_told_with_its_last_words(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure = site.ensure
    monkeypatch.setattr(site, "ensure", lambda *given: ensure(*given) and site.end(NAME))

    with pytest.raises(Refused) as caught:
        create()

    assert str(caught.value) == (
        "here: keepalived does not stay up (its log ends: no socket). See `make logs`."
    )


def test_taking_it_away_leaves_neither_container_nor_file(site: Site) -> None:
    create()

    Floating().delete(inputs(), KeptConsole())

    assert site.there == []
    assert not Path(site.paths.address).exists()


def test_it_is_no_replica_and_so_no_walk_takes_it_away(site: Site) -> None:
    create()

    assert of_role(site.there) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Done(0, "2: eth0    inet 192.0.2.10/24 scope global eth0\n", ""), True),
        (Done(0, "", ""), False),
        (Done(125, "", "no such container"), False),
    ],
    ids=["here", "elsewhere", "no container"],
)
def test_who_has_the_address_can_be_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, answer: Done, expected: bool
) -> None:
    monkeypatch.setattr(site.connection, "run", lambda argv: answer)

    assert floating.is_held(site, "192.0.2.10") is expected


@pytest.mark.parametrize("number", [0, 256])
def test_a_number_that_vrrp_has_no_room_for_is_a_wrong_input(number: int) -> None:
    assert list(Floating().faults(inputs(router_id=number))) == ["router_id"]
