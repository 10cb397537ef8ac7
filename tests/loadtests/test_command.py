"""`python -m loadtests`: exit codes and what it prints, with the gate's process left out."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bentos.catalog import MODELS
from infra import config
from loadtests import __main__ as command
from loadtests.profiles import PROFILES

Gate = dict[str, Any]


@pytest.fixture
def asked(
    monkeypatch: pytest.MonkeyPatch, gate: Gate, stand_in: Any
) -> Callable[..., tuple[int, list[Mapping[str, Any]]]]:
    """Runs the command with these figures as the gate's."""

    def run(
        folder: Path, *arguments: str, measured: Gate | None = None, code: int = 0
    ) -> tuple[int, list[Mapping[str, Any]]]:
        plans: list[Mapping[str, Any]] = []

        def gate_process(out: Path, plan: Mapping[str, Any]) -> int:
            plans.append(plan)
            out.mkdir(parents=True, exist_ok=True)
            told = gate if measured is None else measured
            (out / "gate.json").write_text(json.dumps(told), encoding="utf-8")
            return code

        monkeypatch.setattr(command, "_run_gate", gate_process)
        exit_code = command.main(["--url", stand_in.url, "--out", str(folder), *arguments])
        return exit_code, plans

    return run


def slow(gate: Gate) -> Gate:
    changed = copy.deepcopy(gate)
    changed["latency_ms"]["p95"] = 212.5
    return changed


def starved(gate: Gate) -> Gate:
    changed = copy.deepcopy(gate)
    changed["client_cpu_ratio"] = 0.97
    return changed


@pytest.mark.parametrize(
    ("change", "code", "verdict"),
    [(copy.copy, 0, "pass"), (slow, 1, "fail"), (starved, 3, "inconclusive")],
    ids=["pass", "fail", "inconclusive"],
)
def test_the_exit_code_follows_the_judgement(
    tmp_path: Path,
    asked: Any,
    gate: Gate,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Gate], Gate],
    code: int,
    verdict: str,
) -> None:
    exit_code, _ = asked(tmp_path, measured=change(gate))
    out = capsys.readouterr().out.splitlines()
    assert exit_code == code
    assert f"verdict: {verdict}" in out
    assert out[0].split() == [
        "model",
        "requests",
        "errors",
        "per",
        "s",
        *["p50", "ms", "p95", "ms", "p99", "ms"],
    ]
    assert [line.split()[0] for line in out[1:4]] == ["energy", "wildlife", "all"]
    assert out[-1] == f"figures: {tmp_path}/gate.json"


def test_the_plan_is_what_the_options_say(tmp_path: Path, asked: Any) -> None:
    token = tmp_path / "token"
    token.write_text("a.b.c\n", encoding="utf-8")
    options = ["--token-file", str(token), "--models", "energy", "--profile", "release"]
    limits = ["--p95-ms", "50", "--success-ratio", "0.9", "--min-rps", "5", "--seed", "4"]
    _, plans = asked(tmp_path, *options, *limits, "--no-saturation")
    assert [{k: v for k, v in plan.items() if k != "base_url"} for plan in plans] == [
        {
            "token": "a.b.c",
            "models": ["energy"],
            "profile": "release",
            "saturation_s": 0,
            "slo": {"latency_p95_ms": 50, "success_ratio": 0.9, "min_rps": 5},
            "seed": 4,
        }
    ]


def test_without_options_it_asks_all_models_that_the_target_serves(
    tmp_path: Path, asked: Any
) -> None:
    _, plans = asked(tmp_path)
    assert plans[0]["models"] == list(MODELS)
    assert plans[0]["token"] is None
    assert plans[0]["profile"] == "short"


def test_what_kept_the_gate_from_running_is_passed_on(tmp_path: Path, asked: Any) -> None:
    assert asked(tmp_path, code=2)[0] == 2


BAD_OPTIONS = {
    "a missing token file": (
        ["--token-file", "/nonexistent"],
        "load: --token-file: cannot be read (got /nonexistent: No such file or directory). "
        "Use `make token`.\n",
    ),
    "a limit that is none": (
        ["--success-ratio", "2"],
        "load: slo.success_ratio: must be above 0 and at most 1 (got 2.0). Give a share, "
        "for instance 0.995.\n",
    ),
}


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_a_bad_option_is_told_in_one_line(
    tmp_path: Path,
    asked: Any,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    exit_code, plans = asked(tmp_path, *options)
    assert (exit_code, plans) == (2, [])
    assert capsys.readouterr().err == message


def test_a_target_that_is_down_is_told_in_one_line(
    tmp_path: Path, asked: Any, stand_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.status = 503
    assert asked(tmp_path)[0] == 2
    assert capsys.readouterr().err == (
        f"load: {stand_in.url}: is not ready (status 503). Look at its log.\n"
    )


def test_the_limits_and_profiles_are_those_of_a_stack(tmp_path: Path) -> None:
    slo = config.Slo()
    assert vars(command.DEFAULT_SLO) == slo.model_dump()
    profiles = config.Gate.model_fields["profile"].annotation
    assert set(profiles.__args__) == set(PROFILES)
