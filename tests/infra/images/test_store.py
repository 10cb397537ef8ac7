"""build/blobs: what is kept there, and what happens when it is damaged, full or raced for."""

import gzip
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from infra.images import export, layers, store
from infra.images.layers import Packed
from infra.images.store import NotPacked, Store

TAG = "localhost/bentofleet/service:cpu-1"


def diff_id(layer: bytes) -> str:
    return layers.digest_of(layer)


@pytest.fixture
def blobs(tmp_path: Path) -> Store:
    return Store(tmp_path)


def saves(engine: Any) -> int:
    return len(engine.saves)


def plain(blobs: Store, packed: Packed) -> list[bytes]:
    return [gzip.decompress(blobs.path(layer.digest).read_bytes()) for layer in packed.layers]


BASE, CODE = b"base " * 50_000, b"code " * 1_000


def test_an_image_is_packed_with_its_config_as_built_and_its_layers_compressed(
    engine: Any, blobs: Store
) -> None:
    image_id = engine.have(TAG, BASE, CODE)

    packed = blobs.pack(engine, TAG, image_id)

    assert packed.config_digest == f"sha256:{image_id}"
    assert plain(blobs, packed) == [BASE, CODE]
    assert [layer.plain_size for layer in packed.layers] == [len(BASE), len(CODE)]
    assert [layer.size for layer in packed.layers] == [
        blobs.path(layer.digest).stat().st_size for layer in packed.layers
    ]


def test_what_was_packed_is_not_asked_for_again(engine: Any, blobs: Store, tmp_path: Path) -> None:
    image_id = engine.have(TAG, BASE, CODE)

    first = blobs.pack(engine, TAG, image_id)
    again = Store(tmp_path).pack(engine, TAG, image_id)

    assert (first, saves(engine)) == (again, 1)


def test_a_layer_of_two_images_is_compressed_once(
    engine: Any, blobs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    compress = export.compress
    monkeypatch.setattr(
        export, "compress", lambda tar, path: made.append(tar.diff_id) or compress(tar, path)
    )

    one = blobs.pack(engine, TAG, engine.have(TAG, BASE, CODE))
    two = blobs.pack(engine, TAG, engine.have(TAG, BASE, b"new code"))

    assert one.layers[0] == two.layers[0]
    assert sorted(made) == sorted([diff_id(BASE), diff_id(CODE), diff_id(b"new code")])


def test_equal_layers_give_equal_bytes_wherever_they_are_packed(
    engine: Any, tmp_path: Path
) -> None:
    image_id = engine.have(TAG, BASE, CODE)

    packed = {Store(tmp_path / name).pack(engine, TAG, image_id).digest for name in "ab"}

    assert len(packed) == 1


def test_an_engine_that_keeps_layers_compressed_gives_the_same(
    engine: Any, blobs: Store, tmp_path: Path
) -> None:
    squeezed = [gzip.compress(BASE) + gzip.compress(b"tail", mtime=3), CODE]
    image_id = engine.have(TAG, BASE + b"tail", CODE, given=squeezed)

    packed = blobs.pack(engine, TAG, image_id)

    assert plain(blobs, packed) == [BASE + b"tail", CODE]


@pytest.mark.parametrize("damage", ["cut", "gone", "other bytes"])
def test_a_damaged_blob_is_made_again_before_anything_is_sent(
    damage: str, engine: Any, blobs: Store, tmp_path: Path
) -> None:
    image_id = engine.have(TAG, BASE, CODE)
    before = blobs.pack(engine, TAG, image_id)
    path = blobs.path(before.layers[0].digest)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + (b"" if damage == "cut" else b"x"))

    again = Store(tmp_path).pack(engine, TAG, image_id)

    assert (again, saves(engine)) == (before, 2)
    assert plain(blobs, again) == [BASE, CODE]


