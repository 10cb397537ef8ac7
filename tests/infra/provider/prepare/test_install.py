"""Packages: what is installed on a bare host, and what goes again with the stack."""

from pathlib import Path
from typing import Any

import pytest

from infra.connection import HostError, Unreachable
from infra.provider.prepare import made
from infra.provider.resource import Refused

PODMAN = ["podman", "crun", "netavark", "aardvark-dns", "iptables", "ca-certificates"]


def test_a_bare_host_gets_an_engine_and_gives_it_back(bench: Any, place: Any) -> None:
    before = sorted(place.folder.rglob("*"))

    outputs = bench.create()

    assert outputs["engine"] == "podman"
    assert place.lines("packages") == ["conmon", *PODMAN]
    assert bench.console.said[0] == f"here: installing {', '.join(PODMAN)}"

    bench.delete()

    assert place.lines("packages") == []
    assert sorted(place.folder.rglob("*")) == before
    assert bench.console.warned == []


def test_an_engine_that_was_there_stays_as_it_is(bench: Any, place: Any) -> None:
    place.with_podman()

    bench.create()
    bench.delete()

    assert (place.bin / "podman").exists()
    assert not [call for call in place.lines("calls") if "install" in call or "purge" in call]


def test_packages_that_were_there_stay(bench: Any, place: Any) -> None:
    (place.folder / "packages").write_text("iptables\nvim\n")

    bench.create()
    bench.delete()

    assert place.lines("packages") == ["iptables", "vim"]


def test_packages_that_others_need_by_now_stay(bench: Any, place: Any) -> None:
    bench.create()
    (place.folder / "needed").write_text("iptables\n")

    bench.delete()

    assert place.lines("packages") == ["iptables"]


def test_nothing_goes_where_other_packages_would_go_along(bench: Any, place: Any) -> None:
    bench.create()
    (place.folder / "along").write_text("cockpit-podman\n")

    bench.delete()

    assert "podman" in place.lines("packages")
    assert bench.console.warned == [
        "here: what was installed for this stack stays, because other packages would go with it "
        "(got cockpit-podman). Remove it by hand when you can."
    ]
    assert not place.root.exists()


def test_an_engine_with_containers_of_others_stays(bench: Any, place: Any) -> None:
    bench.create()
    (place.folder / "foreign").write_text("aaaa\nbbbb\n")

    bench.delete()

    assert "podman" in place.lines("packages")
    (line,) = bench.console.warned
    assert line.startswith(
        "here: what was installed for this stack stays, because podman has containers of others "
        "(2) (got aardvark-dns "
    )


def test_an_engine_that_another_user_runs_containers_with_stays(bench: Any, place: Any) -> None:
    bench.create()
    place.others_run = True

    bench.delete()

    assert "podman" in place.lines("packages")
    assert "because another user runs containers (got " in bench.console.warned[0]


def test_an_engine_that_somebody_removed_shows_and_comes_back(bench: Any, place: Any) -> None:
    bench.create()
    (place.bin / "podman").unlink()
    (place.folder / "packages").write_text("")

    assert bench.drift() == {"engine": "removed"}
    bench.update()

    assert bench.drift() == {}
    bench.delete()
    assert place.lines("packages") == []


def test_another_engine_than_was_prepared_shows(bench: Any, place: Any) -> None:
    bench.create()
    bench.outputs["engine"] = "docker"

    assert bench.drift()["engine"] == "is another engine now (podman)"


def test_an_archive_that_is_out_of_reach_is_told_and_nothing_stays(bench: Any, place: Any) -> None:
    (place.folder / "offline").touch()

    with pytest.raises(Refused) as caught:
        bench.create()

    assert str(caught.value) == (
        f"here: apt cannot install {', '.join(PODMAN)} (E: Failed to fetch http://mirror/x  No "
        "route). Correct its sources or its proxy below /etc/apt there, or install these packages "
        "by other means."
    )
    assert not place.root.exists()


def test_an_installation_that_breaks_off_is_put_back(bench: Any, place: Any) -> None:
    (place.folder / "broken").touch()

    with pytest.raises(Refused, match=r"\(E: Sub-process /usr/bin/dpkg returned an error code"):
        bench.create()

    assert place.lines("packages") == []
    assert not place.root.exists()


