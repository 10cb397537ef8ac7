"""verdict.json, junit.xml and the folders they lie in."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

from loadtests import verdict as verdicts
from loadtests.files import write_atomically
from loadtests.slo import Slo, SloRow, judge
from loadtests.verdict import (
    CanaryEvidence,
    Cost,
    Figures,
    SideFigures,
    TimelinePoint,
    Verdict,
)

SCHEMA = json.loads(
    (Path(verdicts.__file__).parent / "verdict.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)
ADDED = ("canary", "timeline", "notes")
"""Fields that came later: files from before them are read too."""


def refused(verdict: Verdict, slo: Slo) -> Verdict:
    """A verdict without a load test."""
    judgement = judge(None, slo)
    return replace(
        verdict,
        verdict="inconclusive",
        reasons=("ready: host rx580-1: no answer within 60 s. See `make logs`.",),
        figures=Figures.of(None),
        slo=judgement.rows,
        steps=(replace(verdict.steps[0], result="inconclusive", detail="no answer"),),
    )


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_what_is_written_follows_the_schema_and_is_read_back(
    tmp_path: Path, verdict: Verdict, slo: Slo
) -> None:
    priced = replace(verdict, cost=Cost(usd_per_1000=0.012, basis="$0.526/h"), cost_reason=None)
    for number, each in enumerate((verdict, priced, refused(verdict, slo))):
        path = verdicts.write(tmp_path / str(number), each)
        told = json.loads(path.read_text(encoding="utf-8"))
        VALIDATOR.validate(told)
        assert verdicts.load(path) == each


def test_the_file_has_the_fields_of_the_schema_and_no_others(verdict: Verdict) -> None:
    told = list(verdicts.to_json(verdict))

    assert set(told) == set(SCHEMA["properties"])
    assert [key for key in told if key not in ADDED] == SCHEMA["required"]


def test_every_field_is_demanded_by_the_schema(verdict: Verdict) -> None:
    for key in SCHEMA["required"]:
        told = json.loads(json.dumps(verdicts.to_json(verdict)))
        del told[key]
        assert not VALIDATOR.is_valid(told), key


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "a fail without reasons": lambda v: v.update(verdict="fail"),
    "a pass with a missed SLO": lambda v: v["slo"][0].update(ok=False),
    "a pass with an unknown SLO": lambda v: v["slo"][0].update(ok=None),
    "a pass without an SLO": lambda v: v.update(slo=[]),
    "a verdict of another word": lambda v: v.update(verdict="ok"),
    "no cost and no reason": lambda v: v.update(cost_reason=None),
    "a time without an offset": lambda v: v.update(started_at="2026-11-24T22:10:05"),
    "a ratio above 1": lambda v: v.update(error_ratio=1.5),
    "an unknown result": lambda v: v["steps"][0].update(result="ok"),
    "attempt 0": lambda v: v.update(attempt=0),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_the_schema_refuses(verdict: Verdict, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads(json.dumps(verdicts.to_json(verdict)))
    VALIDATOR.validate(told)
    change(told)
    assert not VALIDATOR.is_valid(told)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no reasons": (
        {"verdict": "fail"},
        "verdict.reasons: are missing (got none for fail). Say why.",
    ),
    "an unknown verdict": (
        {"verdict": "ok"},
        "verdict.verdict: is unknown (got 'ok'). Use one of: pass, fail, inconclusive.",
    ),
    "an unknown language": (
        {"language": "fr"},
        "verdict.language: is unknown (got 'fr'). Use one of: en, es.",
    ),
    "a missed SLO": (
        {"slo": (SloRow(name="rps", limit=20, measured=3, ok=False),)},
        "verdict.verdict: is a pass without its SLOs (got: rps is not met). "
        "Judge the figures first.",
    ),
    "no SLO": (
        {"slo": ()},
        "verdict.verdict: is a pass without its SLOs (got: no SLO was judged). "
        "Judge the figures first.",
    ),
    "attempt 0": (
        {"attempt": 0},
        "verdict.attempt: counts from 1 (got 0). Use the folder's number.",
    ),
    "a time that is none": (
        {"started_at": "yesterday"},
        "verdict.started_at: is no time with an offset (got 'yesterday'). Use ISO 8601.",
    ),
    "a day that is none": (
        {"started_at": "2026-02-30T00:00:00Z"},
        "verdict.started_at: is no time with an offset (got '2026-02-30T00:00:00Z'). Use ISO 8601.",
    ),
    "a negative duration": (
        {"duration_s": -1.0},
        "verdict.duration_s: is no amount (got -1.0). Use None for what was not measured.",
    ),
    "a figure that is no number": (
        {"figures": Figures(rps=math.nan)},
        "verdict.figures.rps: is no amount (got nan). Use None for what was not measured.",
    ),
    "no cost and no reason": (
        {"cost_reason": None},
        "verdict.cost_reason: is missing (got no cost). Say why there is none.",
    ),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_a_verdict_that_contradicts_itself_is_refused(
    verdict: Verdict, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        replace(verdict, **changes)
    assert str(caught.value) == message


def test_a_pass_stands_when_a_step_after_it_fails(tmp_path: Path, verdict: Verdict) -> None:
    """The old release may refuse to end after the new one has taken the traffic."""
    drain = replace(verdict.steps[1], step="drain", result="fail", detail="host a is gone")
    path = verdicts.write(tmp_path, replace(verdict, steps=(*verdict.steps, drain)))
    VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))
    assert cases(tmp_path / "junit.xml")["steps/drain"] == "failure"


def test_figures_that_are_no_numbers_are_null_and_never_invented(gate: dict[str, Any]) -> None:
    gate["rps"], gate["latency_ms"]["p95"], gate["error_ratio"] = math.nan, "60", None
    del gate["models"]["energy"]["latency_ms"]
    figures = Figures.of(gate)
    assert (figures.rps, figures.latency_ms.p95, figures.error_ratio) == (None, None, None)
    assert figures.latency_ms.p50 == 12.5
    assert figures.latency_ms_by_model["energy"].p95 is None
    assert figures.latency_ms_by_model["wildlife"].p95 == 71.0
    assert Figures.of({}) == Figures.of(None) == Figures()


def test_unknown_fields_are_left_out_when_read(tmp_path: Path, verdict: Verdict) -> None:
    path = verdicts.write(tmp_path, verdict)
    told = json.loads(path.read_text(encoding="utf-8"))
    told["operator"] = "ana"
    told["steps"][0]["weight"] = 5
    told["slo"][0]["unit"] = "ms"
    path.write_text(json.dumps(told), encoding="utf-8")
    assert verdicts.load(path) == verdict


UNREADABLE = {
    "another version": ('{"schema_version": 2}', "has schema_version 2 (known: 1)."),
    "no JSON": ("{", "holds no verdict (JSONDecodeError"),
    "a list": ("[]", "has schema_version None (known: 1)."),
    "half of it": ('{"schema_version": 1}', "holds no verdict (KeyError: 'verdict')."),
}


@pytest.mark.parametrize(("text", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_verdict_is_told_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
        verdicts.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"verdict\.json: cannot be read \(No such file"):
        verdicts.load(tmp_path / "verdict.json")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "verdict.json"
    write_atomically(path, "old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["verdict.json"]


def cases(path: Path) -> dict[str, str]:
    suite = ElementTree.parse(path).getroot()  # noqa: S314 - our own file
    found = {
        f"{case.get('classname')}/{case.get('name')}": case[0].tag if len(case) else "pass"
        for case in suite
    }
    assert int(suite.get("tests", "")) == len(found)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute, "")) == list(found.values()).count(tag)
    return found


def test_junit_has_a_case_per_promise_and_step(tmp_path: Path, verdict: Verdict) -> None:
    verdicts.write(tmp_path, verdict)
    assert cases(tmp_path / "junit.xml") == {
        "verdict/verdict": "pass",
        "slo/latency_p95_ms": "pass",
        "slo/latency_p95_ms:energy": "pass",
        "slo/latency_p95_ms:wildlife": "pass",
        "slo/success_ratio": "pass",
        "slo/rps": "pass",
        "steps/ready": "pass",
        "steps/gate": "pass",
    }


def test_junit_is_never_all_green_for_a_refused_release(
    tmp_path: Path, verdict: Verdict, slo: Slo
) -> None:
    verdicts.write(tmp_path, refused(verdict, slo))
    assert cases(tmp_path / "junit.xml") == {"verdict/verdict": "error", "steps/ready": "error"}
    failed = replace(
        verdict,
        verdict="fail",
        reasons=("latency",),
        slo=(
            SloRow(name="latency_p95_ms", limit=200, measured=300, ok=False),
            SloRow(name="rps", limit=20, measured=None, ok=None),
        ),
        steps=(
            replace(verdict.steps[0], result="fail"),
            replace(verdict.steps[1], result="skipped"),
        ),
    )
    verdicts.write(tmp_path, failed)
    assert cases(tmp_path / "junit.xml") == {
        "verdict/verdict": "failure",
        "slo/latency_p95_ms": "failure",
        "slo/rps": "error",
        "steps/ready": "failure",
        "steps/gate": "skipped",
    }


def test_messages_of_other_programs_break_neither_file(tmp_path: Path, verdict: Verdict) -> None:
    hostile = "]]> <b> & \x00\x1b[31m \udcff \ufffe ñ"
    steps = (replace(verdict.steps[0], detail=hostile, result="fail"),)
    path = verdicts.write(
        tmp_path, replace(verdict, verdict="fail", reasons=(hostile,), steps=steps)
    )
    assert json.loads(path.read_text(encoding="utf-8"))["reasons"] == [hostile]
    assert cases(tmp_path / "junit.xml")["steps/ready"] == "failure"


def test_attempts_count_up_and_latest_follows(tmp_path: Path) -> None:
    first = verdicts.attempt_dir(tmp_path, "demo", "r1")
    second = verdicts.attempt_dir(tmp_path, "demo", "r1")
    other = verdicts.attempt_dir(tmp_path, "demo", "r2")
    assert [p.relative_to(tmp_path).as_posix() for p in (first, second, other)] == [
        "demo/r1/1",
        "demo/r1/2",
        "demo/r2/1",
    ]
    for folder, target in ((second, "r1/2"), (other, "r2/1")):
        link = verdicts.link_latest(tmp_path, "demo", folder)
        assert link == tmp_path / "demo" / "latest"
        assert link.readlink() == Path(target)
        assert link.resolve() == folder.resolve()
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == ["latest", "r1", "r2"]


def test_attempts_go_on_after_the_highest_number(tmp_path: Path) -> None:
    (tmp_path / "demo/r1/9").mkdir(parents=True)
    (tmp_path / "demo/r1/notes").mkdir()
    assert verdicts.attempt_dir(tmp_path, "demo", "r1").name == "10"


@pytest.mark.parametrize("name", ["", "..", "a/b", "latest", ".hidden", "a b", "x" * 101])
def test_a_name_that_is_no_folders_is_refused(tmp_path: Path, name: str) -> None:
    for stack, release in ((name, "r1"), ("demo", name)):
        with pytest.raises(ValueError, match=r"^(stack|release): cannot name a folder \(got "):
            verdicts.attempt_dir(tmp_path, stack, release)
    assert list(tmp_path.rglob("*")) == []


CANARY = CanaryEvidence(
    weight_percent=5,
    started_at="2026-11-23T10:01:00.000+00:00",
    duration_s=65.2,
    result="pass",
    achieved_share=0.0493,
    gate_share=0.31,
    live=SideFigures(requests=9612, errors=2, error_ratio=0.000208, p95_ms=41.2),
    candidate=SideFigures(requests=502, errors=0, error_ratio=0.0, p95_ms=43.0),
    checks=(
        SloRow(name="error_ratio", limit=0.0052, measured=0.0, ok=True),
        SloRow(name="query:margin", limit=-2.0, measured=-1.5, ok=True),
    ),
    notes=("The load test sent 31 % of the requests.",),
)
POINT = TimelinePoint(
    t_s=61.5,
    weight_percent=5,
    live_rps=150.1,
    candidate_rps=7.9,
    live_error_ratio=0.0,
    candidate_error_ratio=None,
    live_p95_ms=41.0,
    candidate_p95_ms=None,
)


def test_what_a_canary_saw_is_written_and_read_again(verdict: Verdict, tmp_path: Path) -> None:
    seen = replace(verdict, canary=(CANARY,), timeline=(POINT, POINT), notes=("NOW=1",))

    path = verdicts.write(tmp_path, seen)

    VALIDATOR.validate(json.loads(path.read_text()))
    assert verdicts.load(path) == seen


def test_a_file_from_before_canaries_is_read(verdict: Verdict, tmp_path: Path) -> None:
    path = verdicts.write(tmp_path, verdict)
    told = json.loads(path.read_text())
    for key in ADDED:
        del told[key]
    path.write_text(json.dumps(told))

    assert verdicts.load(path) == verdict


def test_a_pass_with_a_canary_that_did_not_pass_is_refused(verdict: Verdict) -> None:
    with pytest.raises(
        ValueError, match=r"canary.0.result: is no pass in one \(got inconclusive\)"
    ):
        replace(verdict, canary=(replace(CANARY, result="inconclusive"),))
