"""What both ways of asking a model share: what they are given, and what they give back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bentos.spec import ModelSpec

MODEL = "wildlife"

Answer = Mapping[str, Any]


class Stopped(Exception):
    """The run cannot go on; the message is one line for the user."""


@dataclass(frozen=True)
class Fault:
    """Why one photo has no answer.

    Attributes:
        reason: in words.
        final: asking again would give the same.
    """

    reason: str
    final: bool


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers to some photos, in their order.

    Attributes:
        version: of the model that gave them.
    """

    version: str
    items: Sequence[Answer | Fault]


class Asker(Protocol):
    """A model that answers.

    Attributes:
        spec: the model's.
        version: that answers now.
        where: a URL, or `local`.
        items: photos asked at once.
    """

    spec: ModelSpec
    version: str
    where: str
    items: int

    def ask(self, photos: Sequence[bytes]) -> Answers:
        """Answers; called from several threads.

        Raises:
            Stopped: there will be none.
        """
        ...

    def stop(self) -> None:
        """Makes `ask` give up where it waits."""
        ...

    def close(self) -> None:
        """Gives back what it holds; the last call."""
        ...
