"""Which packages bring an engine, apt's command lines, and how to read what apt plans."""

import subprocess
from pathlib import Path

import pytest

from infra.commands import packages

INSTALL = """\
Reading package lists...
The following NEW packages will be installed:
  conmon podman
The following packages will be upgraded:
  libc6
Inst libc6 [2.36-9+deb12u9] (2.36-9+deb12u10 Debian:12.11/oldstable [amd64])
Inst conmon (2.1.6+ds1-1 Debian:12.11/oldstable [amd64])
Inst podman (4.3.1+ds1-8+deb12u1 Debian:12.11/oldstable [amd64])
Conf libc6 (2.36-9+deb12u10 Debian:12.11/oldstable [amd64])
Conf podman (4.3.1+ds1-8+deb12u1 Debian:12.11/oldstable [amd64])
"""
PURGE = """\
The following packages will be REMOVED:
  podman* toolbox
Purg podman [4.3.1+ds1-8+deb12u1]
Remv toolbox [0.0.99.3-1] [podman:amd64 ]
"""


def test_only_what_was_not_there_in_any_version_counts_as_new() -> None:
    assert packages.parse_new(INSTALL) == ["conmon", "podman"]
    assert packages.parse_new("") == []


def test_all_that_would_go_counts() -> None:
    assert packages.parse_gone(PURGE) == ["podman", "toolbox"]


@pytest.mark.parametrize(
    ("system", "version", "auto"),
    [
        ("debian", "12", "podman"),
        ("debian", "13", "podman"),
        ("ubuntu", "22.04", "docker"),
        ("ubuntu", "24.04", "podman"),
    ],
)
def test_each_named_system_has_an_engine(system: str, version: str, auto: str) -> None:
    offer = packages.offer(system, version)

    assert offer is not None
    assert offer.auto == auto
    assert offer.of("docker", rootless=False) == offer.of("docker", rootless=True)
    assert "docker.io" in offer.of("docker", rootless=False)
    assert "podman" in offer.of("podman", rootless=False)
    assert "uidmap" not in offer.of("podman", rootless=False)
    assert "uidmap" in offer.of("podman", rootless=True)


def test_other_systems_are_not_known() -> None:
    assert packages.offer("debian", "11") is None
    assert packages.offer("", "") is None


CALM = (
    "export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 "
    'PATH="$PATH:/usr/sbin:/sbin"; '
)


def test_an_installation_asks_nobody_waits_for_others_and_takes_no_recommendations() -> None:
    assert packages.install(["podman", "crun"]) == [
        "sh",
        "-c",
        f'{CALM}apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"',
        "sh",
        "podman",
        "crun",
    ]


def test_what_was_cut_off_is_ended_before_lists_are_fetched_for_a_bounded_time() -> None:
    assert packages.update()[2] == (
        f"{CALM}dpkg --configure -a >&2; timeout 240 apt-get update --error-on=any "
        "-o DPkg::Lock::Timeout=300 -o Acquire::Retries=1 -o Acquire::http::Timeout=30 "
        "-o Acquire::https::Timeout=30"
    )


def test_plans_change_nothing() -> None:
    assert packages.plan_install(["podman"])[2:] == [
        f'{CALM}apt-get install --simulate --no-install-recommends "$@"',
        "sh",
        "podman",
    ]
    assert packages.plan_purge(["podman"])[2] == f'{CALM}apt-get purge --simulate "$@"'
    assert "autoremove --simulate --purge" in packages.plan_unneeded(["podman"])[2]


def test_what_an_engine_kept_is_removed_with_all_that_is_mounted_in_it(tmp_path: Path) -> None:
    store, beside = tmp_path / "store", tmp_path / "store-of-others"
    for folder in (store / "overlay", beside):
        folder.mkdir(parents=True)

    subprocess.run(packages.remove_store(str(store)), check=True)

    assert [path.name for path in tmp_path.iterdir()] == [beside.name]


def test_a_person_is_given_one_command() -> None:
    assert packages.by_hand(["uidmap", "passt"]) == "sudo apt-get install -y uidmap passt"
