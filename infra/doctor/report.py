"""The findings as lines for people and as JSON for programs."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from infra.doctor.examine import Report
from infra.doctor.kinds import SEVERITIES, Finding, Severity

SCHEMA_VERSION = 1
HERE = "this machine"

_PLURALS: dict[Severity, str] = {
    "error": "errors",
    "warning": "warnings",
    "unchecked": "unchecked",
    "ok": "well",
}
_WIDTH = max(map(len, SEVERITIES))


def text(reports: Sequence[Report], *, everything: bool) -> str:
    """Lines, machine by machine, the worst first; what is well is counted, or told as well."""
    return "\n".join([*_machines(reports, everything), "", conclusion(reports)]) + "\n"


def conclusion(reports: Sequence[Report]) -> str:
    """What it comes to, in a line."""
    counts = _counts(reports)
    if counts["error"]:
        return (
            f"doctor: {_counted(counts, 'error')}: mend them before `make up`, which would fail or "
            "harm the service."
        )
    rest = [_counted(counts, s) for s in ("warning", "unchecked") if counts[s]]
    told = f" ({', '.join(rest)})" if rest else ""
    return f"doctor: nothing that was looked at stands in the way of `make up`{told}."


def has_error(reports: Sequence[Report]) -> bool:
    """Whether anything was found that has to be mended first."""
    return bool(_counts(reports)["error"])


def as_json(stack: str, at: str, took_s: float, reports: Sequence[Report]) -> str:
    """The same as one JSON object.

    Args:
        stack: its name.
        at: when, ISO 8601.
        took_s: all of it.
        reports: of this machine first, then of each host.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "stack": stack,
        "at": at,
        "took_s": round(took_s, 3),
        "counts": dict(_counts(reports)),
        "machines": [_machine(report) for report in reports],
    }
    return json.dumps(document, indent=2) + "\n"


def _machine(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "address": report.address or None,
        "out": report.is_out,
        "took_s": round(report.took_s, 3),
        "findings": [_entry(finding) for finding in _sorted(report)],
    }


def _entry(finding: Finding) -> dict[str, str]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "what": finding.what,
        "got": finding.got,
        "cure": finding.cure,
    }


def _machines(reports: Sequence[Report], everything: bool) -> Iterator[str]:
    for report in reports:
        yield _head(report)
        for finding in _sorted(report):
            if everything or finding.severity != "ok":
                yield f"  {finding.severity:<{_WIDTH}}  {finding.code}: {_printable(finding.line)}"


def _head(report: Report) -> str:
    where = f" ({report.address})" if report.address else ""
    if report.is_out:
        return f"{report.name}{where}: out, not looked at"
    counts = _counts([report])
    told = ", ".join(_counted(counts, s) for s in SEVERITIES if counts[s]) or "nothing found"
    return f"{report.name}{where}, {report.took_s:.1f} s: {told}"


def _sorted(report: Report) -> list[Finding]:
    return sorted(report.findings, key=lambda finding: SEVERITIES.index(finding.severity))


def _counts(reports: Sequence[Report]) -> dict[Severity, int]:
    counted = Counter(finding.severity for report in reports for finding in report.findings)
    return {severity: counted[severity] for severity in SEVERITIES}


def _counted(counts: dict[Severity, int], severity: Severity) -> str:
    number = counts[severity]
    return f"{number} {severity if number == 1 and severity != 'ok' else _PLURALS[severity]}"


def _printable(line: str) -> str:
    """Without what would move a terminal's cursor: hosts' own words stand in it."""
    return "".join(c if c.isprintable() else " " for c in line)
