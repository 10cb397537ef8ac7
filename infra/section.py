"""What every part of a stack's file is: strict, frozen, without unknown keys."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from infra import addresses

Name = Annotated[
    str, AfterValidator(addresses.short_name), Field(json_schema_extra={"pattern": addresses.NAME})
]

Address = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(addresses.reachable)]


class Section(BaseModel):
    """A part of the stack's file: unknown keys are refused, values never change.

    Strict: a number in quotes is no number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
