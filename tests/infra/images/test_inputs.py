"""What changes an image's tag, and what does not."""

import os
from pathlib import Path

import pytest

from infra import versions
from infra.images import inputs


def service_tag(root: Path) -> str:
    return inputs.tag_of(inputs.of_service(root))


def test_a_tag_is_twelve_hex_digits(project: Path) -> None:
    assert len(service_tag(project)) == 12
    assert int(service_tag(project), 16) >= 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("service/app.py", "one = 2\n"),
        ("service/new.py", "two = 2\n"),
        ("service/requirements.txt", "numpy==2.4.7\n"),
        ("infra/images/service.dockerfile.j2", "FROM other\n"),
        ("build/bentoml/models/energy/latest", "bbb"),
        ("build/bentoml/models/energy/aaa/model.onnx", "graph c"),
        (
            "bentofile.yaml",
            "include: [service/**/*.py, service/requirements.txt]\nmodels: [energy:latest] #\n",
        ),
    ],
    ids=["service file", "new file", "lock", "recipe", "model version", "model file", "bentofile"],
)
def test_a_changed_input_changes_the_tag(project: Path, name: str, text: str) -> None:
    before = service_tag(project)
    (project / name).write_text(text)
    assert service_tag(project) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "read on\n"),
        ("service/notes.txt", "nothing that is served\n"),
        ("service/__pycache__/new.cpython-311.pyc", "compiled"),
        ("infra/images/edge/Containerfile", "FROM other\n"),
        ("build/bentoml/models/energy/bbb/model.onnx", "a version that is not the latest"),
        ("build/bentoml/models/energy/aaa/card.json", '{"created_at": "today"}'),
        ("build/bentoml/models/energy/aaa/data.json", '{"made_at": "today"}'),
    ],
    ids=[
        *("readme", "not included", "cache", "other recipe", "other version"),
        *("date of training", "dates of the data"),
    ],
)
def test_an_unrelated_file_keeps_the_tag(project: Path, name: str, text: str) -> None:
    before = service_tag(project)
    (project / name).write_text(text)
    assert service_tag(project) == before


def test_file_times_and_owners_do_not_count(project: Path) -> None:
    before = service_tag(project)
    for path in project.rglob("*"):
        os.utime(path, (1, 1))
    (project / "service/app.py").chmod(0o600)
    assert service_tag(project) == before


def test_a_removed_file_changes_the_tag(project: Path) -> None:
    before = service_tag(project)
    (project / "service/api/__init__.py").unlink()
    assert service_tag(project) != before


def test_another_base_image_changes_both_tags(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, edge = service_tag(project), inputs.tag_of(inputs.of_edge(project))
    monkeypatch.setattr(versions, "BASE_IMAGE", "debian:other")
    assert service_tag(project) != service
    assert inputs.tag_of(inputs.of_edge(project)) != edge


def test_the_service_does_not_change_the_edge(project: Path) -> None:
    before = inputs.tag_of(inputs.of_edge(project))
    (project / "service/app.py").write_text("one = 3\n")
    assert inputs.tag_of(inputs.of_edge(project)) == before


def test_a_name_and_a_content_that_swap_are_not_the_same_inputs() -> None:
    assert inputs.tag_of({"a": "1", "b": "2"}) != inputs.tag_of({"a": "2", "b": "1"})
    assert inputs.tag_of({"a": "1", "b": "2"}) == inputs.tag_of({"b": "2", "a": "1"})


def test_a_model_that_is_not_in_the_store_is_named_missing(project: Path) -> None:
    (project / "build/bentoml/models/energy/latest").unlink()
    assert inputs.of_service(project)["model energy:latest"] == inputs.MISSING


def test_a_pinned_version_is_found_without_the_pointer(project: Path) -> None:
    store = inputs.model_store(project)
    assert inputs.model_version(store, "energy:bbb") == "bbb"
    assert inputs.model_version(store, "energy:latest") == "aaa"
    assert inputs.model_version(store, "energy:ccc") is None


def test_bentoml_home_says_where_the_models_are(project: Path) -> None:
    assert inputs.model_store(project, {"BENTOML_HOME": "/x"}) == Path("/x/models")
    assert inputs.model_store(project, {}) == project / "build/bentoml/models"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "bentofile.yaml: cannot be read (while parsing a flow node)"),
        ("models: []", "bentofile.yaml: include should be a list of strings (got None)"),
        ("include: [a]\nmodels: energy", "models should be a list of strings (got 'energy')"),
        ("- a", "bentofile.yaml: include should be a list of strings (got None)"),
    ],
    ids=["no YAML", "no include", "models a string", "a list"],
)
def test_a_broken_bentofile_is_one_line(project: Path, text: str, message: str) -> None:
    (project / "bentofile.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"^bentofile\.yaml: ") as caught:
        inputs.of_service(project)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def photo_project(project: Path) -> Path:
    """The small project with a photo model, and that model in its converted form."""
    for name, text in {
        "bentofile.yaml": "include: [service/**/*.py]\nmodels: [energy:latest, wildlife:latest]\n",
        "service/requirements-vulkan.txt": "ncnn==1\n",
        "build/bentoml/models/wildlife/latest": "www",
        "build/bentoml/models/wildlife/www/model.onnx": "graph w",
        "build/bentoml/models/wildlife-vulkan/latest": "vvv",
        "build/bentoml/models/wildlife-vulkan/vvv/model.ncnn.bin": "weights",
        "build/bentoml/models/wildlife-vulkan/vvv/conversion.json": '{"parity": 1}',
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    return project


def vulkan_tag(root: Path) -> str:
    return inputs.tag_of(inputs.of_service(root, accelerator="vulkan"))


def test_photo_models_are_converted_for_vulkan_and_rows_are_not() -> None:
    tags = ["demand:latest", "energy:latest", "octagon:latest", "wildlife:latest"]

    assert inputs.converted(tags, "vulkan") == ["octagon-vulkan:latest", "wildlife-vulkan:latest"]
    assert inputs.converted(tags, "cpu") == []


@pytest.mark.parametrize(
    ("name", "text", "changes_cpu"),
    [
        ("build/bentoml/models/wildlife-vulkan/vvv/model.ncnn.bin", "other weights", False),
        ("service/requirements-vulkan.txt", "ncnn==2\n", False),
        ("build/bentoml/models/wildlife/www/model.onnx", "graph x", True),
        ("service/app.py", "one = 2\n", True),
    ],
    ids=["converted", "its lock", "graph", "code"],
)
def test_what_is_for_vulkan_alone_keeps_the_tag_for_the_cpu(
    photo_project: Path, name: str, text: str, changes_cpu: bool
) -> None:
    cpu, vulkan = service_tag(photo_project), vulkan_tag(photo_project)
    (photo_project / name).write_text(text)

    assert vulkan_tag(photo_project) != vulkan
    assert (service_tag(photo_project) != cpu) == changes_cpu


def test_the_day_of_a_conversion_keeps_the_tag(photo_project: Path) -> None:
    before = vulkan_tag(photo_project)
    manifest = photo_project / "build/bentoml/models/wildlife-vulkan/vvv/conversion.json"
    manifest.write_text('{"parity": 2}')

    assert vulkan_tag(photo_project) == before


def test_two_accelerators_have_two_tags(photo_project: Path) -> None:
    assert vulkan_tag(photo_project) != service_tag(photo_project)
