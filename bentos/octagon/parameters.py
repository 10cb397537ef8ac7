"""What is chosen about the octagon model. Imports no framework."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Sizes of the rendered sets and of the training.

    Attributes:
        train: scenes to learn from; `validation` ones choose the threshold; `test` ones score.
        epochs: before the pruning.
        tuning_epochs: after it.
        pruned_share: of the convolutions' weights of the head that are set to zero.
        width: channels of the head.
        octagon_weight: times that an octagon counts in the loss, for there are fewer of them.
        threads: of torch; fixed, because another number of them adds up in another order, and one,
            because two wait for each other when the machine is shared (18 s became 220 s).
        small: the variant for tests.
    """

    train: int = 8000
    validation: int = 1000
    test: int = 1600
    epochs: int = 6
    tuning_epochs: int = 3
    batch: int = 32
    width: int = 64
    octagon_weight: float = 2.0
    learning_rate: float = 3e-3
    tuning_rate: float = 5e-4
    pruned_share: float = 0.3
    threads: int = 1
    seed: int = 7
    small: bool = False


FULL = Parameters()
SMALL = Parameters(train=160, validation=80, test=80, epochs=2, tuning_epochs=1, small=True)
