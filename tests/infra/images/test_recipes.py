"""bentofile.yaml, the two recipes and service/requirements.txt, as they stand in the repository."""

import re
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment

from bentos.catalog import MODELS
from infra import versions
from infra.images import inputs, requirements, variants

ROOT = Path(__file__).parents[3]
BENTOFILE = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
RECIPE = (ROOT / inputs.SERVICE_RECIPE).read_text()
TRAINS = {"train", "data", "export", "evaluate", "recipe", "simulator", "build", "parity", "store"}


def rendered(accelerator: str = "cpu") -> str:
    bentofile = BENTOFILE if accelerator == "cpu" else variants.of(BENTOFILE, accelerator)
    docker = bentofile["docker"]
    values = {f"__options__{key}": docker[key] for key in ("base_image", "env")}
    environment = Environment(trim_blocks=True, lstrip_blocks=True)  # noqa: S701  as BentoML's
    return environment.from_string(RECIPE).render(values)


def test_the_base_image_is_the_pinned_one() -> None:
    assert BENTOFILE["docker"]["base_image"] == versions.BASE_IMAGE
    assert re.fullmatch(r"docker\.io/library/debian:\w+-\d{8}-slim", versions.BASE_IMAGE)


def test_every_model_of_the_catalog_is_in_the_image() -> None:
    names = [tag.partition(":")[0] for tag in BENTOFILE["models"]]
    assert names == list(MODELS)
    assert BENTOFILE["docker"]["env"]["BENTOFLEET_MODELS"] == ",".join(names)


def test_nothing_that_trains_is_in_the_bento() -> None:
    files = [Path(name) for name in inputs.included(ROOT, BENTOFILE["include"])]
    assert not [path for path in files if path.parts[0] == "bentos" and path.stem in TRAINS]
    assert {path.parts[0] for path in files} == {"service", "bentos"}
    page = [path for path in files if path.parent == Path("service/ui")]
    assert {path.suffix for path in page} == {".html", ".css", ".js", ".json"}
    assert {path.suffix for path in files if path not in page} <= {".py", ".txt", ".json"}


def test_what_serves_is_in_the_bento() -> None:
    files = inputs.included(ROOT, BENTOFILE["include"])
    for name in MODELS:
        assert f"bentos/{name}/spec.py" in files
        assert f"bentos/{name}/features.py" in files
    assert {"service/__main__.py", "service/app.py", "service/requirements.txt"} <= set(files)


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # BentoML's
def test_the_files_are_those_that_bentoml_takes() -> None:
    from bentoml._internal.bento.build_config import BentoPathSpec  # heavy

    spec = BentoPathSpec(BENTOFILE["include"], [], str(ROOT / "service"))
    below = [path for top in ("service", "bentos") for path in (ROOT / top).rglob("*")]
    names = [path.relative_to(ROOT).as_posix() for path in below if path.is_file()]
    taken = sorted(name for name in names if spec.includes(name))
    assert taken == inputs.included(ROOT, BENTOFILE["include"])


def test_imports_of_what_serves_stay_in_the_bento() -> None:
    files = inputs.included(ROOT, BENTOFILE["include"])
    modules = {name.removesuffix(".py").replace("/", ".") for name in files}
    modules |= {name.removesuffix(".__init__") for name in modules}
    for name in files:
        text = (ROOT / name).read_text() if name.endswith(".py") else ""
        for module in re.findall(r"^\s*from ((?:bentos|service)[\w.]*) import", text, re.MULTILINE):
            assert module in modules, f"{name} imports {module}"


def test_the_service_recipe_renders_to_a_layer_for_each_model() -> None:
    lines = rendered().splitlines()
    assert [line for line in lines if line.startswith("FROM")] == [
        f"FROM {versions.BASE_IMAGE} AS runtime",
        "FROM runtime AS builder",
        "FROM runtime",
    ]
    final = lines[lines.index("FROM runtime") :]
    copied = [line.split()[-1] for line in final if line.startswith("COPY")]
    assert copied == [
        "/opt/bentofleet/venv",
        *(f"/opt/bentofleet/models/{name}" for name in MODELS),
        "/opt/bentofleet/src",
    ]


