"""An image as blobs: manifests, what a host lacks, and in which steps it is sent."""

import json

import pytest

from infra.images import layers
from infra.images.layers import Lack, Layer, Packed, diff_ids, lack, steps

CONFIG = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}}


def digest(name: str) -> str:
    return layers.digest_of(name.encode())


def image(**sizes: int) -> Packed:
    """An image with a layer per name, compressed to half its size."""
    config = {**CONFIG, "rootfs": {"type": "layers", "diff_ids": [digest(n) for n in sizes]}}
    made = (Layer(digest(n), digest(f"{n}.gz"), size, 2 * size) for n, size in sizes.items())
    return Packed(json.dumps(config).encode(), tuple(made))


def diffs(*names: str) -> list[str]:
    return [digest(name) for name in names]


IMAGE = image(base=10, python=20, venv=30, model=5, code=1)


def test_the_manifest_ties_config_and_layers_by_digest_and_size() -> None:
    content = json.loads(IMAGE.manifest)

    assert content["config"]["digest"] == layers.digest_of(IMAGE.config)
    assert [part["size"] for part in content["layers"]] == [10, 20, 30, 5, 1]
    assert {part["mediaType"] for part in content["layers"]} == {layers.LAYER_TYPE}
    assert IMAGE.digest == layers.digest_of(IMAGE.manifest)


def test_an_engine_may_call_it_by_its_config_or_by_its_manifest() -> None:
    names = {IMAGE.config_digest, IMAGE.digest}

    assert {f"sha256:{name}" for name in IMAGE.ids} == names


def test_the_lowest_layers_alone_are_an_image_that_is_whole() -> None:
    part = layers.first(IMAGE, 2, "lab/service")

    assert diff_ids(part.config) == diffs("base", "python")
    assert [layer.size for layer in part.layers] == [10, 20]
    assert part.digest != IMAGE.digest


def test_two_images_with_the_same_lowest_layers_have_no_part_in_common() -> None:
    one, same, other = (layers.first(IMAGE, 2, f"lab/{of}") for of in ("edge", "edge", "service"))

    assert one == same
    assert not one.ids & other.ids
    assert [layer.digest for layer in one.layers] == [layer.digest for layer in other.layers]


def test_layers_that_are_there_are_named_by_their_tar_files() -> None:
    named = layers.plainly(IMAGE, {0, 2})

    parts = json.loads(named.manifest)["layers"]
    assert [part["digest"] for part in parts[:3]] == [
        digest("base"),
        digest("python.gz"),
        digest("venv"),
    ]
    assert [part["size"] for part in parts[:3]] == [20, 20, 60]
    assert parts[0]["mediaType"] == layers.PLAIN_TYPE
    assert named.config == IMAGE.config


@pytest.mark.parametrize(
    ("there", "by_chain", "expected"),
    [
        ([], False, Lack(0, (0, 1, 2, 3, 4))),
        ([diffs("base", "python", "venv", "model", "code")], False, Lack(5, ())),
        ([diffs("base", "python", "venv", "model", "old")], False, Lack(4, (4,))),
        ([diffs("base", "python", "venv", "old", "code")], False, Lack(3, (3,))),
        ([diffs("base", "python", "venv", "old", "code")], True, Lack(3, (3, 4))),
        ([diffs("base"), diffs("base", "python"), diffs("other")], True, Lack(2, (2, 3, 4))),
        ([diffs("venv")], False, Lack(0, (0, 1, 3, 4))),
        ([diffs("venv")], True, Lack(0, (0, 1, 2, 3, 4))),
        ([[]], False, Lack(0, (0, 1, 2, 3, 4))),
    ],
    ids=[
        "nothing",
        "all",
        "new code",
        "new model, Podman",
        "new model, Docker",
        "the longest counts",
        "elsewhere, Podman",
        "elsewhere, Docker",
        "an image without layers",
    ],
)
def test_what_a_host_lacks(there: list[list[str]], by_chain: bool, expected: Lack) -> None:
    assert lack(IMAGE, there, by_chain=by_chain) == expected


@pytest.mark.parametrize(
    ("packed", "missing", "expected"),
    [
        (image(a=9, b=9, c=9), (0, 1, 2), [1, 2, 3]),
        (image(a=2, b=1, c=9, d=1), (0, 1, 2, 3), [3, 4]),
        (image(a=9, b=9, c=9), (2,), [3]),
        (image(a=9, b=9, c=9), (), [3]),
        (image(a=9, b=9, c=1), (1, 2), [2, 3]),
        (image(a=1, b=1, c=1), (0, 1, 2), [3]),
    ],
    ids=["each", "small ones together", "one", "none", "from the second", "all small"],
)
def test_a_host_keeps_what_came_over_after_every_few_bytes(
    packed: Packed, missing: tuple[int, ...], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "STEP_BYTES", 4)

    assert steps(packed, Lack(0, missing)) == expected


@pytest.mark.parametrize(
    "config",
    [b"{}", b"[]", b'{"rootfs": {"diff_ids": [1]}}', b'{"rootfs": {"diff_ids": "x"}}', b"{"],
    ids=["no rootfs", "a list", "numbers", "a text", "no JSON"],
)
def test_a_config_without_layers_is_refused(config: bytes) -> None:
    with pytest.raises(ValueError, match=r"layers|JSON|property"):
        diff_ids(config)


def test_a_digest_is_told_from_other_texts() -> None:
    assert layers.is_digest(digest("x"))
    assert not layers.is_digest("sha256:../../etc/passwd")
    assert not layers.is_digest(f"{digest('x')}\n")
