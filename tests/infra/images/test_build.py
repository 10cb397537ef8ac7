"""The commands of a build, compared whole, and what it says before it starts one."""

from pathlib import Path

import pytest
import yaml

from infra import versions
from infra.images import base, build, engine, inputs, logs, manifest, requirements, variants

EPOCH = versions.IMAGE_EPOCH_S
SECRETS = {"ca": Path("/etc/ca.crt"), "pip": Path("/b/pip.conf")}


def test_podman_builds_the_service_through_bentoml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_bentoml", lambda: "bentoml")
    command = build.service_command("podman", "bentofleet:abc", "some:tag", SECRETS)
    assert " ".join(command) == (
        "bentoml containerize bentofleet:abc --backend podman --image-tag some:tag "
        f"--opt format=docker --opt timestamp={EPOCH} --opt network=host "
        "--opt label=org.opencontainers.image.version=abc "
        "--opt secret=id=ca,src=/etc/ca.crt --opt secret=id=pip,src=/b/pip.conf"
    )


def test_docker_takes_the_time_as_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_bentoml", lambda: "bentoml")
    command = build.service_command("docker", "bentofleet:abc", "some:tag", {})
    assert " ".join(command) == (
        "bentoml containerize bentofleet:abc --backend docker --image-tag some:tag "
        f"--opt progress=plain --opt network=host --opt build-arg=SOURCE_DATE_EPOCH={EPOCH} "
        "--opt label=org.opencontainers.image.version=abc"
    )


def test_the_edge_is_built_from_its_recipe_alone() -> None:
    command = build.edge_command("podman", "localhost/bentofleet/edge:abc", {})
    assert " ".join(command) == (
        f"podman build --format docker --timestamp {EPOCH} --network host "
        f"--build-arg BASE_IMAGE={versions.BASE_IMAGE} "
        f"--label org.opencontainers.image.base.name={versions.BASE_IMAGE} "
        "--label org.opencontainers.image.version=abc "
        "--file infra/images/edge/Containerfile --tag localhost/bentofleet/edge:abc "
        "infra/images/edge"
    )


class Shelf(engine.Engine):
    """An engine that has the images it is told to have."""

    def image_id(self, tag: str) -> str | None:
        return "f" * 64 if tag in SHELF else None


SHELF: set[str] = set()


