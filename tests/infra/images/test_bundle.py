"""A release on a stick: what goes onto it, and what a damaged or foreign one is answered with."""

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from infra.images import bundle, inputs, manifest, store, unbundle
from infra.images.manifest import BuiltImage
from infra.images.store import Store

BASE = b"base " * 10_000
SERVICE, EDGE = "localhost/bentofleet/service:cpu-1", "localhost/bentofleet/edge:1"


@pytest.fixture(autouse=True)
def _here(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle.engines, "find", lambda: engine)


@pytest.fixture
def built(project: Path, engine: Any) -> Path:
    """The project with both images built."""
    for name, tag, of in (
        ("cpu", SERVICE, inputs.of_service(project)),
        ("edge", EDGE, inputs.of_edge(project)),
    ):
        image = BuiltImage(
            name=name,
            tag=tag,
            image_id=engine.have(tag, BASE, name.encode()),
            bento="bentofleet:0123456789ab" if name == "cpu" else None,
            inputs=of,
        )
        manifest.save(project, image)
    return project


@pytest.fixture
def stick(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle."""
    return bundle.make(built, tmp_path_factory.mktemp("stick"))


@pytest.fixture
def elsewhere(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sources on a machine that has neither models nor images."""
    root = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(built, root, ignore=lambda *_: ["build"], dirs_exist_ok=True)
    return root


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]


def rewritten(path: Path, changes: dict[str, bytes | None]) -> Path:
    """The bundle with members replaced, or left out (None)."""
    files = {**members(path), **changes}
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            if content is not None:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_it_holds_each_layer_once_and_is_what_engines_load(stick: Path) -> None:
    files = members(stick)

    entries = json.loads(files["manifest.json"])
    assert [entry["RepoTags"] for entry in entries] == [[SERVICE], [EDGE]]
    named = {name for entry in entries for name in (entry["Config"], *entry["Layers"])}
    assert named <= files.keys()
    assert sum(name.endswith(".tar.gz") for name in files) == 3
    assert stick.name == "bentofleet-0123456789ab.tar"


def test_it_tells_nothing_of_who_made_it(stick: Path) -> None:
    with tarfile.open(stick) as tar:
        assert {(m.uname, m.gname, m.uid, m.mtime) for m in tar} == {("", "", 0, 0)}


def test_elsewhere_it_brings_images_models_and_what_make_up_reads(
    stick: Path, elsewhere: Path, engine: Any
) -> None:
    taken = unbundle.take(elsewhere, stick)

    assert [image.tag for image in taken] == [SERVICE, EDGE]
    assert engine.loads == [str(stick)]
    assert manifest.load_fresh(elsewhere) == {image.name: image for image in taken}
    assert inputs.model_version(inputs.model_store(elsewhere), "energy:latest") == "aaa"
    engine.images.clear()  # what hosts are sent needs the engine no more
    for image in taken:
        Store(elsewhere).pack(engine, image.tag, image.image_id)


def test_taking_it_in_twice_changes_nothing(stick: Path, elsewhere: Path) -> None:
    assert unbundle.take(elsewhere, stick) == unbundle.take(elsewhere, stick)


def test_an_image_that_is_old_or_missing_is_no_release(built: Path, tmp_path: Path) -> None:
    (built / "service/app.py").write_text("one = 2\n")

    with pytest.raises(ValueError, match=r"the image cpu is older than its inputs"):
        bundle.make(built, tmp_path / "stick")

    assert not (tmp_path / "stick").exists()


def test_sources_that_differ_are_named_before_anything_is_taken(
    stick: Path, elsewhere: Path, engine: Any
) -> None:
    (elsewhere / "service/app.py").write_text("one = 2\n")

    with pytest.raises(ValueError, match=r"made from other files than are here \(service/app.py\)"):
        unbundle.take(elsewhere, stick)

    assert engine.loads == []
    assert not (elsewhere / manifest.FILE).exists()


def layer(path: Path) -> str:
    return next(name for name in members(path) if name.endswith(".tar.gz"))


def model(path: Path) -> str:
    return next(name for name in members(path) if name.endswith("model.onnx"))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda p: {layer(p): b"other bytes"}, r"\.tar\.gz"),
        (lambda p: {layer(p): None}, r"\.tar\.gz is missing"),
        (lambda p: {model(p): b"other graph"}, r"model\.onnx"),
        (lambda p: {bundle.INDEX: None}, r"bentofleet\.json is missing"),
        (lambda p: {bundle.INDEX: b"{"}, r"bentofleet\.json"),
        (lambda p: {bundle.INDEX: b"[]"}, r"bentofleet\.json"),
        (lambda p: {bundle.INDEX: b'{"format": 1}'}, r"bentofleet\.json"),
        (
            lambda p: {
                bundle.INDEX: members(p)[bundle.INDEX].replace(b"models/energy", b"models/../../x")
            },
            r"is no model's file",
        ),
    ],
    ids=["altered layer", "no layer", "altered model", "no index", "cut", "list", "bare", "escape"],
)
def test_a_damaged_one_is_refused_and_leaves_nothing(
    change: Any, what: str, stick: Path, elsewhere: Path, engine: Any
) -> None:
    rewritten(stick, change(stick))

    with pytest.raises(ValueError, match=rf"is no bundle, or a damaged one \(.*{what}.*Copy it"):
        unbundle.take(elsewhere, stick)

    assert engine.loads == []
    assert not (elsewhere / manifest.FILE).exists()
    assert not (elsewhere / bundle.FOLDER / "opened").exists()


def test_a_cut_off_one_is_refused(stick: Path, elsewhere: Path) -> None:
    stick.write_bytes(stick.read_bytes()[:-20_000])

    with pytest.raises(ValueError, match="a damaged one"):
        unbundle.take(elsewhere, stick)


def test_another_format_names_the_way_out(stick: Path, elsewhere: Path) -> None:
    rewritten(
        stick, {bundle.INDEX: members(stick)[bundle.INDEX].replace(b'"format": 1', b'"format": 9')}
    )

    with pytest.raises(ValueError, match=r"has another format \(got 9, known 1\)\. Check out"):
        unbundle.take(elsewhere, stick)


def test_the_commands_say_what_to_do_next_or_one_line(
    built: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(built)
    assert bundle.main([]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        f"{bundle.FOLDER}/bentofleet-0123456789ab.tar: 0 MB. There: make unbundle"
    )

    monkeypatch.chdir(elsewhere)
    assert unbundle.main([str(built / said.split(":")[0])]) == 0
    assert capsys.readouterr().out.endswith("release them with `make up`.\n")

    assert unbundle.main(["no-such-file"]) == 1
    assert capsys.readouterr().err == (
        "no-such-file: there is no such file. Name what `make bundle` wrote.\n"
    )


def test_a_stick_that_is_not_mounted_is_no_folder_to_be_made(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(built)

    assert bundle.main(["--to", str(tmp_path / "stick")]) == 1

    assert capsys.readouterr().err == (
        f"--to: there is no such folder (got {tmp_path / 'stick'}). Mount the stick, or make the "
        "folder.\n"
    )
    assert not (tmp_path / "stick").exists()


def test_a_full_stick_leaves_no_half_bundle(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle.os, "fsync", full)
    monkeypatch.chdir(built)
    (tmp_path / "stick").mkdir()

    assert bundle.main(["--to", str(tmp_path / "stick")]) == 1

    assert "cannot be written (No space left on device). Make room" in capsys.readouterr().err
    assert list((tmp_path / "stick").iterdir()) == []
    assert (built / store.FOLDER).exists()
