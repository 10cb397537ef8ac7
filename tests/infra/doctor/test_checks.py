"""Every kind of finding about a host, from what a good host tells and one change to it."""

import pytest

from infra.doctor import examine, page
from infra.doctor.checks import kernel
from infra.doctor.facts import parse

CARD = "card.0000:01:00.0"
NONE: dict[str, str | None] = {
    "card": None,
    **{f"{CARD}.{name}": None for name in ("vendor", "device", "driver", "node")},
}
ROOT = {"podman.info": "rootless=false\nruntime=runc\nsays=runc version 1.3.4"}
DOCKER = {
    "engine": "docker",
    "engine.used": "docker",
    "podman.version": None,
    "podman.info": None,
    "docker.version": "28.5.1",
    "docker.info": "root=/home/deploy/.local/share/docker\nrootless=[name=seccomp name=rootless]",
    "docker.parts": "Engine 28.5.1\ncontainerd 1.7.28\nrunc 1.3.3",
}
LISTEN = "   1: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000"
ONE = {"container": "bentofleet-lab-0a1b2c3d4e5f-1 | Up 2 hours | 127.0.0.1:21000->3000/tcp"}

ERRORS = [
    ("an arm machine", "system.other-processor", {"machine": "aarch64"}, {}),
    ("no engine as a user", "engine.none", {"engine": None, "engine.used": None}, {}),
    (
        "Docker stopped",
        "engine.silent",
        {
            "engine": "docker",
            "engine.used": None,
            "podman.version": None,
            "docker.version?": "docker: Cannot connect to the Docker daemon",
        },
        {},
    ),
    ("no subordinate ids", "engine.no-ids", {"subuid": "root:100000:65536"}, {}),
    ("no newuidmap", "engine.no-programs", {"program": "pasta"}, {}),
    (
        "no memory controller",
        "engine.no-limits",
        {"podman.info": "rootless=true\ncontrollers=[pids]\nruntime=crun\nsays=crun version 1.8"},
        {},
    ),
    ("a full disk", "disk.full", {"disk.engine": "Filesystem\n/dev/sda1 9 9 1000000 99% /"}, {}),
    (
        "no inodes",
        "disk.inodes",
        {"disk.engine.inodes": "Filesystem\n/dev/sda1 100 98 2 98% /"},
        {},
    ),
    ("memory for no release", "memory.short", {}, {"replicas": 16}),
    ("the edge's port taken", "ports.edge-taken", {"tcp": LISTEN.format(port=8080)}, {}),
    ("a port of the range taken", "ports.range-taken", {"tcp": LISTEN.format(port=21005)}, {}),
    ("a clock that is an hour behind", "clock.off", {"time": "1799996400"}, {}),
    ("no card", "gpu.no-card", NONE, {}),
    ("only another maker's card", "gpu.no-card", {f"{CARD}.vendor": "0x8086"}, {}),
    (
        "nomodeset",
        "gpu.nomodeset",
        {f"{CARD}.driver": None, "cmdline": "ro quiet nomodeset"},
        {},
    ),
    (
        "a blacklisted driver",
        "gpu.blacklisted",
        {f"{CARD}.driver": None, "module": "there", "blacklist": "blacklist amdgpu"},
        {},
    ),
    ("a card given to a virtual machine", "gpu.other-driver", {f"{CARD}.driver": "vfio-pci"}, {}),
    (
        "a kernel without amdgpu",
        "gpu.no-module",
        {f"{CARD}.driver": None, "module": "none"},
        {},
    ),
    (
        "a driver that is not loaded",
        "gpu.not-loaded",
        {f"{CARD}.driver": None, "module": "there"},
        {},
    ),
    ("no firmware", "gpu.no-firmware", {f"{CARD}.driver": None, "firmware": None}, {}),
    (
        "a card that did not start",
        "gpu.not-started",
        {
            f"{CARD}.driver": None,
            "log.line": "amdgpu 0000:01:00.0: Fatal error during GPU init",
        },
        {},
    ),
    ("no device node", "gpu.no-node", {"node": None}, {}),
    ("Docker without root", "gpu.rootless-docker", DOCKER, {}),
    (
        "Podman with runc",
        "gpu.no-crun",
        {
            "podman.info": "rootless=true\ncontrollers=[memory pids]\nruntime=runc\n"
            "says=runc version 1.3.4"
        },
        {},
    ),
    ("a user outside of the group", "gpu.not-in-group", {"gid": "1000", "group": "deploy"}, {}),
    (
        "a card that hung",
        "kernel.card-hung",
        {"log.line": "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring comp_1.0.0 timeout"},
        {},
    ),
]
WARNINGS = [
    ("another distribution", "system.not-tried", {"os": "ID=fedora\nVERSION_ID=43"}, {}),
    ("a pending reboot", "system.reboot-due", {"reboot": "yes"}, {}),
    ("no systemd", "system.no-systemd", {"systemd": None}, {}),
    ("no lingering", "system.no-linger", {"linger": "Linger=no"}, {}),
    ("a unit that is off", "system.unit-off", {"unit": "UnitFileState=disabled", **ONE}, {}),
    (
        "no engine yet, as root",
        "engine.not-yet",
        {"engine": None, "engine.used": None},
        {"is_root": True},
    ),
    (
        "runc of Debian 12",
        "engine.old-runc",
        {"podman.info": "rootless=false\nruntime=runc\nsays=runc version 1.1.5+ds1"},
        {},
    ),
    ("little room", "disk.low", {"disk.engine": "Filesystem\n/dev/sda1 9 9 4000000 90% /"}, {}),
    ("memory for one release", "memory.tight", {}, {"replicas": 8}),
    (
        "memory that others hold",
        "memory.busy",
        {"memory": "MemTotal: 16316412 kB\nMemAvailable: 1000000 kB"},
        {},
    ),
    ("an ephemeral port", "ports.ephemeral", {"ephemeral": "8000 60999"}, {}),
    ("no time server", "clock.not-kept", {"clock": "NTP=no\nNTPSynchronized=no"}, {}),
    (
        "a registry out of reach",
        "registry.not-reached",
        {"registry?": "curl: curl: (6) Could not resolve host: ghcr.io"},
        {"registry": "ghcr.io"},
    ),
    ("another AMD card", "gpu.untried", {f"{CARD}.device": "0x731f"}, {}),
    ("a software device", "gpu.software", {}, {"software_device": True}),
    (
        "a mining BIOS",
        "card.memory-fast",
        {f"{CARD}.pp_dpm_mclk": "0: 300Mhz\n1: 1000Mhz\n2: 2100Mhz *"},
        {},
    ),
    ("slow memory", "card.memory-slow", {f"{CARD}.pp_dpm_mclk": "0: 300Mhz *"}, {}),
    ("a slow core", "card.core-slow", {f"{CARD}.pp_dpm_sclk": "0: 300Mhz\n7: 1100Mhz *"}, {}),
    (
        "clocks set by hand",
        "card.clocks-by-hand",
        {f"{CARD}.power_dpm_force_performance_level": "manual"},
        {},
    ),
    ("a power limit", "card.power-capped", {f"{CARD}.power1_cap": "90000000"}, {}),
    ("half of the memory", "card.memory-small", {f"{CARD}.mem_info_vram_total": "2147483648"}, {}),
    ("a riser", "card.link-narrow", {f"{CARD}.current_link_width": "1"}, {}),
    ("a bad contact", "card.link-replays", {f"{CARD}.pcie_replay_count": "5000"}, {}),
    ("a link that sleeps", "card.aspm", {f"{CARD}.aspm": "1"}, {}),
    ("a hot card", "card.hot", {f"{CARD}.temp1_input": "93000"}, {}),
    ("a still fan", "card.fan-still", {f"{CARD}.fan1_input": "0"}, {}),
    ("Mesa of Debian 11", "mesa.old", {"mesa": "20.3.5-1"}, {}),
    ("a kernel that hangs the card", "kernel.known-bad", {"kernel": "7.1.3-1-amd64"}, {}),
    ("an old kernel", "kernel.old", {"kernel": "4.19.0-27-amd64"}, {}),
    (
        "memory faults",
        "kernel.card-faults",
        {"log.line": "amdgpu 0000:01:00.0: GPU fault detected: 147 0x0a880801"},
        {},
    ),
    (
        "bus errors",
        "kernel.bus-errors",
        {"log.line": "pcieport 0000:00:01.0: AER: Corrected error received: 0000:01:00.0"},
        {},
    ),
]
UNCHECKED = [
    ("no word of the unit", "system.unit-unchecked", {"unit?": "no such session", **ONE}, {}),
    ("no word of the engine", "engine.unchecked", {"podman.info?": "podman: timeout"}, {}),
    ("no word of the disk", "disk.unchecked", {"disk.stack?": "there is no df"}, {}),
    ("no word of memory", "memory.unchecked", {"memory": None}, {}),
    ("no word of ports", "ports.unchecked", {"tcp": None}, {}),
    ("no word of the time server", "clock.unchecked", {"clock?": "there is no timedatectl"}, {}),
    (
        "no curl",
        "registry.unchecked",
        {"registry?": "there is no curl"},
        {"registry": "ghcr.io"},
    ),
    ("no PCI bus", "gpu.no-bus", {**NONE, "card?": "there is no /sys/bus/pci"}, {}),
    ("no clocks", "card.unreadable", {f"{CARD}.pp_dpm_mclk": None}, {}),
    ("a kernel from the future", "kernel.new", {"kernel": "8.0.1"}, {}),
    ("a closed log", "kernel.log-unchecked", {"log?": "may not read the kernel's log"}, {}),
]
CASES = [
    (severity, *case)
    for severity, cases in (("error", ERRORS), ("warning", WARNINGS), ("unchecked", UNCHECKED))
    for case in cases
]


