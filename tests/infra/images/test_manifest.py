"""build/images.json: what `pulumi up` may believe, and what it is told otherwise."""

import json
from pathlib import Path

import pytest

from infra.images import inputs, manifest


def built(root: Path, name: str) -> manifest.BuiltImage:
    edge = name == "edge"
    return manifest.BuiltImage(
        name=name,
        tag=f"localhost/bentofleet/{name}:1",
        image_id="f" * 64,
        bento=None if edge else "bentofleet:1",
        inputs=inputs.of_edge(root) if edge else inputs.of_service(root),
    )


@pytest.fixture
def written(project: Path) -> Path:
    for name in ("cpu", "edge"):
        manifest.save(project, built(project, name))
    return project


def test_what_was_saved_is_loaded(written: Path) -> None:
    assert manifest.load_fresh(written) == {name: built(written, name) for name in ("cpu", "edge")}


def test_the_file_has_the_form_that_was_agreed(written: Path) -> None:
    content = json.loads((written / manifest.FILE).read_text())
    assert content["cpu"].keys() == {"tag", "image_id", "bento", "inputs"}
    assert content["edge"].keys() == {"tag", "image_id", "inputs"}


def test_nothing_but_the_file_is_left_after_saving(written: Path) -> None:
    assert [path.name for path in (written / "build").glob("images*")] == ["images.json"]


def test_a_missing_file_says_what_to_do(project: Path) -> None:
    with pytest.raises(ValueError, match=r"^build/images.json: no image was built yet. Run `make"):
        manifest.load(project)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "should be an object (got list)"),
        ('{"cpu": {}}', "cpu.tag is missing or no str"),
        ('{"cpu": 1}', "cpu.tag is missing or no str"),
        ('{"cpu": {"tag": "t", "image_id": 5}}', "cpu.image_id is missing or no str"),
        ('{"cpu": {"tag": "t", "image_id": "i"}}', "cpu.inputs is missing or no dict"),
    ],
    ids=["no JSON", "a list", "empty entry", "a number", "wrong type", "no inputs"],
)
def test_a_broken_file_says_what_is_wrong(project: Path, text: str, message: str) -> None:
    (project / manifest.FILE).write_text(text)
    with pytest.raises(ValueError, match=r"^build/images.json: .*Run `make image`\.$") as caught:
        manifest.load(project)
    assert message in str(caught.value)


def test_a_broken_file_is_written_anew(project: Path) -> None:
    (project / manifest.FILE).write_text("{")
    manifest.save(project, built(project, "edge"))
    assert manifest.load(project).keys() == {"edge"}


def test_an_older_image_names_the_changed_inputs(written: Path) -> None:
    (written / "service/app.py").write_text("one = 2\n")
    (written / "build/bentoml/models/energy/latest").write_text("bbb")
    with pytest.raises(ValueError, match=r"^build/images.json: the image cpu is older") as caught:
        manifest.load_fresh(written)
    assert "(model energy:latest, service/app.py). Run `make image`." in str(caught.value)


def test_new_and_removed_inputs_are_changes_too(written: Path) -> None:
    (written / "service/api/__init__.py").unlink()
    (written / "service/more.py").write_text("")
    image = manifest.load(written)["cpu"]
    assert manifest.changed_inputs(written, image) == ["service/api/__init__.py", "service/more.py"]


def test_many_changes_are_counted_not_listed(written: Path) -> None:
    for number in range(7):
        (written / f"service/more{number}.py").write_text("")
    with pytest.raises(ValueError, match=r"service/more3.py and 3 more\)"):
        manifest.load_fresh(written)


def test_an_image_that_was_never_built_is_named(project: Path) -> None:
    manifest.save(project, built(project, "cpu"))
    with pytest.raises(ValueError, match=r"^build/images.json: the image edge is missing"):
        manifest.load_fresh(project)


def test_an_image_that_is_not_needed_may_be_old_or_missing(written: Path) -> None:
    (written / "service/app.py").write_text("one = 2\n")
    assert manifest.load_fresh(written, {"edge"}).keys() == {"cpu", "edge"}
    with pytest.raises(ValueError, match="the image vulkan is missing") as caught:
        manifest.load_fresh(written, {"edge", "vulkan"})
    assert str(caught.value).endswith("Run `make image ACCELERATOR=vulkan`.")
