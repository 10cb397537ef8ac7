"""A verdict in JUnit's XML, as the test pages of CI systems read it. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from loadtests.evidence import Step, Verdict
from loadtests.slo import SloRow

CaseResult = Literal["pass", "fail", "error", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test case.

    Attributes:
        result: `error` is for what could not be told.
        message: why it did not pass.
    """

    group: str
    name: str
    result: CaseResult
    message: str = ""
    duration_s: float = 0.0


def document(verdict: Verdict) -> str:
    """One suite: a case for the verdict, for each SLO and for each step of the walk."""
    cases = _cases(verdict)
    suite = Element(
        "testsuite",
        {
            "name": _clean(f"release {verdict.release} on {verdict.stack}"),
            "timestamp": verdict.started_at,
            "tests": str(len(cases)),
            "failures": _count(cases, "fail"),
            "errors": _count(cases, "error"),
            "skipped": _count(cases, "skipped"),
            "time": f"{sum(c.duration_s for c in cases):.3f}",
        },
    )
    for case in cases:
        _add(suite, case)
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _cases(verdict: Verdict) -> list[Case]:
    """One case for the verdict itself, so that no refused release looks all green, and the rest."""
    whole: CaseResult = "error" if verdict.verdict == "inconclusive" else verdict.verdict
    return [
        Case(group="verdict", name="verdict", result=whole, message="\n".join(verdict.reasons)),
        *(_slo_case(row) for row in verdict.slo),
        *(_step_case(step) for step in verdict.steps),
    ]


def _slo_case(row: SloRow) -> Case:
    result: CaseResult = "error" if row.ok is None else "pass" if row.ok else "fail"
    measured = "not measured" if row.measured is None else f"{row.measured:g}"
    message = "" if row.ok else f"{measured}, limit {row.limit:g}"
    return Case(group="slo", name=row.name, result=result, message=message)


def _step_case(step: Step) -> Case:
    result: CaseResult = "error" if step.result == "inconclusive" else step.result
    return Case(
        group="steps",
        name=step.step,
        result=result,
        message=step.detail,
        duration_s=step.duration_s,
    )


_TAGS = {"fail": "failure", "error": "error", "skipped": "skipped"}


def _add(suite: Element, case: Case) -> None:
    element = SubElement(
        suite,
        "testcase",
        {
            "classname": _clean(case.group),
            "name": _clean(case.name),
            "time": f"{case.duration_s:.3f}",
        },
    )
    if case.result != "pass":
        SubElement(element, _TAGS[case.result], {"message": _clean(case.message)})


def _count(cases: Sequence[Case], result: CaseResult) -> str:
    return str(sum(c.result == result for c in cases))


def _clean(text: str) -> str:
    """Text without what XML 1.0 cannot hold, whatever an error message carried."""
    return "".join(c if _fits(ord(c)) else "\N{REPLACEMENT CHARACTER}" for c in text)


def _fits(code: int) -> bool:
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
    )
