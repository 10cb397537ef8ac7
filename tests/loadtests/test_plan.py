"""What may be asked of a load test."""

from typing import Any

import pytest

from loadtests.plan import MAX_REQUESTS, parse
from loadtests.profiles import PROFILES, steady_s
from loadtests.slo import Slo

KNOWN = ("energy", "wildlife")
GOOD: dict[str, Any] = {
    "base_url": "http://127.0.0.1:8080",
    "token": "head.claims.signature",
    "models": ["energy", "wildlife"],
    "profile": "release",
    "slo": {"latency_p95_ms": 200, "success_ratio": 0.995, "min_rps": 20},
}


def test_what_is_left_out_comes_from_the_profile_and_the_slo() -> None:
    plan = parse(GOOD, KNOWN)
    assert (plan.rate_rps, plan.warmup_s, plan.steady_s, plan.saturation_s) == (30, 10, 60, 15)
    assert (plan.release, plan.seed) == (None, 0)


def test_what_is_said_goes_before_the_profile() -> None:
    said = {"rate_rps": 45.5, "warmup_s": 0, "steady_s": 7, "saturation_s": 0, "seed": 9}
    plan = parse({**GOOD, **said, "release": "r1"}, KNOWN)
    assert {key: getattr(plan, key) for key in said} == said
    assert plan.release == "r1"


def test_the_steady_phase_grows_until_a_verdict_has_enough_samples() -> None:
    slow = Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=2)
    assert steady_s(PROFILES["short"], slow, 3, models=2) == 210  # 1.05 * 598 / 3
    lenient = Slo(latency_p95_ms=200, success_ratio=0.9, min_rps=2)
    assert steady_s(PROFILES["short"], lenient, 3, models=2) == 42  # 1.05 * 2 * 59 / 3
    assert steady_s(PROFILES["short"], lenient, 300, models=2) == PROFILES["short"].steady_s


def test_the_token_shows_neither_in_the_figures_nor_in_a_message() -> None:
    plan = parse(GOOD, KNOWN)
    assert plan.token == GOOD["token"]
    assert "signature" not in f"{plan!r} {plan.public()}"


BAD: dict[str, tuple[object, str]] = {
    "no object": (
        [],
        "plan: must be a JSON object (got list). Give one on standard input.",
    ),
    "unknown key": (
        {**GOOD, "rate": 3},
        "plan.rate: no such key. Use: base_url, models, profile, rate_rps, release, saturation_s, "
        "seed, slo, steady_s, token, warmup_s.",
    ),
    "no address": (
        {**GOOD, "base_url": None},
        "plan.base_url: must be http://host:port (got None). Give the target's address.",
    ),
    "another scheme": (
        {**GOOD, "base_url": "file:///etc/passwd"},
        "plan.base_url: must be http://host:port (got 'file:///etc/passwd'). "
        "Give the target's address.",
    ),
    "a path": (
        {**GOOD, "base_url": "http://h/v1"},
        "plan.base_url: has a path (got 'http://h/v1'). Give scheme, host and port only.",
    ),
    "a password": (
        {**GOOD, "base_url": "http://u:secret@h"},
        "plan.base_url: holds a user or password. Give the credential as `token`.",
    ),
    "a token that breaks the header": (
        {**GOOD, "token": "secret\r\nX: y"},
        "plan.token: is not a token (not shown). Give a JWT, or null for none.",
    ),
    "no models": (
        {**GOOD, "models": []},
        "plan.models: must be a list of names (got []). Give at least one.",
    ),
    "an unknown model": (
        {**GOOD, "models": ["octopus"]},
        "plan.models: no such model (got 'octopus'). Use: energy, wildlife.",
    ),
    "a model twice": (
        {**GOOD, "models": ["energy", "energy"]},
        "plan.models: names a model twice (got energy, energy). Name each once.",
    ),
    "an unknown profile": (
        {**GOOD, "profile": "long"},
        "plan.profile: no such profile (got 'long'). Use: release, short.",
    ),
    "no SLO": (
        {**GOOD, "slo": None},
        "plan.slo: must be an object (got None). Give the three limits.",
    ),
    "half an SLO": (
        {**GOOD, "slo": {"min_rps": 20}},
        "plan.slo: must have latency_p95_ms, success_ratio, min_rps (got min_rps). Correct it.",
    ),
    "an SLO of text": (
        {**GOOD, "slo": {**GOOD["slo"], "min_rps": "20"}},
        "plan.slo.min_rps: must be a number from 0 to inf (got '20'). Correct it.",
    ),
    "an SLO that nothing meets": (
        {**GOOD, "slo": {**GOOD["slo"], "success_ratio": 2}},
        "slo.success_ratio: must be above 0 and at most 1 (got 2). Give a share, "
        "for instance 0.995.",
    ),
    "a negative rate": (
        {**GOOD, "rate_rps": -3},
        "plan.rate_rps: must be a number from 0.01 to 10000 (got -3). Correct it.",
    ),
    "a rate that is no number": (
        {**GOOD, "rate_rps": float("nan")},
        "plan.rate_rps: must be a number from 0.01 to 10000 (got nan). Correct it.",
    ),
    "an endless phase": (
        {**GOOD, "steady_s": 4000},
        "plan.steady_s: must be a number from 1 to 3600 (got 4000). Correct it.",
    ),
    "a release that is no text": (
        {**GOOD, "release": 7},
        "plan.release: must be text (got 7). Correct it or leave it out.",
    ),
    "too many requests": (
        {**GOOD, "rate_rps": 5000, "steady_s": 600},
        f"plan: asks for too many requests (got 3050000, at most {MAX_REQUESTS}). "
        "Shorten the phases or lower the rate.",
    ),
}


@pytest.mark.parametrize(("raw", "message"), BAD.values(), ids=BAD)
def test_a_bad_plan_is_refused_in_one_line(raw: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        parse(raw, KNOWN)
    assert str(caught.value) == message
