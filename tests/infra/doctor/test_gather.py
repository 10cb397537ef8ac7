"""The script that a host runs: here on a tree like a host's, with engines that only pretend."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.commands import gpu
from infra.doctor import examine, facts
from infra.doctor.checks import driver, engine

ADDRESS = "0000:01:00.0"
PODMAN = """\
case "$1 ${2:-}" in
version*) echo 5.4.2 ;;
"info --format")
    case "$3" in
    root=*) printf 'root=%s\\nrootless=%s\\nruntime=%s\\nsays=crun version 1.21\\ncommit: 1\\n' \\
        / "${ROOTLESS:-false}" "${RUNTIME:-crun}" ;;
    *) echo / ;;
    esac ;;
"ps --all")
    if test "$3" = --quiet; then
        if test "${EMPTY:-}" != yes; then echo 4f1c; fi
    else
        echo 'bentofleet-lab-edge | Up 2 hours | '
    fi ;;
"ps --quiet") echo 4f1c ;;
"exec 4f1c") echo 25.0.7-2 ;;
*) echo "odd call: $*" >&2; exit 9 ;;
esac
"""
LOG = """\
[    2.1] [drm] amdgpu kernel modesetting enabled.
[    3.2] amdgpu 0000:01:00.0: amdgpu: VRAM: 8192M
[ 9123.0] [drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout, signaled seq=1
[ 9124.0] usb 1-1: reset high-speed USB device
"""


class Fake:
    """A host: its files, and a folder of programs before the real ones."""

    def __init__(self, root: Path, programs: Path) -> None:
        self.root, self.programs = root, programs
        programs.mkdir()

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(
        self,
        *,
        accelerator: str = "vulkan",
        wants: str = "auto",
        registry: str = "",
        **environ: str,
    ) -> facts.Facts:
        folder = str(self.root / "not/yet/there")
        done = subprocess.run(
            ["sh", "-s", "--", "lab", wants, folder, accelerator, registry, str(self.root)],
            input=examine.SCRIPT.read_text(),
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", **environ},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return facts.parse(done.stdout)


@pytest.fixture
def host(rx580: Path, tmp_path: Path) -> Fake:
    made = Fake(rx580, tmp_path / "programs")
    made.program("podman", PODMAN)
    made.program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    made.program("dmesg", f"cat <<'END'\n{LOG}END")
    return made


def test_the_card_is_told_with_everything_that_is_judged(host) -> None:
    told = host.run()
    assert told.is_whole
    assert told.all("card") == (ADDRESS,)
    assert told.one(f"card.{ADDRESS}.driver") == "amdgpu"
    assert set(told.all(f"card.{ADDRESS}.node")) == {"card0", "renderD128"}
    assert told.all(f"card.{ADDRESS}.pp_dpm_mclk")[-1].strip() == "2: 2000Mhz *"
    for name in ("vendor", "device", "revision", "vbios_version", "mem_info_vram_total", "aspm"):
        assert told.one(f"card.{ADDRESS}.{name}"), name
    for name in ("temp1_input", "power1_cap", "power1_cap_default", "fan1_input"):
        assert told.whole(f"card.{ADDRESS}.{name}"), name
    assert told.one(f"card.{ADDRESS}.power1_average") is None  # its driver may take seconds
    assert told.one("module") == "loaded"
    assert told.one("firmware") == "polaris10_mc.bin"
    assert told.one("node").split()[0] == "renderD128"


def test_the_engine_that_answers_is_asked_and_its_replica_for_mesa(host) -> None:
    told = host.run()
    assert engine.in_use(told) == "podman"
    assert told.one("podman.version") == "5.4.2"
    assert told.pairs("podman.info")["says"] == "crun version 1.21"
    assert told.all("container") == ("bentofleet-lab-edge | Up 2 hours | ",)
    assert told.one("mesa") == "25.0.7-2"
    assert len(told.all("disk.engine")) == len(told.all("disk.stack")) == 2


def test_an_engine_that_does_not_answer_is_told_with_its_words(host) -> None:
    host.program("podman", "exit 127")
    told = host.run()
    assert engine.in_use(told) is None
    assert told.why_unknown("docker.version") == "docker: Cannot connect to the Docker daemon"
    assert told.is_whole


def test_of_two_engines_that_answer_the_one_with_the_stack_s_containers_is_its_own(host) -> None:
    host.program("docker", 'case "$1" in version) echo 28.5.1 ;; ps) echo 77aa ;; esac')
    assert engine.in_use(host.run(EMPTY="yes")) == "docker"
    assert engine.in_use(host.run()) == "podman"


def test_only_the_engine_that_the_stack_names_is_asked(host) -> None:
    told = host.run(wants="docker")
    assert told.all("engine") == ("podman", "docker")
    assert told.one("podman.version") is None


def test_of_the_kernel_s_log_only_complaints_of_the_card_are_told(host) -> None:
    told = host.run()
    assert told.one("log") == "dmesg"
    assert [line.split("] ", 1)[1] for line in told.all("log.line")] == [
        "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout, signaled seq=1"
    ]


def test_a_log_that_is_closed_is_told_to_be(host) -> None:
    for name in ("dmesg", "journalctl"):
        host.program(name, "echo 'Operation not permitted' >&2; exit 1")
    assert host.run().why_unknown("log") == "this user may not read the kernel's log"


def test_a_cpu_host_is_asked_nothing_of_cards(host) -> None:
    told = host.run(accelerator="cpu")
    assert told.is_whole
    assert [n for n in told.values if n.startswith(("card", "node", "log", "mesa"))] == []


def test_a_registry_is_asked_by_https_and_its_silence_told(host) -> None:
    host.program(
        "curl", 'case "$*" in *"https://r.example:5000/v2/") printf 401 ;; *) exit 9 ;; esac'
    )
    assert host.run(registry="r.example:5000").one("registry") == "401"
    host.program("curl", "echo 'curl: (7) Failed to connect' >&2; exit 7")
    told = host.run(registry="r.example:5000")
    assert told.why_unknown("registry") == "curl: curl: (7) Failed to connect"


def test_a_value_cannot_pass_for_another_fact(host, rx580) -> None:
    (rx580 / "proc/cmdline").write_text("quiet\tend\tyes\nend\tno\n")
    told = host.run()
    assert told.all("cmdline") == ("quiet end yes", "end no")
    assert told.one("end") == "yes"


def _whole(root: Path) -> None:
    """The tree as it is."""


def _no_card(root: Path) -> None:
    (root / f"sys/bus/pci/devices/{ADDRESS}").unlink()


def _no_driver(root: Path) -> None:
    (root / f"sys/bus/pci/devices/{ADDRESS}/driver").unlink()
    for name in ("card0", "renderD128"):
        (root / f"sys/class/drm/{name}").unlink()
    (root / f"sys/bus/pci/devices/{ADDRESS}/drm").rename(root / "gone")


def _nomodeset(root: Path) -> None:
    _no_driver(root)
    (root / "proc/cmdline").write_text("ro nomodeset\n")


def _no_node(root: Path) -> None:
    (root / "dev/dri/renderD128").unlink()


def _stranger(root: Path) -> None:
    link = root / f"sys/bus/pci/devices/{ADDRESS}/driver"
    link.unlink()
    (root / "sys/bus/pci/drivers/vfio-pci").mkdir()
    link.symlink_to("../../../../bus/pci/drivers/vfio-pci")


AS_IT_IS = [
    (_whole, rootless, runtime, mode)
    for rootless, runtime in (("false", "runc"), ("true", "crun"), ("true", "runc"))
    for mode in (0o660, 0o666)
]
WITHOUT = [
    (change, "false", "crun", 0o660)
    for change in (_no_card, _no_driver, _nomodeset, _no_node, _stranger)
]


@pytest.mark.parametrize(("change", "rootless", "runtime", "mode"), [*AS_IT_IS, *WITHOUT])
def test_doctor_and_release_agree_whether_a_container_gets_the_card(
    host, rx580, asks, change, rootless, runtime, mode
) -> None:
    (rx580 / "dev/dri/renderD128").chmod(mode)
    change(rx580)
    told = host.run(ROOTLESS=rootless, RUNTIME=runtime)
    found = [f.code for f in driver.check(told, asks()) if f.severity == "error"]

    printed = subprocess.run(gpu.facts(str(rx580)), capture_output=True, text=True, check=True)
    seen = gpu.parse(printed.stdout)
    refused = refusal(seen, gpu.EngineFacts("podman", runtime, rootless == "true"))
    assert len(found) == (1 if refused else 0), refused


def refusal(seen: gpu.Facts, of_engine: gpu.EngineFacts) -> str | None:
    try:
        gpu.access(seen, of_engine)
    except ValueError as refused:
        return str(refused)
    return None
