"""What came of one photo."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cameratraps.folder import PhotoFile

Key = tuple[str, int, int]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One of the animals that the model thinks of."""

    label: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """A photo's answer or fault.

    Attributes:
        version: of the model that answered; empty where none did.
        predictions: the likeliest animals, best first.
        error: why there is no answer; None where there is one.
        final: asking again would give the same.
        reduced: it was larger than the model takes, and was made smaller first.
        thumbnail: a small WebP picture in base64; empty where none could be made.
    """

    name: str
    size_bytes: int
    mtime_ns: int
    version: str = ""
    predictions: tuple[Prediction, ...] = ()
    error: str | None = None
    final: bool = True
    reduced: bool = False
    thumbnail: str = ""

    @property
    def key(self) -> Key:
        """What makes it the record of the photo that lies there now."""
        return (self.name, self.size_bytes, self.mtime_ns)

    @property
    def species(self) -> str | None:
        """The likeliest animal."""
        return self.predictions[0].label if self.predictions else None

    @property
    def confidence(self) -> float | None:
        """Its probability."""
        return self.predictions[0].probability if self.predictions else None

    def as_json(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)


def key(photo: PhotoFile) -> Key:
    """The key that the photo's record has."""
    return (photo.name, photo.size_bytes, photo.mtime_ns)


def answered(photo: PhotoFile, answer: Mapping[str, Any], version: str, **more: Any) -> Record:
    """The record of an answer of the model.

    Raises:
        ValueError: it is not such an answer.
    """
    try:
        predictions = tuple(
            Prediction(label=str(each["label"]), probability=float(each["probability"]))
            for each in answer["predictions"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"an answer without predictions ({answer!r:.100})") from error
    if not predictions:
        raise ValueError("an answer without predictions")
    return Record(**vars(photo), version=version, predictions=predictions, **more)


def from_json(found: Mapping[str, Any]) -> Record:
    """A record of the journal.

    Raises:
        TypeError: it is none.
    """
    predictions = tuple(Prediction(**each) for each in found["predictions"])
    return Record(**{**found, "predictions": predictions})