def test_after_a_kill_in_the_middle_the_next_run_adopts_what_is_there(
    bench: Any, place: Any
) -> None:
    place.dies_at = "apt-get install -y"
    with pytest.raises(BaseException, match=r"^$"):
        bench.create()
    place.dies_at = None
    place.with_podman()  # apt went on by itself
    (place.folder / "packages").write_text("conmon\npodman\n")

    bench.create()
    bench.delete()

    assert place.lines("packages") == []


def test_a_line_that_is_cut_in_the_middle_leaves_the_record_for_the_next_run(
    bench: Any, place: Any
) -> None:
    place.dies_at, place.dies_of = "apt-get install -y", Unreachable("here: the line was cut.")
    with pytest.raises(Unreachable):
        bench.create()
    assert made.parse((place.root / "made.json").read_text()).packages[-1] == "podman"
    place.dies_at = None

    bench.create()
    bench.delete()

    assert place.lines("packages") == []
    assert not place.root.parent.exists()


def test_an_engine_that_does_not_answer_once_installed_is_told_and_goes_again(
    bench: Any, place: Any
) -> None:
    (place.folder / "podman").write_text("#!/bin/sh\necho 'overlay is not supported' >&2; exit 1\n")

    with pytest.raises(Refused, match=r"does not answer \(podman: overlay is not supported\)"):
        bench.create()

    assert place.lines("packages") == []
    assert not place.root.exists()


def test_a_removal_that_fails_is_told_and_can_be_run_again(bench: Any, place: Any) -> None:
    bench.create()
    (place.folder / "broken").touch()

    with pytest.raises(HostError, match=r"here: apt cannot remove .* \(E: dpkg was interrupted\)"):
        bench.delete()
    (place.folder / "broken").unlink()
    bench.delete()

    assert place.lines("packages") == []
    assert not place.root.parent.exists()


def test_another_stack_of_the_host_takes_over_what_was_installed(bench: Any, place: Any) -> None:
    bench.create()
    other = place.root.parent / "lab"
    (other / "edge").mkdir(parents=True)

    bench.delete()

    assert "podman" in place.lines("packages")
    assert not place.root.exists()

    place.root = other
    bench.delete()

    assert place.lines("packages") == []
    assert not other.parent.exists()


def test_a_damaged_record_takes_nothing_away(bench: Any, place: Any) -> None:
    bench.create()
    (place.root / "made.json").write_text("{")

    bench.delete()

    assert "podman" in place.lines("packages")
    assert bench.console.warned == [
        "here: made.json cannot be read, so packages and groups stay as they are. Remove by hand "
        "what was installed for this stack."
    ]


@pytest.mark.parametrize("bench", [{"engine": "docker"}], indirect=True)
def test_docker_is_installed_where_it_is_asked_for(bench: Any, place: Any) -> None:
    place.with_podman()
    script = (place.folder / "podman").read_text()
    place.program(
        "dpkg", f"cat >'{place.bin}/docker' <<'END'\n{script}END\nchmod 755 {place.bin}/docker"
    )

    assert bench.create()["engine"] == "docker"
    assert place.lines("packages") == ["docker.io", "ca-certificates"]


@pytest.mark.parametrize(
    ("system", "told"),
    [
        ("system fedora\nversion 40\ntitle Fedora Linux 40", "Fedora Linux 40"),
        ("system debian\nversion 11\ntitle Debian 11", "Debian 11"),
        ("", "no os-release"),
    ],
    ids=["fedora", "debian 11", "unknown"],
)
def test_a_system_that_is_not_known_wants_an_engine_by_hand(
    bench: Any, place: Any, system: str, told: str
) -> None:
    place.system = system

    with pytest.raises(Refused) as caught:
        bench.create()

    assert str(caught.value) == (
        "here: no container engine (looked for podman and docker), and none can be installed on "
        f"this system (got {told}). Install Docker or Podman there."
    )


def test_a_user_who_is_not_root_is_told_what_to_run(bench: Any, place: Any) -> None:
    place.root_user = False

    with pytest.raises(Refused) as caught:
        bench.create()

    assert str(caught.value) == (
        "here: no container engine (looked for podman and docker), and the user deploy may not "
        "install one. Run there: sudo apt-get install -y podman crun netavark aardvark-dns "
        "iptables ca-certificates uidmap slirp4netns fuse-overlayfs dbus-user-session; or set "
        "`sudo: true`."
    )
    assert not place.root.exists()


def test_only_the_folders_of_an_engine_that_went_go_with_it(bench: Any, place: Any) -> None:
    kept = Path("/var/lib/docker")
    bench.create()

    record = (place.root / "made.json").read_text()

    assert str(kept) not in record
