"""How a card is: memory, clocks, PCIe link, fan; what years in a mining rig leave behind."""

from collections.abc import Iterator

from infra.doctor.checks.cards import Card
from infra.doctor.facts import version
from infra.doctor.kinds import Finding, Kind, ok

STOCK_MEMORY_MHZ = 2000
"""Of an RX 580 with 8 GiB; 4 GiB and an RX 570 have 1750. A few makers sold 2100, and at 2100
about half of all runs were wrong on ex-mining cards, which 1750 mended (README of the repository
Schaka/rocm-gfx803, read 2026-11)."""

LEAST_MEMORY_MHZ = 1500
LEAST_CORE_MHZ = 1168
"""The lowest boost clock of an RX 570; mining BIOSes run the core at 1100 and below."""

WIDE_LANES = 4
HOT_C, WARM_C = 90, 60
REPLAYS = 100
MESA_OLDEST = (22, 3)
"""The oldest Mesa that ncnn was tried with."""

_MIB = 1 << 20
_SET_BY_HAND = (
    "To try a lower level: `echo manual | sudo tee {folder}/power_dpm_force_performance_level` and "
    "`echo 1 | sudo tee {folder}/pp_dpm_mclk`. For good, flash the maker's own BIOS."
)

MEMORY_FAST = Kind(
    "warning",
    "card.memory-fast",
    "{address}: its BIOS drives the memory above {stock} MHz, as cards from mining rigs often do: "
    "answers may be wrong now and then",
    f"Golden answers at start-up catch the worst of it. {_SET_BY_HAND}",
)
MEMORY_SLOW = Kind(
    "warning",
    "card.memory-slow",
    "{address}: its memory has no level of full speed",
    "Set `auto` in {folder}/power_dpm_force_performance_level; if the levels stay, flash the "
    "maker's own BIOS.",
)
CORE_SLOW = Kind(
    "warning",
    "card.core-slow",
    "{address}: its BIOS runs the core slowly, as for mining",
    "It answers rightly and slowly; flash the maker's own BIOS for full speed.",
)
BY_HAND = Kind(
    "warning",
    "card.clocks-by-hand",
    "{address}: its clocks are set by hand",
    "Give them back to the driver: `echo auto | sudo tee "
    "{folder}/power_dpm_force_performance_level`.",
)
POWER_CAPPED = Kind(
    "warning",
    "card.power-capped",
    "{address}: its power is limited below the maker's value ({default} W)",
    "Look for a mining or tuning tool that sets power1_cap, and take it out.",
)
SMALL_MEMORY = Kind(
    "warning",
    "card.memory-small",
    "{address}: the driver sees less memory than any RX 580 has (4 or 8 GiB)",
    "`sudo dmesg | grep VRAM` tells what the card reports; a BIOS of another card is the usual "
    "cause.",
)
NARROW = Kind(
    "warning",
    "card.link-narrow",
    "{address}: it has fewer PCIe lanes than it could use, as on a mining riser",
    "Put it into a slot of its own, without a riser, the one next to the processor.",
)
REPLAYED = Kind(
    "warning",
    "card.link-replays",
    "{address}: its PCIe link repeats packets, which a bad contact or riser does",
    "Seat it anew, clean its contacts, leave out the riser.",
)
ASPM = Kind(
    "warning",
    "card.aspm",
    "{address}: its PCIe link may go to sleep (ASPM), which hangs some of these cards",
    "Add `pcie_aspm=off` to GRUB_CMDLINE_LINUX in /etc/default/grub, then `sudo update-grub` and "
    "reboot.",
)
HOT = Kind(
    "warning",
    "card.hot",
    "{address}: it is hot and will slow itself down",
    "Clean its fans, renew the paste, let air in.",
)
FAN_STILL = Kind(
    "warning",
    "card.fan-still",
    "{address}: it is warm and its fan stands still",
    "Look whether the fan turns freely; `echo 2 | sudo tee {folder}/hwmon/hwmon*/pwm1_enable` "
    "gives it back to the driver.",
)
UNREADABLE = Kind(
    "unchecked",
    "card.unreadable",
    "{address}: the driver does not tell its clocks",
    "Look at `cat {folder}/pp_dpm_mclk` on the host, as root.",
)
MESA_OLD = Kind(
    "warning",
    "mesa.old",
    "Mesa in the image is older than any that was tried",
    "Build the image again: `make image ACCELERATOR=vulkan`.",
)
MESA_UNCHECKED = Kind(
    "unchecked",
    "mesa.unchecked",
    "the image's Mesa could not be asked for its version",
    "Run this again after `make image`: Mesa lies in the image vulkan, not on the host.",
)