@pytest.fixture
def commands(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that a build runs in the small project; the first word and its argument."""
    ran: list[str] = []

    def run(name: str, command: list[str], environ: object = None) -> None:
        ran.append(name)
        if name == "bento":
            folder = project / "build/bentoml/bentos/bentofleet"
            folder /= command[command.index("--version") + 1]
            folder.mkdir(parents=True)
            (folder / "bento.yaml").write_text("name: bentofleet\n")
        elif name != "convert":
            SHELF.add(next(word for word in command if word.startswith("localhost/")))

    SHELF.clear()
    monkeypatch.chdir(project)
    monkeypatch.setattr(logs, "run", run)
    monkeypatch.setattr(base, "ensure", lambda engine: None)
    monkeypatch.setattr(requirements, "check", lambda root: None)
    monkeypatch.setattr(build.engines, "find", lambda: Shelf("podman"))
    return ran


def test_a_first_build_makes_everything_and_writes_the_manifest(
    commands: list[str], project: Path
) -> None:
    assert build.main([]) == 0
    assert commands == ["edge", "bento", "service"]
    images = manifest.load_fresh(project)
    version = inputs.tag_of(inputs.of_service(project))
    assert images["cpu"].tag == f"localhost/bentofleet/service:cpu-{version}"
    assert images["cpu"].bento == f"bentofleet:{version}"
    assert images["edge"].tag == (
        f"localhost/bentofleet/edge:{inputs.tag_of(inputs.of_edge(project))}"
    )


def test_a_second_build_runs_nothing(commands: list[str], project: Path) -> None:
    assert build.main([]) == 0
    before = (project / manifest.FILE).read_bytes()
    commands.clear()
    assert build.main([]) == 0
    assert commands == []
    assert (project / manifest.FILE).read_bytes() == before


def test_a_changed_service_builds_no_edge(commands: list[str], project: Path) -> None:
    assert build.main([]) == 0
    (project / "service/app.py").write_text("one = 2\n")
    commands.clear()
    assert build.main([]) == 0
    assert commands == ["bento", "service"]


def test_an_image_that_the_engine_lost_is_built_from_the_same_bento(
    commands: list[str], project: Path
) -> None:
    assert build.main([]) == 0
    SHELF.clear()
    commands.clear()
    assert build.main([]) == 0
    assert commands == ["edge", "service"]


def test_a_lost_manifest_is_written_again_without_a_build(
    commands: list[str], project: Path
) -> None:
    assert build.main([]) == 0
    (project / manifest.FILE).unlink()
    commands.clear()
    assert build.main([]) == 0
    assert commands == []
    assert manifest.load_fresh(project).keys() == {"cpu", "edge"}


def test_a_bento_whose_build_was_interrupted_is_built_again(
    commands: list[str], project: Path
) -> None:
    version = inputs.tag_of(inputs.of_service(project))
    half = project / "build/bentoml/bentos/bentofleet" / version
    half.mkdir(parents=True)
    (half / "bento.yaml").write_text("half of it")
    assert build.main(["bento"]) == 0
    assert commands == ["bento"]
    assert (half / "bento.yaml").read_text() == "name: bentofleet\n"
    assert (half / "bento.yaml").stat().st_mtime == int(EPOCH)


def test_only_the_bento_needs_no_container_engine(
    commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> engine.Engine:
        raise ValueError("containers: no engine answers.")

    monkeypatch.setattr(build.engines, "find", none)
    assert build.main(["bento"]) == 0
    assert build.main(["edge"]) == 1


def test_a_missing_model_is_named_before_anything_is_built(
    commands: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "build/bentoml/models/energy/latest").unlink()
    assert build.main(["service"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("model energy:latest: not in the store ")
    assert said.endswith("Run `make models`.\n")
    assert commands == []


def test_a_failed_command_is_one_line_with_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    script = "echo 'STEP 1/2: FROM base'; echo 'Error: no space left'; echo bye; exit 3"
    with pytest.raises(logs.Failed) as caught:
        logs.run("service", ["sh", "-c", script])
    assert str(caught.value) == (
        "image service: sh failed with exit code 3 (Error: no space left). "
        "The whole output is in build/logs/image-service.log."
    )
    assert capsys.readouterr().out == "image: STEP 1/2: FROM base\n"
    assert (tmp_path / "build/logs/image-service.log").read_text().count("\n") == 3


def test_a_program_that_is_missing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(logs.Failed, match=r"^image: no-such-program is not installed"):
        logs.run("service", ["no-such-program"])


VULKAN = {
    "bentofile.yaml": (
        "include: [service/**/*.py]\nmodels: [energy:latest, wildlife:latest]\n"
        "docker: {env: {BENTOFLEET_MODELS: 'energy,wildlife'}}\n"
    ),
    "service/requirements-vulkan.txt": "ncnn==1\n",
    "build/bentoml/models/wildlife/latest": "www",
    "build/bentoml/models/wildlife/www/model.onnx": "graph w",
    "build/bentoml/models/wildlife-vulkan/latest": "vvv",
    "build/bentoml/models/wildlife-vulkan/vvv/model.ncnn.bin": "weights",
}


@pytest.fixture
def photo_project(project: Path) -> Path:
    """The small project with a photo model, converted."""
    for name, text in VULKAN.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    return project


def test_the_image_for_vulkan_is_built_when_it_is_asked_for(
    commands: list[str], photo_project: Path
) -> None:
    assert build.main(["vulkan"]) == 0
    assert commands == ["convert", "bento", "vulkan"]
    images = manifest.load_fresh(photo_project, {"vulkan"})
    version = inputs.tag_of(inputs.of_service(photo_project, accelerator="vulkan"))
    assert images["vulkan"].tag == f"localhost/bentofleet/service:vulkan-{version}"
    assert images["vulkan"].bento == f"bentofleet:{version}"


def test_a_stack_with_a_card_gets_the_image_for_it(
    commands: list[str], photo_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.stack_file, "ROOT", photo_project)
    host = {"name": "one", "address": "192.0.2.11", "user": "deploy", "accelerator": "vulkan"}
    stack = {"config": {"bentofleet:stack": {"kind": "local", "hosts": [host]}}}
    (photo_project / "Pulumi.lab.yaml").write_text(yaml.safe_dump(stack))

    assert build.main(["--stack", "lab"]) == 0
    assert commands == ["edge", "convert", "bento", "vulkan"]


def test_a_stack_without_a_file_gets_what_the_demo_needs(
    commands: list[str], photo_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.stack_file, "ROOT", photo_project)

    assert build.main(["--stack", "demo"]) == 0
    assert commands == ["edge", "bento", "service"]


def test_a_stack_whose_file_is_wrong_is_told_before_a_build(
    commands: list[str],
    photo_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(build.stack_file, "ROOT", photo_project)
    (photo_project / "Pulumi.lab.yaml").write_text("config: {}\n")

    assert build.main(["--stack", "lab"]) == 1
    assert capsys.readouterr().err.startswith("Pulumi.lab.yaml: has no `bentofleet:stack`")
    assert commands == []


def test_another_accelerators_bentofile_is_the_one_and_what_it_needs_besides(
    photo_project: Path,
) -> None:
    content = yaml.safe_load(variants.write(photo_project, "vulkan").read_text())

    assert content["models"] == ["energy:latest", "wildlife:latest", "wildlife-vulkan:latest"]
    assert content["include"] == ["service/**/*.py", "service/requirements-vulkan.txt"]
    assert content["docker"]["env"] == {
        "BENTOFLEET_MODELS": "energy,wildlife",
        "BENTOFLEET_ACCELERATOR": "vulkan",
        "BENTOFLEET_CONVERTED": "wildlife-vulkan",
    }


def test_the_bento_of_another_accelerator_has_a_bentofile_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "_bentoml", lambda: "bentoml")
    command = build.bento_command("abc", Path("build/tmp/bentofile.vulkan.yaml"))
    assert " ".join(command) == (
        "bentoml build --version abc --bentofile build/tmp/bentofile.vulkan.yaml"
    )
