"""Cards of a host: the script on trees made like a host's, and what follows from what it prints."""

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from infra.commands import gpu
from infra.commands.gpu import Access, Card, EngineFacts, Facts

CARD = Card("0000:03:00.0", "0x1002", "0x67df", "amdgpu", "renderD128")
INTEL = Card("0000:00:02.0", "0x8086", "0x3e92", "i915", "renderD129")
GOOD = Facts(
    cards=(CARD,),
    nodes={"renderD128": (104, 0o660)},
    user="deploy",
    uid=1000,
    groups=frozenset({1000, 104}),
    kernel="6.1.0-37-amd64",
    module=True,
    loaded=True,
    firmware=True,
)
ROOTFUL = EngineFacts("podman", "runc", rootless=False)
CRUN = EngineFacts("podman", "crun", rootless=True)
RUNC = EngineFacts("podman", "runc", rootless=True)
DOCKER = EngineFacts("docker", "runc", rootless=True)


def tree(root: Path, *, driver: str = "amdgpu", node: bool = True) -> Path:
    """A host's files, as far as the script looks at them: a card, a bridge and a sound device."""
    bus = root / "sys/bus/pci/devices"
    for address, kind in (("0000:00:00.0", "0x060000"), ("0000:03:00.1", "0x040300")):
        (bus / address).mkdir(parents=True)
        (bus / address / "class").write_text(f"{kind}\n")
    card = bus / "0000:03:00.0"
    (card / "drm/card0").mkdir(parents=True)
    for name, text in (("class", "0x030000"), ("vendor", "0x1002"), ("device", "0x67df")):
        (card / name).write_text(f"{text}\n")
    if driver:
        (root / "sys/bus/pci/drivers" / driver).mkdir(parents=True)
        (card / "driver").symlink_to(f"../../../../bus/pci/drivers/{driver}")
    if node:
        (card / "drm/renderD128").mkdir()
        (root / "dev/dri").mkdir(parents=True)
        (root / "dev/dri/renderD128").touch()
        (root / "dev/dri/renderD128").chmod(0o660)
    (root / "sys/module/amdgpu").mkdir(parents=True)
    (root / "proc").mkdir()
    (root / "proc/cmdline").write_text("BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet\n")
    (root / "lib/firmware/amdgpu").mkdir(parents=True)
    (root / "lib/firmware/amdgpu/polaris10_mc.bin").touch()
    return root


