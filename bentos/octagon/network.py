"""The network: five frozen blocks of EfficientNet-Lite0, then a small head that judges each cell.

The frozen part is an eighth as fine as the photo and knows edges and corners from ImageNet; a sign
is a small shape, so the deeper blocks, which know whole animals, are left out. Being frozen, it
runs once per scene, in ONNX Runtime, which is several times as fast as torch on a CPU. The head is
made of dense convolutions for the same reason: torch trains the depthwise ones of EfficientNet
slowly.

The scores of the cells are the class activation map (Zhou et al. 2016): a linear layer on the last
features of each cell. They are joined by log-sum-exp (Pinheiro and Collobert 2015), because an
average over 256 cells drowns a sign that fills two. Its derivatives add up to one, so Grad-CAM
(Selvaraju et al. 2017) gives this very map, up to the bias and a factor.
"""

from pathlib import Path

import torch
from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]
from torch import nn

from bentos.wildlife import weights

FROZEN_BLOCKS = 5
_CHANNELS = 40  # of the last frozen block
_DROPPED = 0.1
_RARE = -4.0  # first score of a cell: few have a sign


class Residual(nn.Module):
    """A convolution with a way round it."""

    def __init__(self, width: int) -> None:
        """Keeps size and width."""
        super().__init__()
        self.step = _step(width, width, stride=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, width, h, w) to the same."""
        return x + self.step(x)  # type: ignore[no-any-return]


def stem(path: Path) -> nn.Module:
    """The frozen part: (n, 3, 256, 256) to (n, 40, 32, 32)."""
    network = EfficientNet.from_name(weights.NETWORK)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    blocks = network._blocks[:FROZEN_BLOCKS]
    whole = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6(), *blocks)
    return whole.requires_grad_(False).eval()


def head(width: int) -> nn.Sequential:
    """The trained part: (n, 40, 32, 32) to the (n, 1, CELLS, CELLS) scores of the cells."""
    score = nn.Conv2d(width, 1, 1)
    nn.init.constant_(_bias(score), _RARE)
    return nn.Sequential(
        _step(_CHANNELS, width, stride=2),
        Residual(width),
        Residual(width),
        nn.Dropout2d(_DROPPED),
        score,
    )


def joined(scores: torch.Tensor) -> torch.Tensor:
    """The (n,) score of each photo from the scores of its cells."""
    return torch.logsumexp(scores.flatten(1), dim=1)


def shift(trained: nn.Sequential, by: float) -> None:
    """Adds to every score, of cells and of photos alike."""
    with torch.no_grad():
        _bias(trained[-1]).add_(by)


class Whole(nn.Module):
    """What is exported: (n, 3, 256, 256) to the probabilities of the photo and of each cell."""

    def __init__(self, frozen: nn.Module, trained: nn.Module) -> None:
        """Puts both parts together."""
        super().__init__()
        self.frozen = frozen
        self.trained = trained

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 1 + CELLS²)."""
        scores = self.trained(self.frozen(x)).flatten(1)
        return torch.sigmoid(torch.cat([joined(scores)[:, None], scores], dim=1))


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    """Every convolution in it."""
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


def _step(inward: int, width: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


def _bias(layer: nn.Module) -> torch.Tensor:
    bias = layer.bias
    assert isinstance(bias, torch.Tensor)  # noqa: S101  for the type checker
    return bias
