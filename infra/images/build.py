"""`make image`: builds the bento and the images whose inputs changed, and writes build/images.json.

The same inputs give the same tag, and a tag that the engine has is not built again.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra import stack_file, versions
from infra.images import base, build_secrets, inputs, logs, manifest, requirements, variants
from infra.images import engine as engines
from service import contract

REPOSITORY = "localhost/bentofleet"
BENTO = "bentofleet"
BUILD_GIB = 2.0  # the layers of both stages, and what pip unpacks on the way
SERVICE = "service"
WHAT = ("bento", SERVICE, contract.VULKAN, "edge")
"""`service` is the service's image for the CPU; the others are named as accelerators."""


def bento_command(version: str, bentofile: Path | None = None) -> list[str]:
    """`bentoml build` of the project in the current folder."""
    other = ["--bentofile", str(bentofile)] if bentofile else []
    return [_bentoml(), "build", "--version", version, *other]


def convert_command() -> list[str]:
    """Converts the published models that a card has to run."""
    return [sys.executable, "-m", "bentos.vulkan"]


def service_command(engine: str, bento: str, tag: str, mounted: Mapping[str, Path]) -> list[str]:
    """`bentoml containerize` with the options that make it repeatable."""
    labels = {"org.opencontainers.image.version": bento.partition(":")[2]}
    options = build_options(engine, mounted, labels, {})
    flags = [part for name, value in options for part in ("--opt", f"{name}={value}")]
    return [_bentoml(), "containerize", bento, "--backend", engine, "--image-tag", tag, *flags]


def edge_command(engine: str, tag: str, mounted: Mapping[str, Path]) -> list[str]:
    """The engine's own build of the edge's recipe."""
    labels = {
        "org.opencontainers.image.base.name": versions.BASE_IMAGE,
        "org.opencontainers.image.version": tag.rpartition(":")[2],
    }
    options = build_options(engine, mounted, labels, {"BASE_IMAGE": versions.BASE_IMAGE})
    flags = [part for name, value in options for part in (f"--{name}", value)]
    recipe = Path(inputs.EDGE_RECIPE)
    return [engine, "build", *flags, "--file", str(recipe), "--tag", tag, str(recipe.parent)]