def look(root: Path) -> Facts:
    done = subprocess.run(gpu.facts(str(root)), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return gpu.parse(done.stdout)


def test_the_script_reads_a_card_with_its_node(tmp_path: Path) -> None:
    found = look(tree(tmp_path))

    assert found.cards == (CARD,)
    (gid, mode) = found.nodes["renderD128"]
    assert (gid, mode) == ((tmp_path / "dev/dri/renderD128").stat().st_gid, 0o660)
    assert (found.loaded, found.module, found.firmware, found.nomodeset) == (
        *(True, False, True, False),
    )
    assert found.kernel
    assert found.groups


def test_the_script_reads_a_card_that_nothing_drives(tmp_path: Path) -> None:
    root = tree(tmp_path, driver="", node=False)
    (root / "proc/cmdline").write_text("ro nomodeset quiet\n")
    found = look(root)

    assert found.cards == (dataclasses.replace(CARD, driver="", node=""),)
    assert found.nodes == {}
    assert found.nomodeset


def test_the_script_reads_a_machine_without_any_of_it(tmp_path: Path) -> None:
    found = look(tmp_path)

    assert (found.cards, found.nodes, found.loaded, found.firmware) == ((), {}, False, False)


def test_with_root_a_container_gets_the_node_and_its_numeric_group() -> None:
    assert gpu.access(GOOD, ROOTFUL) == Access(("/dev/dri/renderD128",), ("104",))


def test_without_root_podman_keeps_the_users_groups() -> None:
    assert gpu.access(GOOD, CRUN) == Access(("/dev/dri/renderD128",), ("keep-groups",))


@pytest.mark.parametrize("engine", [ROOTFUL, CRUN, RUNC, DOCKER], ids=str)
def test_a_node_that_is_open_to_all_needs_no_group(engine: EngineFacts) -> None:
    opened = dataclasses.replace(GOOD, nodes={"renderD128": (104, 0o666)})

    assert gpu.access(opened, engine) == Access(("/dev/dri/renderD128",), ())


def test_another_makers_card_is_left_out() -> None:
    both = dataclasses.replace(
        GOOD, cards=(INTEL, CARD), nodes={"renderD128": (104, 0o660), "renderD129": (104, 0o660)}
    )

    assert gpu.access(both, ROOTFUL).nodes == ("/dev/dri/renderD128",)


def test_replicas_take_turns_at_the_cards() -> None:
    two = Access(("/dev/dri/renderD128", "/dev/dri/renderD129"), ("104",))

    assert [two.of_replica(number) for number in (1, 2, 3)] == [
        *(("/dev/dri/renderD128",), ("/dev/dri/renderD129",), ("/dev/dri/renderD128",)),
    ]
    assert gpu.NONE.of_replica(1) == ()


def card(**changes: str) -> tuple[Card, ...]:
    return (dataclasses.replace(CARD, **changes),)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cards": ()}, "there is no AMD card on the PCI bus (got none)"),
        ({"cards": (INTEL,)}, "there is no AMD card on the PCI bus (got 0x8086:0x3e92)"),
        ({"cards": card(node=""), "nomodeset": True}, "the kernel was started with nomodeset"),
        ({"cards": card(driver="radeon")}, "driver of the card is radeon, not amdgpu"),
        ({"cards": card(driver="vfio-pci", node="")}, "driver of the card is vfio-pci"),
        (
            {"cards": card(driver="", node=""), "module": False, "loaded": False},
            "the kernel 6.1.0-37-amd64 has no driver amdgpu",
        ),
        (
            {"cards": card(driver="", node=""), "loaded": False},
            "the kernel driver amdgpu is not loaded. Run `sudo modprobe amdgpu`",
        ),
        ({"cards": card(node=""), "firmware": False}, "the firmware of the card is missing"),
        ({"cards": card(node="")}, "the kernel driver amdgpu did not start the card"),
        ({"nodes": {}}, "there is no device node in /dev/dri"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_card_that_cannot_be_used_is_told_with_its_cause(
    change: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        gpu.access(dataclasses.replace(GOOD, **change), ROOTFUL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engine", "groups", "told"),
    [
        (RUNC, {104}, "Podman without root keeps groups with crun only (got runc)"),
        (DOCKER, {104}, "Docker without root cannot give a container the group 104"),
        (CRUN, {1000}, "the user deploy is not in the group 104 of /dev/dri/renderD128"),
    ],
    ids=["runc", "docker", "no member"],
)
def test_without_root_a_group_that_cannot_be_had_is_refused(
    engine: EngineFacts, groups: set[int], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        gpu.access(dataclasses.replace(GOOD, groups=frozenset(groups)), engine)


@pytest.mark.parametrize(
    ("engine", "text", "facts"),
    [
        ("podman", "crun true\n", EngineFacts("podman", "crun", rootless=True)),
        ("/usr/bin/podman", "runc false\n", EngineFacts("podman", "runc", rootless=False)),
        (
            "docker",
            "runc [name=seccomp,profile=builtin name=rootless name=cgroupns]\n",
            EngineFacts("docker", "runc", rootless=True),
        ),
        ("docker", "runc [name=apparmor]\n", EngineFacts("docker", "runc", rootless=False)),
    ],
    ids=["podman", "podman as root", "docker", "docker as root"],
)
def test_an_engine_tells_whether_it_has_root(engine: str, text: str, facts: EngineFacts) -> None:
    assert gpu.parse_engine(engine, text) == facts
