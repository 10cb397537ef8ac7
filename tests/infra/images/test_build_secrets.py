"""What a build takes from this machine, and that no image can keep it."""

import stat
from pathlib import Path

import pytest

from infra.images import build_secrets

ROOT = Path(__file__).parents[3]
LISTING = """\
:env:.index-url='https://user:canary@pypi.example/simple'
global.cert='/etc/ca.crt'
global.find-links='/opt/wheels'
global.index-url='https://pypi.example/old'
global.timeout='180'
"""


def test_pip_settings_of_the_machine_become_a_configuration_file() -> None:
    listing = "global.timeout='9'\nglobal.index-url='https://a/simple'\nglobal.cert='/ca'\n"
    assert build_secrets.pip_settings(listing, {}) == (
        "[global]\nindex-url = https://a/simple\ntimeout = 9\n"
    )


@pytest.mark.parametrize(
    ("listing", "environ", "expected"),
    [
        ("", {}, ""),
        ("global.find-links='/opt/wheels'", {}, ""),
        ("", {"UV_DEFAULT_INDEX": "https://u/simple"}, "[global]\nindex-url = https://u/simple\n"),
        ("", {"UV_DEFAULT_INDEX": "site=https://u/s"}, "[global]\nindex-url = https://u/s\n"),
        (
            "global.index-url='https://p/simple'",
            {"UV_INDEX_URL": "https://u/simple"},
            "[global]\nindex-url = https://p/simple\n",
        ),
    ],
    ids=["none", "a local folder", "uv's", "uv's with a name", "pip's before uv's"],
)
def test_an_index_is_taken_from_pip_else_from_uv(
    listing: str, environ: dict[str, str], expected: str
) -> None:
    assert build_secrets.pip_settings(listing, environ) == expected


def test_the_first_bundle_that_exists_is_taken(tmp_path: Path) -> None:
    own, system = tmp_path / "own.crt", tmp_path / "system.crt"
    system.touch()
    environ = {"PIP_CERT": str(own)}
    assert build_secrets.ca_bundle(environ, (str(system),)) == system
    own.touch()
    assert build_secrets.ca_bundle(environ, (str(system),)) == own
    assert build_secrets.ca_bundle({}, ()) is None


def test_settings_are_a_file_of_the_owner_and_only_while_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_secrets, "_pip_config", lambda: LISTING)
    with build_secrets.files(tmp_path) as secrets:
        path = secrets["pip"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "index-url" in path.read_text()
        assert "find-links" not in path.read_text()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["service.dockerfile.j2", "edge/Containerfile"])
def test_no_recipe_names_an_index_or_a_proxy(name: str) -> None:
    text = (ROOT / "infra/images" / name).read_text()
    for word in ("http://", "https://", "ENV PIP", "ENV SSL", "ARG PIP"):
        assert word not in text


def test_secrets_are_mounted_and_never_copied() -> None:
    text = (ROOT / "infra/images/service.dockerfile.j2").read_text()
    assert "--mount=type=secret,id=ca" in text
    assert "--mount=type=secret,id=pip" in text
    copied = [line for line in text.splitlines() if line.startswith(("COPY", "ADD"))]
    assert not [line for line in copied if "secret" in line or "pip.conf" in line]