@pytest.mark.parametrize("text", ["{", "[]", '{"config": 1, "layers": []}', '{"layers": [[1]]}'])
def test_a_damaged_record_is_made_again(
    text: str, engine: Any, blobs: Store, tmp_path: Path
) -> None:
    image_id = engine.have(TAG, BASE)
    before = blobs.pack(engine, TAG, image_id)
    (tmp_path / store.FOLDER / "images" / f"{image_id}.json").write_text(text)

    assert blobs.known(image_id) is None
    assert blobs.pack(engine, TAG, image_id) == before


def test_another_image_than_the_built_one_is_refused(engine: Any, blobs: Store) -> None:
    engine.have(TAG, BASE)

    with pytest.raises(NotPacked) as caught:
        blobs.pack(engine, TAG, "f" * 64)

    assert str(caught.value) == (
        f"docker: image {TAG} is not the one that was built "
        f"(got {engine.image_id(TAG)[:12]}, built ffffffffffff). Run `make image`."
    )


def test_an_image_that_is_gone_is_told(engine: Any, blobs: Store) -> None:
    with pytest.raises(NotPacked, match=r"is not here\. Run `make image`\.$"):
        blobs.pack(engine, TAG, "f" * 64)


def test_a_layer_that_is_not_what_the_config_says_is_refused(engine: Any, blobs: Store) -> None:
    image_id = engine.have(TAG, BASE, CODE, given=[BASE, b"altered"])

    with pytest.raises(NotPacked, match=r"^images: the engine gave another layer"):
        blobs.pack(engine, TAG, image_id)

    assert blobs.known(image_id) is None


def test_an_engine_that_fails_is_told_with_its_words_and_the_cure(
    engine: Any, blobs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = engine.have(TAG, BASE)
    failed = subprocess.CompletedProcess([], 1, "", "write /x: no space left on device\n")
    monkeypatch.setattr(type(engine), "ask", lambda *_, **__: failed)

    with pytest.raises(NotPacked) as caught:
        blobs.pack(engine, TAG, image_id)

    assert str(caught.value) == (
        f"docker: does not give image {TAG} out (write /x: no space left on device). "
        "Make room where the engine keeps its images."
    )


def test_an_engine_that_gives_nonsense_is_told(engine: Any, blobs: Store) -> None:
    image_id = engine.have(TAG, BASE)
    engine.images[TAG] = (image_id, b"no archive")

    with pytest.raises(NotPacked, match=r"^docker: gave image .* out damaged \(.*\)\. Remove the"):
        blobs.pack(engine, TAG, image_id)


def test_a_full_disk_is_told(engine: Any, blobs: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    image_id = engine.have(TAG, BASE)
    monkeypatch.setattr(export, "compress", full)

    with pytest.raises(
        NotPacked, match=r"cannot be made ready .*\(No space left on device\)\. Make"
    ):
        blobs.pack(engine, TAG, image_id)


def test_nothing_is_left_beside_the_blobs(engine: Any, blobs: Store, tmp_path: Path) -> None:
    (tmp_path / store.FOLDER / "tmp").mkdir(parents=True)
    (tmp_path / store.FOLDER / "tmp/killed").write_text("by an earlier run")

    blobs.pack(engine, TAG, engine.have(TAG, BASE))

    names = sorted(path.name for path in (tmp_path / store.FOLDER).iterdir())
    assert names == ["images", "layers", "lock", "sha256"]


def test_the_blobs_of_old_images_go_and_shared_ones_stay(
    engine: Any, blobs: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "KEPT", 2)

    packed = [blobs.pack(engine, TAG, engine.have(TAG, BASE, bytes([n]))) for n in range(4)]

    there = {f"sha256:{p.name}" for p in (tmp_path / store.FOLDER / "sha256").iterdir()}
    assert there == {layer.digest for image in packed[2:] for layer in image.layers}
    assert len(list((tmp_path / store.FOLDER / "images").iterdir())) == 2


def test_hosts_that_need_an_image_at_the_same_time_wait_for_one(engine: Any, blobs: Store) -> None:
    image_id = engine.have(TAG, BASE, CODE)
    found: list[Packed] = []
    threads = [
        threading.Thread(target=lambda: found.append(blobs.pack(engine, TAG, image_id)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(found), len(set(found)), saves(engine)) == (4, 1, 1)
