"""bentofile.yaml for another accelerator than the CPU, made from it: it stays the only one."""

from pathlib import Path
from typing import Any

import yaml

from infra.images import inputs
from service import contract


def write(root: Path, accelerator: str) -> Path:
    """Writes an accelerator's bentofile where `bentoml build` takes it from; its path."""
    content = yaml.safe_load((root / inputs.BENTOFILE).read_text(encoding="utf-8"))
    path = root / "build/tmp" / f"bentofile.{accelerator}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(of(content, accelerator)), encoding="utf-8")
    return path


def of(content: dict[str, Any], accelerator: str) -> dict[str, Any]:
    """The content of the accelerator's bentofile: the converted models and what runs them besides.

    Args:
        content: of bentofile.yaml.
        accelerator: other than the CPU.
    """
    models = inputs.converted(content["models"], accelerator)
    docker = content["docker"]
    names = ",".join(tag.partition(":")[0] for tag in models)
    env = {**docker["env"], contract.ENV_ACCELERATOR: accelerator, "BENTOFLEET_CONVERTED": names}
    return {
        **content,
        "include": [*content["include"], inputs.REQUIREMENTS[accelerator]],
        "models": [*content["models"], *models],
        "docker": {**docker, "env": env},
    }
