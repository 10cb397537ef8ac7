"""What tests of several folders share."""

from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"
CARD = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"
"""The card's folder in the machine below."""


@pytest.fixture
def rx580(tmp_path: Path) -> Path:
    """The root of a machine with an RX 580; tests change what they like in it."""
    root = tmp_path / "rx580"
    file: Path | None = None
    for line in (RECORDED / "rx580.tree").read_text().splitlines():
        if line.startswith("| ") and file is not None:
            file.write_text(f"{file.read_text()}{line[2:]}\n")
        elif line.startswith("/"):
            name, _, target = line.partition(" -> ")
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if target:
                path.symlink_to(target)
            elif name.endswith("/"):
                path.mkdir(exist_ok=True)
            else:
                path.touch()
                file = path
    return root


@pytest.fixture
def card(rx580: Path) -> Path:
    """The card's own folder in that machine."""
    return rx580 / CARD
