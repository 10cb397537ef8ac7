"""The weights are the very file that was tried, or none."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from bentos.recipe import BuildError
from bentos.wildlife import weights


def test_the_weights_of_the_package_are_the_ones_that_were_tried() -> None:
    path, found = weights.find()
    assert path.name.startswith(f"efficientnet-lite0-{weights.SHA256[:8]}")
    assert (found.sha256, found.simulated, found.licence) == (weights.SHA256, False, "Apache-2.0")


@pytest.mark.parametrize("content", [None, b"", b"other weights"], ids=["gone", "empty", "altered"])
def test_other_weights_are_refused_in_one_line(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    package = SimpleNamespace(locate_file=lambda name: path, version="0.1.0")
    monkeypatch.setattr(weights, "distribution", lambda name: package)
    with pytest.raises(BuildError, match=r"weights\.pth: should have the sha256 5793") as error:
        weights.find()
    assert "\n" not in str(error.value)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(weights, "distribution", missing)
    with pytest.raises(BuildError, match=r"^wildlife: the package .* is not installed\. Run"):
        weights.find()