def check(card: Card) -> Iterator[Finding]:
    """Findings about one card that its driver has started."""
    folder = f"/sys/bus/pci/devices/{card.address}"
    found = [*_clocks(card, folder), *_power(card, folder), *_link(card), *_heat(card, folder)]
    vram_mib = (card.whole("mem_info_vram_total") or 0) // _MIB
    if card.is_polaris and vram_mib < 4000:
        found.append(SMALL_MEMORY.found(got=f"{vram_mib} MiB", address=card.address))
    yield from found
    if not found:
        yield ok("card.well", told(card))


def told(card: Card) -> str:
    """What the card says of itself, in a line."""
    memory = (card.whole("mem_info_vram_total") or 0) // _MIB
    clock = max(card.levels_mhz("pp_dpm_mclk"), default=0)
    width, most = card.one("current_link_width"), card.one("max_link_width")
    return (
        f"{card.address}: {memory} MiB at up to {clock} MHz, PCIe x{width} of x{most}, "
        f"BIOS {card.one('vbios_version') or 'unknown'}"
    )


def check_mesa(found: str) -> Iterator[Finding]:
    """Findings about a Mesa, by its package's version."""
    if version(found) < MESA_OLDEST:
        yield MESA_OLD.found(got=found)
    else:
        yield ok("mesa.version", found)


def _clocks(card: Card, folder: str) -> Iterator[Finding]:
    memory, core = card.levels_mhz("pp_dpm_mclk"), card.levels_mhz("pp_dpm_sclk")
    where = {"address": card.address, "folder": folder}
    if not memory or not core:
        yield UNREADABLE.found(got="no levels in pp_dpm_mclk or pp_dpm_sclk", **where)
    elif card.is_polaris:
        got = f"up to {max(memory)} MHz, BIOS {card.one('vbios_version') or 'unknown'}"
        if max(memory) > STOCK_MEMORY_MHZ:
            yield MEMORY_FAST.found(got=got, stock=STOCK_MEMORY_MHZ, **where)
        elif max(memory) < LEAST_MEMORY_MHZ:
            yield MEMORY_SLOW.found(got=got, **where)
        if max(core) < LEAST_CORE_MHZ:
            yield CORE_SLOW.found(got=f"up to {max(core)} MHz", **where)
    level = card.one("power_dpm_force_performance_level")
    if level not in (None, "auto"):
        yield BY_HAND.found(got=level, **where)


def _power(card: Card, folder: str) -> Iterator[Finding]:
    cap, default = card.whole("power1_cap"), card.whole("power1_cap_default")
    if cap and default and cap < default:
        watts = {"default": default // 1_000_000, "address": card.address}
        yield POWER_CAPPED.found(got=f"{cap // 1_000_000} W", **watts)


def _link(card: Card) -> Iterator[Finding]:
    width, most = card.whole("current_link_width"), card.whole("max_link_width")
    if width is not None and most is not None and width < min(WIDE_LANES, most):
        yield NARROW.found(got=f"x{width} of x{most}", address=card.address)
    replays = card.whole("pcie_replay_count")
    if replays is not None and replays > REPLAYS:
        yield REPLAYED.found(got=f"{replays} since the driver started", address=card.address)
    if card.one("aspm") == "1":
        yield ASPM.found(got="link/l1_aspm is 1", address=card.address)


def _heat(card: Card, folder: str) -> Iterator[Finding]:
    millidegrees = card.whole("temp1_input")
    if millidegrees is None:
        return
    degrees = millidegrees // 1000
    if degrees >= HOT_C:
        yield HOT.found(got=f"{degrees} degrees", address=card.address)
    if degrees >= WARM_C and card.whole("fan1_input") == 0:
        yield FAN_STILL.found(
            got=f"{degrees} degrees, 0 turns", address=card.address, folder=folder
        )
