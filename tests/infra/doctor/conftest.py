"""A good host with an RX 580: what it tells, what a stack wants of it, and how both are changed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra.doctor import examine
from infra.doctor.facts import Facts, parse
from infra.doctor.kinds import Finding
from infra.doctor.wanted import Wanted

CARD = "card.0000:01:00.0"
NOW_S = 1_800_000_000
GOOD = f"""\
time|{NOW_S}
user|deploy
uid|1000
gid|1000
gid|104
group|deploy
group|render
os|PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
os|VERSION_ID="12"
os|ID=debian
kernel|6.1.0-31-amd64
machine|{examine.os.uname().machine}
cmdline|BOOT_IMAGE=/boot/vmlinuz-6.1.0-31-amd64 ro quiet
memory|MemTotal:       16316412 kB
memory|MemAvailable:   14012345 kB
tcp|  sl  local_address rem_address   st
tcp|   0: 00000000:0016 00000000:0000 0A 00000000:00000000
ephemeral|32768 60999
systemd|yes
clock|NTP=yes
clock|NTPSynchronized=yes
unit|UnitFileState=enabled
linger|Linger=yes
engine|podman
engine.used|podman
podman.version|4.3.1
podman.info|root=/home/deploy/.local/share/containers/storage
podman.info|rootless=true
podman.info|cgroup=v2
podman.info|controllers=[cpu memory pids]
podman.info|runtime=crun
podman.info|says=crun version 1.8.1
program|newuidmap
program|slirp4netns
subuid|deploy:100000:65536
subgid|deploy:100000:65536
disk.engine|Filesystem 1024-blocks Used Available Capacity Mounted on
disk.engine|/dev/sda1 100000000 20000000 80000000 20% /
disk.engine.inodes|Filesystem Inodes IUsed IFree IUse% Mounted on
disk.engine.inodes|/dev/sda1 6400000 400000 6000000 7% /
disk.stack|Filesystem 1024-blocks Used Available Capacity Mounted on
disk.stack|/dev/sda1 100000000 20000000 80000000 20% /
mesa|22.3.6-1+deb12u1
card|0000:01:00.0
{CARD}.vendor|0x1002
{CARD}.device|0x67df
{CARD}.revision|0xe7
{CARD}.current_link_width|16
{CARD}.max_link_width|16
{CARD}.vbios_version|113-2E3660AU-X47
{CARD}.mem_info_vram_total|8589934592
{CARD}.pp_dpm_mclk|0: 300Mhz
{CARD}.pp_dpm_mclk|1: 1000Mhz
{CARD}.pp_dpm_mclk|2: 2000Mhz *
{CARD}.pp_dpm_sclk|0: 300Mhz
{CARD}.pp_dpm_sclk|7: 1366Mhz *
{CARD}.power_dpm_force_performance_level|auto
{CARD}.pcie_replay_count|0
{CARD}.aspm|0
{CARD}.driver|amdgpu
{CARD}.node|card0
{CARD}.node|renderD128
{CARD}.temp1_input|67000
{CARD}.power1_cap|145000000
{CARD}.power1_cap_default|145000000
{CARD}.fan1_input|1450
node|renderD128 660 0 104 root render usable
module|loaded
firmware|polaris10_mc.bin
log|dmesg
end|yes
"""

Change = Mapping[str, str | None]


def told(changes: Change | None = None) -> Facts:
    """What the good host tells, changed.

    Args:
        changes: name -> its lines; None: not told at all; a name with `?` is a reason.
    """
    lines = GOOD.splitlines()
    for name, value in (changes or {}).items():
        lines = [line for line in lines if line.partition("|")[0].rstrip("?") != name.rstrip("?")]
        if value is not None:
            lines += [f"{name}|{part}" for part in value.splitlines() or [""]]
    return parse("\n".join(line.replace("|", "\t", 1) for line in lines))


def wanted(**changes: Any) -> Wanted:
    """What the stack wants of it."""
    asks = Wanted(
        name="rx580-1",
        stack="lab",
        accelerator="vulkan",
        software_device=False,
        folder="/home/deploy/.local/share/bentofleet/lab",
        is_root=False,
        user="deploy",
        replicas=2,
        memory_mib=1024,
        registry="",
        engine="auto",
        listens_at="0.0.0.0",  # noqa: S104 - what a stack asks for; nothing listens
        listens_on={"edge.port": 8080},
        ports_from=21000,
        ports=100,
    )
    return replace(asks, **changes)


@pytest.fixture
def asks() -> Callable[..., Wanted]:
    """What the stack wants, changed."""
    return wanted


@pytest.fixture
def tells() -> Callable[..., Facts]:
    """What the good host tells, changed."""
    return told


Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def look() -> Examine:
    """Finds out about the changed host; what is well is left out unless it is asked for."""

    def found(changes: Change | None = None, *, well: bool = False, **asks: Any) -> Any:
        findings = examine.of_facts(told(changes), wanted(**asks), NOW_S - 0.5, NOW_S + 0.5)
        return {f.code: f for f in findings if well or f.severity != "ok"}

    return found
