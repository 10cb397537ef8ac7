"""The page of a verdict: both languages, with and without figures, and hostile input."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from loadtests import reasons
from loadtests import verdict as verdicts
from loadtests.report.__main__ import main
from loadtests.report.page import render
from loadtests.report.words import LANGUAGES, TEXTS, Words
from loadtests.slo import Slo, SloRow, judge
from loadtests.verdict import (
    CanaryEvidence,
    Cost,
    Figures,
    SideFigures,
    TimelinePoint,
    Verdict,
)

BOTH = pytest.mark.parametrize("language", LANGUAGES)
HOSTILE = "</style></svg><script>alert('x')</script><img src=x onerror=y> {{ 7 * 7 }} &"
Gate = dict[str, Any]


class Page(HTMLParser):
    """Takes a page apart and refuses tags that do not match."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(filter(None, self.texts))


def failed(verdict: Verdict, gate: Gate, slo: Slo) -> Verdict:
    gate["models"]["wildlife"]["latency_ms"]["p95"] = 212.5
    judgement = judge(gate, slo)
    assert judgement.verdict == "fail"
    return replace(
        verdict,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        slo=judgement.rows,
        figures=Figures.of(gate),
        steps=(verdict.steps[0], replace(verdict.steps[1], result="fail")),
    )


@BOTH
def test_a_pass_shows_figures_plots_models_steps_and_facts(
    verdict: Verdict, gate: Gate, language: str
) -> None:
    page = Page(render(verdict, gate, language))
    assert page.tags.count("svg") == 2
    assert page.tags.count("article") == 4
    for told in ("3f9a1c02b7de", "demo", "qx3v5kfu2o", "e07715ca4f31", "2 replicas are ready"):
        assert told in page.text
    banner = {"en": "Passed", "es": "Aprobada"}[language]
    assert banner in page.texts
    assert ("lang", language) in page.attributes


@BOTH
def test_a_page_asks_for_nothing_from_outside(verdict: Verdict, gate: Gate, language: str) -> None:
    html = render(verdict, gate, language)
    page = Page(html)
    assert not {"script", "img", "iframe", "object", "form"} & set(page.tags)
    links = [value for name, value in page.attributes if name in ("src", "href", "action")]
    assert links == ["data:,"]
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"https?://", html)


def test_reasons_are_said_in_the_readers_language(verdict: Verdict, gate: Gate, slo: Slo) -> None:
    bad = failed(verdict, gate, slo)
    english = "latency: model wildlife: the 95th percentile is 212.5 ms, over the limit of 200 ms."
    spanish = (
        "latencia: modelo wildlife: el percentil 95 es de 212,5 ms, "
        "por encima del límite de 200 ms."
    )
    assert english in Page(render(bad, gate, "en")).texts
    assert spanish in Page(render(bad, gate, "es")).texts
    joined = replace(bad, reasons=(f"gate: {english}; and more",))
    assert f"gate: {spanish}; and more" in Page(render(joined, gate, "es")).texts


@BOTH
def test_a_verdict_without_a_load_test_is_shown(verdict: Verdict, language: str) -> None:
    alone = replace(
        verdict,
        verdict="inconclusive",
        reasons=("ready: host a: no answer.", judge(None, Slo(
            latency_p95_ms=1, success_ratio=1, min_rps=1)).reasons[0]),
        figures=Figures(),
        slo=(),
        steps=(),
        cost=Cost(usd_per_1000=0.0123, basis="$0.526/h"),
        cost_reason=None,
    )  # fmt: skip
    page = Page(render(alone, None, language))
    assert "svg" not in page.tags
    assert "ready: host a: no answer." in page.texts
    told = {"en": "US$ 0.0123 ($0.526/h)", "es": "US$ 0,0123 ($0.526/h)"}[language]
    assert told in page.texts
    nothing = {"en": "the load test gave no figures", "es": "no dio cifras"}[language]
    assert nothing in page.text


@BOTH
def test_hostile_texts_are_shown_as_texts(
    verdict: Verdict, gate: Gate, slo: Slo, language: str
) -> None:
    gate["errors"] = [{"model": HOSTILE, "status": HOSTILE, "count": HOSTILE, "sample": HOSTILE}]
    gate["series"][4]["phase"] = HOSTILE
    bad = replace(
        failed(verdict, gate, slo),
        reasons=(HOSTILE,),
        stack=HOSTILE,
        target=HOSTILE,
        release=HOSTILE,
        image=HOSTILE,
        bento=HOSTILE,
        models={HOSTILE: HOSTILE},
        accelerator=HOSTILE,
        profile=HOSTILE,
        runner=HOSTILE,
        steps=(replace(verdict.steps[0], step=HOSTILE, detail=HOSTILE),),
        cost_reason=HOSTILE,
    )
    html = render(bad, gate, language)
    page = Page(html)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "49" not in re.findall(r"x onerror=y&gt; (\S+)", html)
    assert page.texts.count(HOSTILE) >= 10


