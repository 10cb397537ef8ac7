"""What a build needs of this machine and no image may keep: certificates, package index settings.

Both reach the recipes as build secrets: files that are there while a step runs and in no layer.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

BUNDLE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
PIP_LINE = re.compile(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$")


def ca_bundle(environ: Mapping[str, str], bundles: tuple[str, ...] = BUNDLES) -> Path | None:
    """The certificates that this machine trusts: a private authority stands only there."""
    named = [environ[name] for name in BUNDLE_VARIABLES if environ.get(name)]
    return next((Path(path) for path in (*named, *bundles) if Path(path).is_file()), None)


def pip_settings(listing: str, environ: Mapping[str, str]) -> str:
    """A pip configuration file with the index settings of this machine; empty where it has none.

    Args:
        listing: what `pip config list` prints; a later line wins, as in pip.
        environ: where uv's index is looked up, for machines that set only that.
    """
    matches = [PIP_LINE.match(line) for line in listing.splitlines()]
    found = {match[1]: match[2] for match in matches if match}
    uv_index = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    if uv_index:
        found.setdefault("index-url", uv_index.rpartition("=")[2])
    lines = [f"{key} = {found[key]}" for key in PIP_KEYS if key in found]
    return "\n".join(["[global]", *lines, ""]) if lines else ""


@contextmanager
def files(folder: Path) -> Iterator[dict[str, Path]]:
    """Build secrets by id: `ca` where this machine has a bundle, `pip` where it has settings."""
    secrets = {}
    bundle = ca_bundle(os.environ)
    if bundle:
        secrets["ca"] = bundle
    settings = pip_settings(_pip_config(), os.environ)
    pip = folder / f"pip.conf.{os.getpid()}"
    if settings:
        folder.mkdir(parents=True, exist_ok=True)
        pip.touch(mode=0o600)
        pip.write_text(settings, encoding="utf-8")
        secrets["pip"] = pip
    try:
        yield secrets
    finally:
        pip.unlink(missing_ok=True)


def _pip_config() -> str:
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
