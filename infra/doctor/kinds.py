"""What can be found: a kind says how bad it is and what helps, a finding adds the evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "unchecked", "ok"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "unchecked", "ok")
"""The worst first. An error makes `pulumi up` fail or takes the service down; a warning makes it
slow, wrong or fragile; unchecked could be either."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        code: of its kind; stays the same between versions.
        what: what is wrong, or what is well.
        got: the evidence, as the host gave it.
        cure: what to do; empty when all is well.
    """

    severity: Severity
    code: str
    what: str
    got: str
    cure: str = ""

    @property
    def subject(self) -> str:
        """What was looked at: the code's first word."""
        return self.code.partition(".")[0]

    @property
    def line(self) -> str:
        """`what is wrong (got X). What to do.`"""
        evidence = f" (got {self.got})" if self.got else ""
        return f"{self.what}{evidence}. {self.cure}".strip()


@dataclass(frozen=True)
class Kind:
    """One thing that can be found; docs/doctor.md has a row for each.

    Attributes:
        code: `subject.what`.
        what: without the evidence and without a full stop; `{name}` stands for what varies.
        cure: whole sentences; the same.
    """

    severity: Severity
    code: str
    what: str
    cure: str = field(default="")

    def found(self, *, got: object = "", **words: object) -> Finding:
        """A finding of this kind.

        Args:
            got: the evidence.
            words: what the texts name in braces.
        """
        return Finding(
            severity=self.severity,
            code=self.code,
            what=self.what.format_map(words),
            got=str(got),
            cure=self.cure.format_map(words),
        )


def ok(code: str, got: object) -> Finding:
    """A finding that nothing is wrong, with what was seen."""
    return Finding(severity="ok", code=code, what="is well", got=str(got))


def kinds_in(namespace: Mapping[str, object]) -> list[Kind]:
    """The kinds that a module declares."""
    return [value for value in namespace.values() if isinstance(value, Kind)]


def worst(findings: list[Finding]) -> Severity:
    """The worst severity among findings."""
    return min((f.severity for f in findings), key=SEVERITIES.index, default="ok")
