"""How images reach the hosts: straight from here, or through a registry."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from infra import faults
from infra.section import Section

PASSWORD = "bentofleet:registry-password"  # noqa: S105 - the setting's name
_SET = f"`pulumi config set --secret {PASSWORD}`"

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_REPOSITORY = re.compile(
    rf"(localhost|{_LABEL}(\.{_LABEL})+|{_LABEL}(?=:))(:\d{{1,5}})?"
    r"(/[a-z0-9]+((-+|__?|\.)[a-z0-9]+)*)+",
    re.ASCII,
)
"""A registry and a path in it (the distribution project's reference grammar)."""


def repository(text: str) -> str:
    """The place in a registry, if images can be pushed there.

    Raises:
        ValueError: it is none.
    """
    if not _REPOSITORY.fullmatch(text):
        raise ValueError(
            f"is no place in a registry (got {faults.shown(text)}). Write registry and path in "
            "small letters, without scheme and tag, such as `ghcr.io/org/bentofleet`."
        )
    return text


class Images(Section):
    """How images reach the hosts."""

    registry: Annotated[str, AfterValidator(repository), Field(max_length=180)] | None = Field(
        default=None,
        description="where images are pushed once, and pulled from by every host, such as "
        "`ghcr.io/org/bentofleet`; null: hosts get them from here, over SSH",
    )
    user: Annotated[str, Field(min_length=1, max_length=120)] | None = Field(
        default=None,
        description=f"who reads and writes there; the password is `{PASSWORD}`; null: each "
        "engine uses its own login",
    )


def contradictions(images: Images) -> Iterator[str]:
    """One line for each thing that no single value is to blame for."""
    if images.user and not images.registry:
        yield "images.user: has no meaning without images.registry. Remove it, or name a registry."
    if images.user and ":" in images.user:
        yield f"images.user: has a colon in it (got {faults.shown(images.user)}). Write it without."


def password_faults(images: Images, password: str | None) -> list[str]:
    """What is wrong with the registry's password, beside the settings; never its value."""
    if images.user and not password:
        return [f"{PASSWORD}: is missing beside images.user. Set it: {_SET}."]
    if password and not images.user:
        return [f"{PASSWORD}: has no user. Write `images.user`, or remove it."]
    return []
