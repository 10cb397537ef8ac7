"""The lock keeps above the versions that mended known faults: no audit tool works offline."""

import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCK = {
    package["name"]: Version(package["version"])
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
}

FLOORS = {
    "bentoml": ("1.4.39", "command injection at containerize, CVE-2026-44345, CVE-2026-44346"),
    "flask-cors": ("6.0.0", "wrong origins allowed, CVE-2024-6839, CVE-2024-6844, CVE-2024-6866"),
    "fonttools": ("4.60.2", "files written anywhere, CVE-2025-66034"),
    "gitpython": ("3.1.41", "untrusted search path, CVE-2024-22190"),
    "gunicorn": ("23.0.0", "request smuggling, CVE-2024-1135, CVE-2024-6827"),
    "jinja2": ("3.1.6", "sandbox breakout, CVE-2025-27516"),
    "mlflow": ("3.13.0", "files and traces for anybody, CVE-2026-2651, CVE-2026-8147"),
    "pillow": ("11.3.0", "buffer overflow, CVE-2025-48379"),
    "pyarrow": ("14.0.1", "code in IPC and Parquet files, CVE-2023-47248"),
    "pyjwt": ("2.12.0", "`crit` is ignored, CVE-2026-32597"),
    "python-multipart": ("0.0.34", "slow boundaries, after CVE-2024-53981"),
    "requests": ("2.32.4", "credentials leak to another host, CVE-2024-47081"),
    "sqlparse": ("0.5.0", "endless recursion, CVE-2024-4340"),
    "starlette": ("1.3.1", "CVE-2025-62727, CVE-2025-54121, CVE-2026-54283"),
    "torch": ("2.10.0", "`weights_only=True` pierced, CVE-2025-32434, CVE-2026-24747"),
    "urllib3": ("2.6.0", "unbounded decompression, CVE-2025-66418, CVE-2025-66471"),
}
"""Package -> oldest version without the faults named; raise it when a new one is published."""


@pytest.mark.parametrize("name", FLOORS)
def test_no_package_is_older_than_its_floor(name: str) -> None:
    oldest, why = FLOORS[name]
    assert LOCK[name] >= Version(oldest), f"{name} {LOCK[name]} < {oldest}: {why}"


def test_every_package_has_hashes() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    for package in packages:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        local = "editable" in package["source"] or "virtual" in package["source"]
        assert local or files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
