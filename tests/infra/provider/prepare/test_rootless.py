"""A user other than root, and what only root may change."""

from typing import Any

import pytest

from infra.provider.resource import Refused


@pytest.fixture
def user(bench: Any, place: Any) -> Any:
    """The user deploy, with Podman and all that it needs."""
    place.with_podman().root_user = False
    for name in ("newuidmap", "slirp4netns"):
        place.program(name, "true")
    return bench


def test_a_users_stack_is_made_in_his_home_and_outlives_his_login(user: Any, place: Any) -> None:
    user.create()

    assert (place.folder / "home/.config/systemd/user/bentofleet-demo.service").exists()
    assert place.lines("calls")[0] == "loginctl enable-linger deploy"
    assert user.drift() == {}


def test_lingering_that_was_not_there_is_taken_back(user: Any, place: Any) -> None:
    before = sorted(place.folder.rglob("*"))

    user.create()
    assert (place.folder / "linger").exists()
    user.delete()

    assert sorted(place.folder.rglob("*")) == before


def test_folders_that_were_in_the_home_stay(user: Any, place: Any) -> None:
    (place.folder / "home/.config").mkdir()

    user.create()
    user.delete()

    assert [path.name for path in (place.folder / "home").iterdir()] == [".config"]


def test_lingering_that_was_there_stays(user: Any, place: Any) -> None:
    (place.folder / "linger").touch()

    user.create()
    user.delete()

    assert (place.folder / "linger").exists()


def test_lingering_that_somebody_turned_off_shows_and_comes_back(user: Any, place: Any) -> None:
    user.create()
    (place.folder / "linger").unlink()

    assert user.drift() == {"start unit": "ends with the last login"}
    user.update()

    assert user.drift() == {}


def test_where_only_root_may_allow_lingering_the_command_is_told(user: Any, place: Any) -> None:
    (place.folder / "no-polkit").touch()

    with pytest.raises(Refused) as caught:
        user.create()

    assert str(caught.value) == (
        "here: the containers of the user deploy would end with the last login. "
        "Run there: sudo loginctl enable-linger deploy"
    )
    assert not place.root.exists()
    assert "loginctl disable-linger deploy" not in place.lines("calls")


@pytest.mark.parametrize("bench", [{"connection": "local"}], indirect=True)
def test_on_the_machine_that_is_worked_at_that_is_a_warning(user: Any, place: Any) -> None:
    (place.folder / "no-polkit").touch()

    user.create()

    assert len(user.console.warned) == 1
    assert user.drift() == {}
    user.delete()
    assert "loginctl disable-linger deploy" not in place.lines("calls")


def test_what_podman_lacks_without_root_is_told_at_once(user: Any, place: Any) -> None:
    (place.bin / "newuidmap").unlink()
    (place.bin / "slirp4netns").unlink()
    place.id_maps = ("subuid",)

    with pytest.raises(Refused) as caught:
        user.create()

    assert str(caught.value).splitlines() == [
        "here: Podman without root lacks programs (got no uidmap and no slirp4netns). "
        "Run there: sudo apt-get install -y uidmap slirp4netns",
        "here: the user deploy has no ids for containers (looked into /etc/subuid and "
        "/etc/subgid). Run there: sudo usermod --add-subuids 100000-165535 "
        "--add-subgids 100000-165535 deploy; podman system migrate",
    ]
    assert not place.root.exists()


def test_a_clock_that_nothing_keeps_is_a_warning(user: Any, place: Any) -> None:
    place.time_keepers = ()

    user.create()

    assert user.console.warned == [
        "here: nothing keeps its clock right (only root may change that). "
        "Run there: sudo timedatectl set-ntp true"
    ]
    assert user.drift() == {}


def test_a_floating_address_is_refused_where_nobody_is_root(user: Any, place: Any) -> None:
    user.inputs["card"] = "lo"

    with pytest.raises(Refused) as caught:
        user.create()

    assert str(caught.value) == (
        "here: is worked on without root, which cannot move the floating address. Work there as "
        "root, or remove `edge.floating` and use a DNS name with two records."
    )
    assert not place.root.exists()