def test_a_good_host_has_nothing_but_good(look) -> None:
    assert look() == {}


def test_of_a_good_host_it_is_told_what_was_looked_at(look) -> None:
    assert set(look(well=True)) == {
        "system.distribution",
        "engine.version",
        "engine.runtime",
        "disk.room",
        "memory.room",
        "ports.free",
        "clock.right",
        "gpu.usable",
        "card.well",
        "kernel.version",
        "kernel.log",
        "mesa.version",
    }


@pytest.mark.parametrize(
    ("severity", "code", "changes", "asks"),
    [(severity, *rest) for severity, _, *rest in CASES],
    ids=[name.replace(" ", "-") for _, name, *_ in CASES],
)
def test_one_fault_is_found_and_nothing_else_is_blamed(look, severity, code, changes, asks) -> None:
    found = look(changes, **asks)
    assert code in found, sorted(found)
    assert found[code].severity == severity
    others = {c for c, f in found.items() if f.severity == "error" and c != code}
    assert others == set()
    assert "{" not in found[code].what.replace("{user}", "")
    assert found[code].cure.endswith((".", "…"))


HOST_CHECKS = (
    "system",
    "engine",
    "disk",
    "memory",
    "ports",
    "clock",
    "gpu",
    "card",
    "mesa",
    "registry",
)


