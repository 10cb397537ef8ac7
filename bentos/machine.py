"""What a measurement says of the machine that it ran on."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name; where the system tells none, its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
