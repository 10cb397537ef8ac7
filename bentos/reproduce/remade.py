"""What came of making a published model again, in words."""

from collections.abc import Iterator
from dataclasses import dataclass

from bentos.reproduce.closeness import Comparison

_SHOWN_INPUTS = 3


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of making one model again.

    Attributes:
        version: that was published.
        inputs: what differs from the published inputs, in words.
    """

    name: str
    version: str
    duration_s: float
    inputs: tuple[str, ...]
    metrics: Comparison
    answers: Comparison

    @property
    def is_reproduced(self) -> bool:
        """Whether the inputs are the same and everything lies within its tolerance."""
        return not (self.inputs or self.metrics.beyond or self.answers.beyond)

    def line(self) -> str:
        """How it went, for who watches."""
        return (
            f"{self.name}: made again in {self.duration_s:.0f} s: {self.metrics.compared} metrics "
            f"differ by {self.metrics.largest:.3g} at most, {self.answers.compared} golden values "
            f"by {self.answers.largest:.3g}"
        )

    def fault(self) -> str | None:
        """Why it counts as not reproduced, in one line; None where it does not."""
        if self.is_reproduced:
            return None
        return (
            f"{self.name}: {self.name}:{self.version} was not reproduced "
            f"({'; '.join(self._reasons())}). Put the inputs back, or publish what is there with "
            "make models."
        )

    def _reasons(self) -> Iterator[str]:
        yield from self.inputs[:_SHOWN_INPUTS]
        if len(self.inputs) > _SHOWN_INPUTS:
            yield f"{len(self.inputs) - _SHOWN_INPUTS} more inputs differ"
        for what, found in (("metrics", self.metrics), ("golden values", self.answers)):
            if found.beyond:
                first = found.beyond[0]
                yield (
                    f"{len(found.beyond)} of {found.compared} {what} are beyond {found.tolerance:g}"
                    f", first {first.name} with {first.again} instead of {first.published}"
                )
