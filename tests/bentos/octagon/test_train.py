"""The head: its map is Grad-CAM's, its zeros stay, and the same seed trains the same."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from bentos.octagon.parameters import SMALL
from bentos.octagon.scenes import Scene
from bentos.octagon.signs import OCTAGON
from bentos.octagon.spec import CELLS

torch = pytest.importorskip("torch")

from bentos.octagon import examples, network, train  # noqa: E402  they import torch
from bentos.octagon.examples import UNKNOWN, Examples  # noqa: E402

pytestmark = pytest.mark.train

TINY = replace(SMALL, batch=8, width=8, epochs=1, tuning_epochs=1)


@pytest.fixture
def made() -> Iterator[Examples]:
    """Noise with made-up labels."""
    grain = np.random.default_rng(7)
    with train.repeatable(TINY):
        yield Examples(
            features=grain.normal(size=(32, 40, 32, 32)).astype(np.float16),
            labels=(np.arange(32) % 4 == 0).astype(np.float32),
            cells=np.full((32, CELLS, CELLS), UNKNOWN, np.int8),
        )


def test_grad_cam_of_the_last_features_is_the_map_of_scores_up_to_bias_and_factor() -> None:
    torch.manual_seed(7)
    head = network.head(8).eval()
    last = head[:-1](torch.randn(1, 40, 32, 32)).detach().requires_grad_()
    scores = head[-1](last)
    network.joined(scores).sum().backward()
    weights = last.grad.mean(dim=(2, 3), keepdim=True)
    grad_cam = (weights * last).sum(dim=1)
    expected = (scores - head[-1].bias) / CELLS**2
    torch.testing.assert_close(grad_cam, expected[:, 0])


def test_the_pruned_weights_stay_zero_through_the_tuning(made: Examples) -> None:
    trained = train.fit(made, TINY)
    assert train.zeros(trained) == 0
    train.cut(trained, 0.3)
    assert train.zeros(trained) == pytest.approx(0.3, abs=1e-3)
    before = [layer.weight.detach().clone() for layer in network.convolutions(trained)]
    train.tune(trained, made, TINY)
    for layer, old in zip(network.convolutions(trained), before, strict=True):
        assert (layer.weight[old == 0] == 0).all()
        assert (layer.weight != old).any()
        assert not hasattr(layer, "weight_mask")


def test_a_shift_moves_photos_and_cells_alike() -> None:
    head = network.head(8).eval()
    x = torch.randn(2, 40, 32, 32)
    before = head(x)
    network.shift(head, 1.5)
    torch.testing.assert_close(head(x), before + 1.5)
    torch.testing.assert_close(network.joined(head(x)), network.joined(before) + 1.5)


def test_the_same_seed_gives_the_same_scores_and_torch_is_left_as_it_was(made: Examples) -> None:
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    found = []
    for _ in range(2):
        with train.repeatable(TINY):
            found.append(train.scores(train.fit(made, TINY), made.features))
    assert (found[0] == found[1]).all()
    assert torch.get_num_threads() == threads
    assert (torch.random.get_rng_state() == state).all()


def test_the_cell_over_an_octagon_is_to_be_learnt_and_those_beside_it_are_left_open(
    rendered: list[Scene],
) -> None:
    for scene in rendered:
        cells = examples._cells(scene)
        if scene.kind != OCTAGON:
            assert (cells == 0).all()
            continue
        assert (cells == 1).any()
        for centre in scene.centres:
            row, column = (round(place) for place in examples.cell_of(scene, centre))
            assert cells[row, column] == 1


def test_of_a_labelled_photo_only_a_no_tells_about_its_cells(rendered: list[Scene]) -> None:
    photos = [scene.photo for scene in rendered[:2]]
    found = examples.of_photos(photos, [True, False], lambda x: x[:, :1])
    assert found.labels.tolist() == [1, 0]
    assert (found.cells[0] == UNKNOWN).all()
    assert (found.cells[1] == 0).all()
