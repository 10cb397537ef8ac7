"""Says texts, numbers and times in one language. Knows no verdict."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard

from loadtests import reasons

TEXTS = Path(__file__).with_name("texts")
LANGUAGES = ("en", "es")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value from a file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class Words:
    """One language.

    Attributes:
        reasons: templates of the reasons for a verdict.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts: Mapping[str, Any] = json.loads(
            (TEXTS / f"{language}.json").read_text(encoding="utf-8")
        )
        self.reasons: Mapping[str, str] = self._texts.get("reasons", reasons.ENGLISH)

    def say(self, key: str, **values: object) -> str:
        """The text under a dotted key, with its values filled in."""
        text: Any = self._texts
        for part in key.split("."):
            text = text[part]
        return str(text).format(**values)

    def say_or(self, key: str, default: str) -> str:
        """The text under a dotted key; `default` for a word that the texts do not know."""
        try:
            return self.say(key)
        except KeyError:
            return default

    def number(self, value: float, digits: int = 0) -> str:
        """A number with this language's separators."""
        locale = self._texts["locale"]
        whole, _, rest = f"{value:,.{digits}f}".partition(".")
        whole = whole.replace(",", locale["thousands"])
        return f"{whole}{locale['decimal']}{rest}" if rest else whole

    def short(self, value: float) -> str:
        """A number with as many digits as help: 8.25, 27.4, 312."""
        size = abs(value)
        return self.number(
            value, 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
        )

    def exact(self, value: float) -> str:
        """A number with the digits that a reason gives it."""
        text = self.number(value, 0 if isinstance(value, int) else reasons.digits(value))
        decimal = str(self._texts["locale"]["decimal"])
        return text.rstrip("0").rstrip(decimal) if decimal in text else text

    def rate(self, value: object) -> str:
        """A rate per second, always with one decimal; a dash for what is none."""
        return self.number(value, 1) if is_number(value) else self.figure(value)

    def figure(self, value: object) -> str:
        """A number from a file, a dash for what is none."""
        return self.short(value) if is_number(value) else "\N{EN DASH}"

    def percent(self, ratio: float) -> str:
        """A share in percent: 99.83 %, 100 %; never rounded up to 100 %."""
        percent = 100 * ratio
        digits = next((d for d in (2, 3, 4) if percent == 100 or round(percent, d) < 100), 4)
        text = f"{min(percent, 100):.{digits}f}".rstrip("0").rstrip(".")
        number = text.replace(".", self._texts["locale"]["decimal"])
        return self.say("locale.percent", number=number)

    def moment(self, iso: str) -> str:
        """A date and time as people write it."""
        at = datetime.fromisoformat(iso)
        month = self._texts["locale"]["months"][at.month - 1]
        zone = at.tzname() or ""
        return self.say(
            "locale.moment", day=at.day, month=month, year=at.year, time=f"{at:%H:%M}", zone=zone
        )

    def duration(self, seconds: float) -> str:
        """A duration: 0.4 s, 12 s, 1 min 25 s."""
        if seconds < 10:
            return f"{self.number(seconds, 1)} s"
        minutes, rest = divmod(round(seconds), 60)
        return " ".join(f"{n} {unit}" for n, unit in ((minutes, "min"), (rest, "s")) if n)
