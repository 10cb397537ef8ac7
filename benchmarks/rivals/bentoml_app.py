"""BentoML with its own `@bentoml.api` routes and all defaults.

Run as `bentoml serve benchmarks.rivals.bentoml_app:Plain`, `…:Typed` or `…:Checked`.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import bentoml
from bentoml.exceptions import BentoMLException
from bentoml.validators import ContentType
from PIL.Image import Image

from benchmarks.rivals import same
from benchmarks.rivals.rows import Power, Row
from service.api.problems import ProblemError

Bytes = Annotated[bytes, ContentType("image/jpeg")]


@bentoml.service
class Plain:
    """As BentoML's first pages show it: parameters with types, a dictionary as the result."""

    def __init__(self) -> None:
        """Loads both models."""
        self.rows, self.photos = same.Rows(), same.Photos()

    @bentoml.api(route=same.TABLE_PATH)  # type: ignore[untyped-decorator]
    async def energy(
        self,
        timestamp: datetime,
        temperature_c: float,
        humidity_percent: float,
        wind_speed_m_s: float,
        general_diffuse_flows_w_m2: float,
        diffuse_flows_w_m2: float,
    ) -> dict[str, float]:
        """The zones' power, in kW."""
        row = {
            "timestamp": timestamp,
            "temperature_c": temperature_c,
            "humidity_percent": humidity_percent,
            "wind_speed_m_s": wind_speed_m_s,
            "general_diffuse_flows_w_m2": general_diffuse_flows_w_m2,
            "diffuse_flows_w_m2": diffuse_flows_w_m2,
        }
        return self.rows.answers([row])[0]

    @bentoml.api(route=same.PHOTO_PATH)  # type: ignore[untyped-decorator]
    def wildlife(self, image: Image, /) -> dict[str, Any]:
        """The likeliest classes."""
        return self.photos.answers([self.photos.encode(image)])[0]


@bentoml.service
class Typed:
    """The row and its result as pydantic models: for the result BentoML then does half the work."""

    def __init__(self) -> None:
        """Loads the table model."""
        self.rows = same.Rows()

    @bentoml.api(route=same.TABLE_PATH)  # type: ignore[untyped-decorator]
    async def energy(self, row: Row, /) -> Power:
        """The zones' power."""
        return Power(**self.rows.answers([row.model_dump()])[0])


@bentoml.service
class Checked:
    """With our tokens and our checks."""

    def __init__(self) -> None:
        """Loads both models and the key set."""
        self.rows, self.photos, self.auth = same.Rows(), same.Photos(), same.auth()

    @bentoml.api(route=same.TABLE_PATH)  # type: ignore[untyped-decorator]
    async def energy(self, row: dict[str, Any], /, ctx: bentoml.Context) -> dict[str, float]:
        """The zones' power, in kW."""
        self._require(ctx, same.TABLE)
        return self.rows.answers([_called(self.rows.check, row)])[0]

    @bentoml.api(route=same.PHOTO_PATH)  # type: ignore[untyped-decorator]
    def wildlife(self, body: Bytes, /, ctx: bentoml.Context) -> dict[str, Any]:
        """The likeliest classes."""
        self._require(ctx, same.PHOTO)
        return self.photos.answers([_called(self.photos.check, body)])[0]

    def _require(self, ctx: bentoml.Context, model: str) -> None:
        header = ctx.request.headers.get("authorization", "").encode()
        _called(_called(self.auth.caller, header).require, model)


class Refused(BentoMLException):
    """Answered with the problem's own status."""

    def __init__(self, problem: ProblemError) -> None:
        """As the problem says."""
        super().__init__(problem.detail, error_code=HTTPStatus(problem.kind.status))


def _called(check: Any, given: object) -> Any:
    try:
        return check(given)
    except ProblemError as problem:
        raise Refused(problem) from problem