def test_the_recipe_for_vulkan_adds_layers_and_leaves_the_others_as_they_are() -> None:
    lines, cpu = rendered("vulkan").splitlines(), rendered().splitlines()
    assert [line for line in lines if line.startswith("FROM")] == [
        f"FROM {versions.BASE_IMAGE} AS runtime",
        "FROM runtime AS builder",
        "FROM runtime AS drivers",
        "FROM drivers",
    ]
    copied = [line for line in lines[lines.index("FROM drivers") :] if line.startswith("COPY")]
    assert [line.split()[-1].removeprefix("/opt/bentofleet/") for line in copied] == [
        *("venv", "vulkan"),
        *(f"models/{name}" for name in [*MODELS, "octagon-vulkan", "wildlife-vulkan"]),
        "src",
    ]
    first = cpu.index("FROM runtime AS builder")
    assert lines[:first] == cpu[:first]
    assert "mesa-vulkan-drivers" in rendered("vulkan")
    assert "vulkan" not in rendered()


def test_the_image_for_vulkan_wants_a_card_where_nothing_else_is_said() -> None:
    assert "    BENTOFLEET_ACCELERATOR=vulkan \\\n" in rendered("vulkan")


@pytest.mark.parametrize("name", [inputs.SERVICE_RECIPE, inputs.EDGE_RECIPE])
def test_an_image_runs_as_an_ordinary_user_and_tells_its_health(name: str) -> None:
    text = rendered() if name == inputs.SERVICE_RECIPE else (ROOT / name).read_text()
    final = text[text.rindex("\nFROM ") :]
    users = re.findall(r"^USER (\d+):\d+$", final, re.MULTILINE)
    assert len(users) == 1
    assert int(users[0]) > 0
    assert final.count("\nHEALTHCHECK ") == 1
    assert "LABEL org.opencontainers.image.title=" in final
    assert ":latest" not in text
    assert "\nADD " not in text


def test_the_final_stage_installs_nothing() -> None:
    for text in (rendered(), rendered("vulkan")):
        assert "\nRUN " not in text[text.rindex("\nFROM ") :]


def test_requirements_are_what_the_lock_says() -> None:
    assert requirements.main(["--check"]) == 0


def test_the_image_for_vulkan_gets_ncnn_alone_besides() -> None:
    text = (ROOT / requirements.VULKAN_FILE).read_text()
    assert re.findall(r"^([\w.-]+)==", text, re.MULTILINE) == ["ncnn"]
    assert "--hash=sha256:" in text


def test_requirements_that_are_older_than_the_lock_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service/requirements.txt").write_text("numpy==1.0\n")
    monkeypatch.setattr(requirements, "exported", lambda root: "numpy==2.0\n")
    monkeypatch.setattr(requirements, "exported_for_vulkan", lambda root: "ncnn==1\n")
    with pytest.raises(ValueError, match=r"^service/requirements.txt: is not what uv.lock says"):
        requirements.check(tmp_path)


def test_a_lock_that_uv_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'a'\nversion = '1'\n")
    with pytest.raises(ValueError, match=r"^service/requirements.txt: uv cannot export") as caught:
        requirements.exported(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_image_gets_no_framework_that_trains_and_no_tool_that_installs() -> None:
    text = (ROOT / requirements.FILE).read_text()
    names = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    assert {"numpy", "onnxruntime", "starlette", "uvicorn", "pyjwt"} <= names
    assert not names & {"torch", "xgboost", "onnx", "pandas", "pip", "uv", "setuptools", "pulumi"}
    assert len(re.findall(r"--hash=sha256:", text)) >= len(names)
