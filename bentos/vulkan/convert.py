"""Turns a published ONNX graph into ncnn's two files, and proves that they answer the same."""

import json
import logging
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from bentos import golden, parity
from bentos.recipe import BuildError

PARAM_FILE = "model.ncnn.param"
WEIGHTS_FILE = "model.ncnn.bin"
TOLERANCE = 1e-4
"""Largest difference of an output, a probability; fp32 differs by a hundredth of it."""

_TIMEOUT_S = 600
_THREADS = 1

log = logging.getLogger(__name__)

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """How far the converted graph is from the published one.

    Attributes:
        device: that it was run on: the processor, for a build machine has no card. On the card the
            golden answers are compared whenever the model is loaded.
        largest: difference of any output.
        photos: that were compared, all at once and one by one.
    """

    device: str
    measure: str
    tolerance: float
    largest: float
    photos: int


def convert(graph: Path, shape: tuple[int, ...], folder: Path) -> None:
    """Writes `PARAM_FILE` and `WEIGHTS_FILE`, in fp32.

    Args:
        graph: ONNX, one input and one output.
        shape: of one item.
        folder: to write to.

    Raises:
        BuildError: pnnx is missing or refuses the graph.
    """
    with tempfile.TemporaryDirectory(prefix="bentofleet-pnnx-") as scratch:
        work = Path(scratch)
        onnx.save(_without_batch_axis(onnx.load(graph)), work / "model.onnx")
        sizes = ",".join(str(size) for size in (1, *shape))
        # fp16=0: else the weights are stored in half precision, and three digits are gone.
        _pnnx(work, f"inputshape=[{sizes}]f32", "fp16=0")
        for name in (PARAM_FILE, WEIGHTS_FILE):
            if not (work / name).is_file():
                raise BuildError(
                    f"{graph}: pnnx wrote no {name}. Go back to the versions of uv.lock."
                )
            (folder / name).write_bytes((work / name).read_bytes())


def _without_batch_axis(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph in a form that is right for ncnn, whose tensors have no axis of the batch.

    What is reduced to one number an item and then gets an axis back is, there, a tensor with one
    axis too many: it is reduced with that axis kept.
    """
    nodes = model.graph.node
    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    for node in list(nodes):
        users = [each for each in nodes if node.output[0] in each.input]
        if not (node.op_type.startswith("Reduce") and len(users) == 1):
            continue
        (user,) = users
        attributes = {each.name: each for each in node.attribute}
        axes, back = attributes.get("axes"), constants.get(user.input[-1])
        if user.op_type == "Unsqueeze" and axes and back is not None:
            keeps = attributes.get("keepdims")
            if keeps is not None and keeps.i == 0 and back.tolist() == list(axes.ints):
                keeps.i = 1
                node.output[0] = user.output[0]
                nodes.remove(user)
    return model


def _pnnx(work: Path, *options: str) -> None:
    import pnnx  # type: ignore[import-untyped]  # a binary of 90 MB

    command = [pnnx.EXEC_PATH, "model.onnx", *options]
    try:
        done = subprocess.run(
            command, cwd=work, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"pnnx: did not end (waited {_TIMEOUT_S} s). Look whether this machine is busy."
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise BuildError(
            f"pnnx: failed with exit code {done.returncode} ({said[-1]}). Go back to the versions "
            "of uv.lock."
        )


def prove(graph: Path, folder: Path, x: NDArray[np.float32]) -> Proof:
    """Runs both on `x`, all at once and one by one, and compares every output.

    Raises:
        BuildError: an output differs by more than the tolerance, or is not finite.
    """
    expected = parity.runner(graph)(x)
    run = runner(folder)
    alone = np.concatenate([run(x[index : index + 1]) for index in range(len(x))])
    found = [run(x), alone]
    if any(each.shape != expected.shape for each in found):
        raise BuildError(
            f"{graph}: converted, its output has the shape {found[0].shape} instead of "
            f"{expected.shape}. Go back to the versions of uv.lock."
        )
    largest = max(float(np.abs(each - expected).max()) for each in found)
    if not largest <= TOLERANCE:  # also when it is not a number
        raise BuildError(
            f"{graph}: converted, an output differs by {largest:.3g} (at most {TOLERANCE:g} is "
            "allowed). Go back to the versions of uv.lock."
        )
    return Proof(
        device="cpu", measure="absolute", tolerance=TOLERANCE, largest=largest, photos=len(x)
    )


def runner(folder: Path) -> Run:
    """The converted graph as a function on this processor, in fp32.

    Raises:
        BuildError: ncnn does not load it.
    """
    import ncnn  # type: ignore[import-untyped]

    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = _THREADS
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    files = [str(folder / name) for name in (PARAM_FILE, WEIGHTS_FILE)]
    if net.load_param(files[0]) or net.load_model(files[1]):
        raise BuildError(f"{folder}: ncnn cannot load it. Go back to the versions of uv.lock.")

    def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(np.ascontiguousarray(x), batch_index=0).clone())
            failed, y = extractor.extract("out0")
            if failed:
                raise BuildError(f"{folder}: ncnn gave {failed}. Go back to uv.lock's versions.")
            return np.array(y.numpy(batch_index=0)).reshape(len(x), -1)

    return run


def golden_inputs(folder: Path, encode: Callable[[Image.Image], NDArray[np.float32]]) -> Any:
    """The golden photos of a published photo model as its graph's input, (n, 3, side, side).

    Raises:
        BuildError: there are none.
    """
    document: Mapping[str, Any] = json.loads((folder / golden.GOLDEN_FILE).read_bytes())
    pictures = []
    for item in document["items"]:
        with Image.open(folder / item["input"]) as photo:
            pictures.append(encode(photo.convert("RGB")))
    if not pictures:
        raise BuildError(f"{folder}: has no golden photos. Run `make models`.")
    return np.stack(pictures)


def tools() -> dict[str, str]:
    """Versions of what converts and runs."""
    return {name: version(name) for name in ("ncnn", "pnnx")}


def told(proof: Proof) -> dict[str, Any]:
    """The proof as JSON."""
    return asdict(proof)