def build_options(
    engine: str,
    mounted: Mapping[str, Path],
    labels: Mapping[str, str],
    arguments: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Options of the engine's build command, as name and value.

    Podman: the Docker format keeps the health check, `timestamp` fixes the times of all files and
    layers. Docker takes the time as a build argument and has only that format.
    The host's network lets a step reach whatever package mirror this machine reaches.
    """
    if engine == "podman":
        own = [("format", "docker"), ("timestamp", versions.IMAGE_EPOCH_S)]
    else:
        own = [("progress", "plain")]
        arguments = {**arguments, "SOURCE_DATE_EPOCH": versions.IMAGE_EPOCH_S}
    return [
        *own,
        ("network", "host"),
        *(("build-arg", f"{name}={value}") for name, value in arguments.items()),
        *(("label", f"{name}={value}") for name, value in labels.items()),
        *(("secret", f"id={name},src={path}") for name, path in mounted.items()),
    ]


def build_edge(engine: engines.Engine, root: Path) -> manifest.BuiltImage:
    """The edge's image, built where the engine does not have it."""
    made_from = inputs.of_edge(root)
    tag = f"{REPOSITORY}/edge:{inputs.tag_of(made_from)}"
    if engine.image_id(tag) is None:
        logs.say(f"building {tag}")
        engines.refuse_full_disk(engine, BUILD_GIB)
        base.ensure(engine)
        with build_secrets.files(root / "build") as mounted:
            logs.run("edge", edge_command(engine.name, tag, mounted))
    return _finished(engine, root, "edge", tag, None, made_from)


def build_service(
    engine: engines.Engine, root: Path, accelerator: str = contract.CPU
) -> manifest.BuiltImage:
    """An accelerator's bento and image of the service, built where they are not there."""
    if accelerator == contract.VULKAN:
        logs.run("convert", convert_command(), _bentoml_environ(root))
    made_from = service_inputs(root, accelerator)
    version = inputs.tag_of(made_from)
    tag = f"{REPOSITORY}/service:{accelerator}-{version}"
    if engine.image_id(tag) is None:
        bento = build_bento(root, version, accelerator)
        logs.say(f"building {tag}")
        engines.refuse_full_disk(engine, BUILD_GIB)
        base.ensure(engine)
        with build_secrets.files(root / "build") as mounted:
            command = service_command(engine.name, bento, tag, mounted)
            name = "service" if accelerator == contract.CPU else accelerator
            logs.run(name, command, _bentoml_environ(root))
    return _finished(engine, root, accelerator, tag, f"{BENTO}:{version}", made_from)


def build_bento(root: Path, version: str, accelerator: str = contract.CPU) -> str:
    """The bento in BentoML's store, built where it is not there; its tag.

    Its files get the fixed time, so that the engine finds its cached layers again. bento.yaml gets
    it last: a bento without that is one whose build was interrupted.
    """
    folder = inputs.model_store(root).parent / "bentos" / BENTO / version
    done = folder / "bento.yaml"
    epoch_s = int(versions.IMAGE_EPOCH_S)
    if not done.is_file() or done.stat().st_mtime != epoch_s:
        shutil.rmtree(folder, ignore_errors=True)
        logs.say(f"building the bento {BENTO}:{version}")
        bentofile = None if accelerator == contract.CPU else variants.write(root, accelerator)
        logs.run("bento", bento_command(version, bentofile), _bentoml_environ(root))
        for path in sorted(folder.rglob("*"), key=lambda path: path == done):
            os.utime(path, (epoch_s, epoch_s))
    return f"{BENTO}:{version}"


def service_inputs(root: Path, accelerator: str = contract.CPU) -> dict[str, str]:
    """Inputs of an accelerator's bento, all of them there.

    Raises:
        ValueError: a model is not in the store, or the requirements are older than the lock.
    """
    made_from = inputs.of_service(root, accelerator=accelerator)
    missing = [name for name, value in made_from.items() if value == inputs.MISSING]
    if missing:
        store = inputs.model_store(root)
        raise ValueError(f"{', '.join(missing)}: not in the store {store}. Run `make models`.")
    requirements.check(root)
    return made_from


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds what was asked for; one line and exit code 1 where that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.images.build", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "what", nargs="*", metavar="IMAGE", help=f"{', '.join(WHAT)}; default: service and edge"
    )
    parser.add_argument("--stack", help="builds what the hosts of this stack need")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.what if name not in WHAT]:
        parser.error(f"there is no such image (got {unknown[0]}). Name one of {', '.join(WHAT)}.")
    try:
        _build(options.what or _needed(options.stack), Path.cwd())
    except (ValueError, logs.Failed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except base.NoWay as error:
        sys.stderr.write(
            f"base image {versions.BASE_IMAGE}: cannot be pulled ({error}), and mmdebstrap is not "
            f"installed to make it. Install mmdebstrap and debian-archive-keyring.\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("image: interrupted, the same command goes on from here.\n")
        return 130
    return 0


def _needed(stack: str | None) -> list[str]:
    """The edge, and the service's image of each accelerator that a stack has.

    A stack without a file is one that set-up makes after its images: that one is this CPU.

    Raises:
        ConfigError: the stack's file is wrong.
    """
    if stack is None or not stack_file.path_of(stack).exists():
        return ["edge", SERVICE]
    used = {host.accelerator for host in stack_file.hosts(stack)[1]}
    return ["edge", *sorted(SERVICE if each == contract.CPU else each for each in used)]


def _build(asked: Sequence[str], root: Path) -> None:
    started = time.monotonic()
    if "bento" in asked:
        logs.say(f"bento {build_bento(root, inputs.tag_of(service_inputs(root)))}")
    if set(asked) == {"bento"}:
        return
    engine = engines.find()
    if "edge" in asked:
        build_edge(engine, root)
    if SERVICE in asked:
        build_service(engine, root)
    if contract.VULKAN in asked:
        build_service(engine, root, contract.VULKAN)
    logs.say(f"{manifest.FILE} is up to date ({time.monotonic() - started:.0f} s)")


def _finished(
    engine: engines.Engine,
    root: Path,
    name: str,
    tag: str,
    bento: str | None,
    made_from: Mapping[str, str],
) -> manifest.BuiltImage:
    image_id = engine.image_id(tag)
    if image_id is None:
        raise logs.Failed(
            f"image {name}: the build ended well but {engine.name} has no {tag}. "
            "Run `make image` again."
        )
    image = manifest.BuiltImage(
        name=name, tag=tag, image_id=image_id, bento=bento, inputs=made_from
    )
    manifest.save(root, image)
    logs.say(f"{name}: {tag}")
    return image


def _bentoml() -> str:
    return str(Path(sys.executable).with_name("bentoml"))


def _bentoml_environ(root: Path) -> dict[str, str]:
    # BentoML takes a recipe only from below the current folder, and it copies it to TMPDIR first.
    scratch = root / "build/tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    home = inputs.model_store(root).parent
    ours = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "TMPDIR": str(scratch)}
    return {**os.environ, **ours}


if __name__ == "__main__":
    sys.exit(main())