def test_every_kind_that_a_host_s_facts_can_lead_to_has_its_case() -> None:
    of_facts = {k.code for k in page.kinds() if k.code.startswith((*HOST_CHECKS, "kernel"))}
    # of a host's image this machine tells too, and only this machine that it cannot be asked
    assert of_facts - {"mesa.unchecked"} == {code for _, _, code, *_ in CASES}


def test_a_host_that_told_nothing_is_unchecked_and_blamed_for_nothing(asks) -> None:
    found = list(examine.of_facts(parse(""), asks(), 0, 0))
    assert [f.code for f in found if f.severity in ("error", "ok")] == []
    assert {f.code for f in found if f.severity == "unchecked"} == {
        "engine.unchecked",
        "disk.unchecked",
        "memory.unchecked",
        "ports.unchecked",
        "clock.unchecked",
        "gpu.no-bus",
        "kernel.log-unchecked",
    }


def test_root_needs_no_group_for_the_card(look) -> None:
    assert look({**ROOT, "gid": "0", "group": "root"}, is_root=True) == {}


def test_a_node_that_is_open_to_all_needs_no_group(look) -> None:
    node = {"node": "renderD128 666 0 104 root render usable"}
    assert look({**node, "gid": "1000", "group": "deploy"}) == {}
    assert look({**node, **DOCKER}) == {}


def test_the_cure_for_a_closed_node_names_the_user_the_group_and_the_rule(look) -> None:
    cure = look({"gid": "1000", "group": "deploy"})["gpu.not-in-group"].cure
    assert "sudo usermod -aG render deploy" in cure
    assert 'SUBSYSTEM=="drm", KERNEL=="renderD*", MODE="0666"' in cure


def test_a_registry_that_answers_is_reached_whatever_it_says(look) -> None:
    found = look({"registry": "401"}, well=True, registry="ghcr.io")
    assert found["registry.reached"].got == "ghcr.io answers 401"


def test_a_cpu_host_is_asked_for_no_card(look) -> None:
    assert look(NONE, accelerator="cpu") == {}


def test_ports_that_the_stack_itself_holds_are_free_for_it(look) -> None:
    ports = (8080, 21000, 21064, 21066)
    changes = {
        "tcp": "\n".join(LISTEN.format(port=port) for port in ports),
        "container": "bentofleet-lab-edge | Up 2 hours | \n"
        "bentofleet-lab-0a1b2c3d4e5f-1 | Up 2 hours | 127.0.0.1:21000-21001->3000-3001/tcp",
    }
    assert look(changes) == {}
    other = {
        **changes,
        "container": changes["container"].replace("lab-edge | Up", "lab-edge | Exited"),
    }
    assert set(look(other)) == {"ports.edge-taken", "ports.range-taken"}


def test_who_holds_a_port_is_told(look) -> None:
    changes = {
        "tcp": LISTEN.format(port=8080),
        "listener": 'LISTEN 0 511 0.0.0.0:8080 0.0.0.0:* users:(("nginx",pid=812,fd=6))',
    }
    assert look(changes)["ports.edge-taken"].got == "by nginx"


def test_a_factory_overclocked_card_of_another_kind_is_not_measured_by_an_rx_580(look) -> None:
    other = {
        f"{CARD}.device": "0x731f",
        f"{CARD}.pp_dpm_mclk": "0: 100Mhz\n3: 875Mhz *",
        f"{CARD}.mem_info_vram_total": "6442450944",
    }
    assert set(look(other)) == {"gpu.untried"}


@pytest.mark.parametrize(
    ("version", "is_old"),
    [("1.1.15", True), ("1.2.7", True), ("1.2.8", False), ("1.3.2", True), ("1.4.0", False)],
)
def test_runc_is_old_before_the_fixes_of_its_series(look, version, is_old) -> None:
    info = f"rootless=false\nruntime=runc\nsays=runc version {version}"
    assert ("engine.old-runc" in look({"podman.info": info})) is is_old


def test_the_list_of_bad_kernels_names_its_sources() -> None:
    assert all(entry.source.startswith("github.com/") for entry in kernel.BAD)
