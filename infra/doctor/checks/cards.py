"""Which graphics cards a host has: read out of the facts, and named."""

import re
from dataclasses import dataclass

from infra.commands.gpu import AMD
from infra.doctor.facts import Facts

NAMES = {
    ("0x67df", "0xc1"): "Radeon RX 580",
    ("0x67df", "0xc2"): "Radeon RX 570",
    ("0x67df", "0xc3"): "Radeon RX 580",
    ("0x67df", "0xc4"): "Radeon RX 480",
    ("0x67df", "0xc5"): "Radeon RX 470",
    ("0x67df", "0xc6"): "Radeon RX 570",
    ("0x67df", "0xc7"): "Radeon RX 480",
    ("0x67df", "0xcf"): "Radeon RX 470",
    ("0x67df", "0xe1"): "Radeon RX 590",
    ("0x67df", "0xe7"): "Radeon RX 580",
    ("0x67df", "0xef"): "Radeon RX 570",
    ("0x6fdf", "0xe7"): "Radeon RX 590 GME",
    ("0x6fdf", "0xef"): "Radeon RX 580 2048SP",
}
"""PCI device and revision. Source: amdgpu.ids of libdrm, read 2026-11."""

POLARIS = ("0x67df", "0x6fdf")
"""Polaris 10, 20 and 30: the chips of the RX 470 to 590 have these device numbers alone."""

_LEVEL = re.compile(r"^\d+:\s*(\d+)\s*mhz", re.IGNORECASE)


@dataclass(frozen=True)
class Card:
    """A display device on the PCI bus.

    Attributes:
        address: on the bus: 0000:01:00.0.
    """

    address: str
    facts: Facts

    def one(self, name: str) -> str | None:
        """The first line of one of the device's files."""
        return self.facts.one(f"card.{self.address}.{name}")

    def whole(self, name: str) -> int | None:
        """The first whole number in it."""
        return self.facts.whole(f"card.{self.address}.{name}")

    @property
    def is_amd(self) -> bool:
        """Whether AMD made its chip."""
        return self.one("vendor") == AMD

    @property
    def is_polaris(self) -> bool:
        """Whether it is one of the RX 470 to 590."""
        return self.is_amd and self.one("device") in POLARIS

    @property
    def name(self) -> str:
        """What it is sold as; its numbers where that is not known."""
        device, revision = self.one("device") or "", self.one("revision") or ""
        return NAMES.get((device, revision), f"{self.one('vendor')}:{device} rev {revision}")

    @property
    def driver(self) -> str:
        """The kernel's driver; empty: none."""
        return self.one("driver") or ""

    @property
    def render_node(self) -> str | None:
        """The name of its render node."""
        nodes = self.facts.all(f"card.{self.address}.node")
        return next((node for node in nodes if node.startswith("renderD")), None)

    def levels_mhz(self, name: str) -> list[int]:
        """The levels of a clock, `pp_dpm_mclk` or `pp_dpm_sclk`, as the card's BIOS has them."""
        lines = self.facts.all(f"card.{self.address}.{name}")
        found = (_LEVEL.match(line.strip()) for line in lines)
        return [int(level[1]) for level in found if level]


def of(facts: Facts) -> list[Card]:
    """Every display device."""
    return [Card(address, facts) for address in facts.all("card")]
