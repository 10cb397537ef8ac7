"""Trains the head, prunes it, and trains it a little more. Measures nothing."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from bentos.octagon import network
from bentos.octagon.examples import UNKNOWN, Examples
from bentos.octagon.parameters import Parameters

log = logging.getLogger(__name__)

_CELL_SHARE = 0.25  # of a photo's loss that its cells have, one by one
_DECAY = 1e-3


@contextmanager
def repeatable(parameters: Parameters) -> Iterator[None]:
    """The same result on the same machine, whatever ran before; torch is left as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(parameters.threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(parameters.seed)
            yield
    finally:
        torch.set_num_threads(threads)


def fit(examples: Examples, parameters: Parameters) -> nn.Sequential:
    """A head, trained from nothing."""
    trained = network.head(parameters.width)
    _learn(trained, examples, parameters, parameters.epochs, parameters.learning_rate)
    return trained


def cut(trained: nn.Sequential, share: float) -> None:
    """Sets the smallest weights of the head's convolutions to zero, `share` of all together."""
    prune.global_unstructured(
        [(layer, "weight") for layer in network.convolutions(trained)],
        pruning_method=prune.L1Unstructured,
        amount=share,
    )


def tune(trained: nn.Sequential, examples: Examples, parameters: Parameters) -> None:
    """Trains what was left; the zeros stay, and are made part of the weights."""
    _learn(trained, examples, parameters, parameters.tuning_epochs, parameters.tuning_rate)
    for layer in network.convolutions(trained):
        prune.remove(layer, "weight")  # type: ignore[no-untyped-call]


def scores(trained: nn.Sequential, features: NDArray[np.float16]) -> NDArray[np.float32]:
    """The head's (n,) scores of photos."""
    trained.eval()
    with torch.inference_mode():
        parts = [
            network.joined(trained(_tensor(features[start : start + 64])))
            for start in range(0, len(features), 64)
        ]
    return torch.cat(parts).numpy()


def zeros(trained: nn.Sequential) -> float:
    """Share of the weights of its convolutions that are zero."""
    weights = [layer.weight.detach() for layer in network.convolutions(trained)]
    return sum(int((each == 0).sum()) for each in weights) / sum(each.numel() for each in weights)


def _learn(
    trained: nn.Sequential, examples: Examples, parameters: Parameters, epochs: int, rate: float
) -> None:
    batches = len(examples.labels) // parameters.batch
    optimizer = torch.optim.AdamW(trained.parameters(), rate, weight_decay=_DECAY)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches)
    trained.train()
    for epoch in range(epochs):
        order, total = torch.randperm(len(examples.labels)).numpy(), 0.0
        for number in range(batches):
            rows = order[number * parameters.batch : (number + 1) * parameters.batch]
            loss = _loss(trained, examples, rows, parameters.octagon_weight)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            pace.step()
            total += loss.item()
        log.info("octagon: epoch %d of %d, loss %.4f", epoch + 1, epochs, total / batches)


def _loss(
    trained: nn.Sequential, examples: Examples, rows: NDArray[np.int64], weight: float
) -> torch.Tensor:
    """Of the photos as a whole, and of the cells whose truth is known; octagons count more."""
    cells = trained(_tensor(examples.features[rows])).squeeze(1)
    truth = torch.from_numpy(examples.cells[rows].astype(np.float32))
    labels = torch.from_numpy(examples.labels[rows])
    more = torch.tensor(weight)
    of_cells = functional.binary_cross_entropy_with_logits(
        cells, truth.clamp(min=0), (truth != UNKNOWN).float(), reduction="sum", pos_weight=more
    )
    of_photos = functional.binary_cross_entropy_with_logits(
        network.joined(cells), labels, pos_weight=more
    )
    return of_photos + _CELL_SHARE * of_cells / len(rows)


def _tensor(features: NDArray[np.float16]) -> torch.Tensor:
    tensor = torch.from_numpy(features.astype(np.float32))
    return tensor.contiguous(memory_format=torch.channels_last)
