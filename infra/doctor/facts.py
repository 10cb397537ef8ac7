"""What a host told of itself, read from the lines of `gather.sh`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

END = "end"
"""The script's last fact: without it the host was cut off in the middle."""


@dataclass(frozen=True)
class Facts:
    """Values by name, and the reason for each that could not be found out."""

    values: Mapping[str, tuple[str, ...]]
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the script came to its end."""
        return END in self.values

    def all(self, name: str) -> tuple[str, ...]:
        """Every line of a value."""
        return self.values.get(name, ())

    def one(self, name: str) -> str | None:
        """The value's first line; None when it was not told."""
        lines = self.all(name)
        return lines[0] if lines else None

    def whole(self, name: str) -> int | None:
        """The first whole number in the value's first line."""
        found = re.search(r"\d+", self.one(name) or "")
        return int(found[0]) if found else None

    def pairs(self, name: str, separator: str = "=") -> dict[str, str]:
        """A value whose lines are `key=value`, without blanks and quotes around them."""
        split = (line.partition(separator) for line in self.all(name))
        return {key.strip(): value.strip().strip('"') for key, _, value in split if value.strip()}

    def why_unknown(self, name: str) -> str:
        """Why a value is not known."""
        return self.unknown.get(name, "the host did not tell")


def parse(text: str) -> Facts:
    """Reads what the script printed; lines of another form are left out."""
    values: dict[str, list[str]] = {}
    unknown: dict[str, str] = {}
    for line in text.splitlines():
        name, tab, value = line.partition("\t")
        if not tab:
            continue
        if name.endswith("?"):
            unknown[name[:-1]] = value.strip() or "no reason was told"
        else:
            values.setdefault(name, []).append(value)
    return Facts({name: tuple(lines) for name, lines in values.items()}, unknown)


def version(text: str) -> tuple[int, ...]:
    """The numbers at the start of a version: `6.1.0-18-amd64` is (6, 1, 0)."""
    found = re.match(r"\D*(\d+(?:\.\d+)*)", text)
    return tuple(map(int, found[1].split("."))) if found else ()