BROKEN: Mapping[str, Any] = {
    "empty": {},
    "no numbers": {"series": [{"t_s": "x"}, {"t_s": 0, "rps": "y", "p95_ms": None}, 7]},
    "not a number": {"series": [{"t_s": 0, "rps": math.nan, "p50_ms": math.inf}]},
    "no lists": {"series": {}, "errors": 7, "models": [], "plan": [], "lag_ms": 3},
    "one second": {"series": [{"t_s": 0, "phase": "steady", "rps": 3, "p95_ms": 2.5}]},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_broken_figures_do_not_hide_the_verdict(verdict: Verdict, broken: Gate) -> None:
    assert "Passed" in Page(render(verdict, broken, "en")).texts


def leaves(tree: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(tree, str):
        yield path, tree


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_the_languages_have_the_same_texts_with_the_same_values() -> None:
    english, spanish = (
        dict(leaves(json.loads((TEXTS / f"{each}.json").read_text(encoding="utf-8"))))
        for each in LANGUAGES
    )
    english |= {f".reasons.{kind}": text for kind, text in reasons.ENGLISH.items()}
    assert set(english) == set(spanish)
    for key, text in english.items():
        assert placeholders(text) == placeholders(spanish[key]), key
        assert text, key
        assert spanish[key], key


@pytest.mark.parametrize(
    ("ratio", "told"),
    [(1.0, "100 %"), (0.995, "99.5 %"), (0.99833, "99.83 %"), (0.999996, "99.9996 %"), (0, "0 %")],
)
def test_a_share_is_never_rounded_up_to_all(ratio: float, told: str) -> None:
    assert Words("en").percent(ratio) == told


def test_numbers_and_times_follow_the_language() -> None:
    english, spanish = Words("en"), Words("es")
    assert (english.number(1234.5, 1), spanish.number(1234.5, 1)) == ("1,234.5", "1.234,5")
    assert [english.short(v) for v in (8.254, 27.41, 312.4, 30.0)] == ["8.25", "27.4", "312", "30"]
    at = "2026-11-24T22:10:05+00:00"
    assert english.moment(at) == "November 24, 2026, 22:10 UTC"
    assert spanish.moment(at) == "24 de noviembre de 2026, 22:10 UTC"
    assert [english.duration(s) for s in (0.44, 12.3, 60, 95)] == [
        "0.4 s",
        "12 s",
        "1 min",
        "1 min 35 s",
    ]


def test_the_command_writes_the_page_in_the_verdicts_language_or_the_one_asked_for(
    tmp_path: Path, verdict: Verdict, gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts.write(tmp_path, replace(verdict, language="es"))
    (tmp_path / "gate.json").write_text(json.dumps(gate), encoding="utf-8")
    page = tmp_path / "verdict.html"
    assert main([str(tmp_path)]) == 0
    assert "Aprobada" in page.read_text(encoding="utf-8")
    assert main([str(tmp_path), "--language", "en"]) == 0
    assert "Passed" in page.read_text(encoding="utf-8")
    assert capsys.readouterr().out == f"{page}\n{page}\n"


def test_the_command_shows_a_verdict_whose_figures_are_missing_or_broken(
    tmp_path: Path, verdict: Verdict
) -> None:
    verdicts.write(tmp_path, verdict)
    assert main([str(tmp_path)]) == 0
    (tmp_path / "gate.json").write_text("{", encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert "Passed" in (tmp_path / "verdict.html").read_text(encoding="utf-8")


def test_the_command_ends_with_one_line_where_there_is_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"report: {tmp_path}/verdict.json: cannot be read (No such file or directory). "
        "Give the folder of an attempt.\n"
    )
    assert list(tmp_path.iterdir()) == []


def tried(verdict: Verdict) -> Verdict:
    """A verdict with two steps of a canary, looked at every three seconds."""
    side = SideFigures(requests=9612, errors=2, error_ratio=0.0002, p95_ms=41.2)
    step = CanaryEvidence(
        weight_percent=5,
        started_at=verdict.started_at,
        duration_s=60.0,
        result="pass",
        achieved_share=0.0493,
        gate_share=0.31,
        live=side,
        candidate=replace(side, requests=502, p95_ms=43.0),
        checks=(
            SloRow(name="p95_ratio:energy", limit=1.5, measured=1.04, ok=True),
            SloRow(name="unheard-of", limit=1, measured=None, ok=None),
        ),
        notes=(HOSTILE,),
    )
    points = tuple(
        TimelinePoint(
            t_s=60 + 3.1 * i,
            weight_percent=5 if i < 20 else 50,
            live_rps=95.0,
            candidate_rps=5.0,
            live_error_ratio=0.0,
            candidate_error_ratio=None if i == 7 else 0.01,
            live_p95_ms=40.0 + i,
            candidate_p95_ms=41.0,
        )
        for i in range(40)
    )
    return replace(
        verdict, canary=(step, replace(step, weight_percent=50)), timeline=points, notes=(HOSTILE,)
    )


@BOTH
def test_a_canary_is_drawn_and_told_step_by_step(
    verdict: Verdict, gate: Gate, language: str
) -> None:
    words = Words(language)

    page = Page(render(tried(verdict), gate, language))

    assert page.tags.count("svg") == 2 + 4
    for kind in ("share", "rate", "errors", "latency"):
        assert words.say(f"trial.{kind}") in page.text
    assert words.percent(0.0493) in page.text
    assert f"{words.say('trial.check.p95_ratio')}: energy" in page.text
    assert HOSTILE in page.text  # as text, and in no tag
    assert "script" not in page.tags


def test_a_side_without_a_figure_leaves_a_gap(verdict: Verdict, gate: Gate) -> None:
    html = render(tried(verdict), gate, "en")

    assert html.count('class="curve candidate"') == 4 + 1  # one line in two parts


def test_a_verdict_without_a_canary_shows_none(verdict: Verdict, gate: Gate) -> None:
    assert Words("en").say("trial.title") not in Page(render(verdict, gate, "en")).text


def test_a_look_alone_is_drawn_too(verdict: Verdict, gate: Gate) -> None:
    seen = tried(verdict)

    page = Page(render(replace(seen, timeline=seen.timeline[:1]), gate, "en"))

    assert page.tags.count("svg") == 2 + 4
