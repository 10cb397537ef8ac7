"""The gate as a process against a stand-in service on loopback: counts and states, no times."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bentos.catalog import MODELS
from loadtests.slo import Slo, judge
from service import contract

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "loadtests.gate", "--out")
LENIENT = {"latency_p95_ms": 5000, "success_ratio": 0.9, "min_rps": 20}
TIMEOUT_S = 60
RATE_RPS = 30 * len(MODELS)


def plan(url: str, **changes: object) -> dict[str, Any]:
    """Two seconds at 30 requests a second for each model, so that each has its 59 answers."""
    return {
        "base_url": url,
        "token": "good",
        "models": list(MODELS),
        "profile": "short",
        "rate_rps": RATE_RPS,
        "warmup_s": 0,
        "steady_s": 2,
        "saturation_s": 0,
        "slo": LENIENT,
        **changes,
    }


def run(folder: Path, told: object) -> subprocess.CompletedProcess[str]:
    text = told if isinstance(told, str) else json.dumps(told)
    return subprocess.run(
        [*COMMAND, str(folder)],
        input=text,
        text=True,
        capture_output=True,
        cwd=ROOT,
        timeout=TIMEOUT_S,
        check=False,
    )


def figures(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
    return told


def test_every_machine_is_asked_for_every_model_as_often_as_the_others(
    tmp_path: Path, stand_in: Any, second_stand_in: Any
) -> None:
    urls = [stand_in.url, second_stand_in.url]

    done = run(tmp_path, plan(stand_in.url, base_url=urls))

    assert (done.returncode, done.stderr) == (0, "")
    told = figures(tmp_path)
    assert (told["requests"], told["failures"]) == (2 * RATE_RPS, 0)
    one, other = stand_in.asked, second_stand_in.asked
    assert len(one) == len(MODELS)
    assert one.keys() == other.keys()
    assert all(abs(one[path] - other[path]) <= 1 for path in one)


def test_a_machine_that_is_not_ready_keeps_the_others_from_being_asked(
    tmp_path: Path, stand_in: Any, second_stand_in: Any
) -> None:
    second_stand_in.status = 503
    second_stand_in.reasons = ["no model"]

    done = run(tmp_path, plan(stand_in.url, base_url=[stand_in.url, second_stand_in.url]))

    assert done.returncode == 2
    assert f"gate: {second_stand_in.url}: is not ready (no model)." in done.stderr
    assert stand_in.predictions == 0


def test_the_steady_phase_alone_is_counted_and_every_model_is_asked(
    tmp_path: Path, stand_in: Any
) -> None:
    done = run(
        tmp_path,
        plan(stand_in.url, warmup_s=1, saturation_s=1, release="r1", seed=3, token="good"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = figures(tmp_path)
    assert (told["requests"], told["failures"]) == (2 * RATE_RPS, 0)
    assert {name: m["requests"] for name, m in told["models"].items()} == dict.fromkeys(MODELS, 60)
    paced = RATE_RPS * (1 + 2)
    assert stand_in.predictions == paced + told["saturation"]["requests"]
    assert set(stand_in.asked) == {contract.predict_path(model) for model in MODELS}
    assert stand_in.tokens == {"Bearer good"}
    assert told["offered_rps"] > 0
    assert told["saturation_rps"] > 0
    assert told["client_cpu_ratio"] > 0
    assert {s["phase"] for s in told["series"]} >= {"warmup", "steady", "saturation"}
    assert told["plan"]["rate_rps"] == RATE_RPS
    assert "good" not in (tmp_path / "gate.json").read_text(encoding="utf-8")
    rows = judge(told, Slo(**LENIENT)).rows
    assert [row.name for row in rows] == [
        "latency_p95_ms",
        *(f"latency_p95_ms:{name}" for name in MODELS),
        "success_ratio",
        "rps",
    ]
    assert all(row.measured is not None for row in rows)


def test_every_bad_answer_is_counted_and_told(tmp_path: Path, stand_in: Any) -> None:
    def spoil(model: str, number: int) -> tuple[int, dict[str, Any]] | None:
        if number % 10 == 0:
            return 503, {"title": "Busy", "detail": "the queue is full"}
        if number % 10 == 1:
            return 200, {**stand_in.answer(model), "release": "r0"}
        return None

    stand_in.spoil = spoil
    assert run(tmp_path, plan(stand_in.url, release="r1")).returncode == 0
    told = figures(tmp_path)
    told_counts = (told["requests"], told["failures"], told["unanswered"])
    assert told_counts == (2 * RATE_RPS, 12 * len(MODELS), 0)
    assert told["error_ratio"] == 0.2
    kinds = {(e["model"], e["status"], e["sample"]): e["count"] for e in told["errors"]}
    assert kinds == {
        **{(m, 503, "Busy: the queue is full"): 6 for m in MODELS},
        **{(m, 200, "answered by release r0, not r1"): 6 for m in MODELS},
    }
    judgement = judge(told, Slo(**LENIENT))
    assert judgement.verdict == "fail"
    assert "success" in {f.kind for f in judgement.findings}


def test_a_stall_is_in_the_latencies_of_all_that_fell_due_meanwhile(
    tmp_path: Path, stand_in: Any
) -> None:
    begun: list[float] = []
    lock = threading.Lock()

    def stall() -> None:
        """All requests of the first second are answered at its end."""
        with lock:
            begun.append(time.monotonic())
        time.sleep(max(0.0, begun[0] + 1.0 - time.monotonic()))

    stand_in.before_answer = stall
    slo = {"latency_p95_ms": 400, "success_ratio": 0.9, "min_rps": 20}
    assert run(tmp_path, plan(stand_in.url, slo=slo)).returncode == 0
    told = figures(tmp_path)
    assert told["requests"] == 2 * RATE_RPS  # not one less because the service kept others waiting
    assert told["latency_ms"]["p95"] >= 850
    assert not judge(told, Slo(**slo)).rows[0].ok


def test_a_connection_that_breaks_is_a_failure_without_an_answer(
    tmp_path: Path, stand_in: Any
) -> None:
    def hang_up() -> None:
        raise ConnectionAbortedError

    stand_in.before_answer = hang_up
    assert run(tmp_path, plan(stand_in.url, steady_s=1)).returncode == 0
    told = figures(tmp_path)
    assert (told["requests"], told["failures"], told["unanswered"]) == (RATE_RPS,) * 3
    assert {(e["model"], e["status"], e["count"]) for e in told["errors"]} == {
        (model, 0, 30) for model in MODELS
    }
    assert all(e["sample"].startswith("no answer: ") for e in told["errors"])


def test_a_target_that_cannot_be_reached_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    done = run(tmp_path / "out", plan(url))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"gate: {url}: cannot be reached ([Errno 111] Connection refused). Check that it runs.\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("{", "plan: is not JSON (Expecting property name enclosed in double quotes: line 1"),
        ("[]", "plan: must be a JSON object (got list). Give one on standard input."),
        (plan("http://127.0.0.1:1", models=["octopus"]), "plan.models: no such model"),
    ],
    ids=["no JSON", "no object", "a bad plan"],
)
def test_a_plan_that_is_none_is_told_in_one_line(
    tmp_path: Path, told: object, message: str
) -> None:
    done = run(tmp_path / "out", told)
    assert done.returncode == 2
    assert done.stderr.startswith(f"gate: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def started(folder: Path, told: dict[str, Any]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [*COMMAND, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(told))
    process.stdin.close()
    process.stdin = None
    return process


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_figures(
    tmp_path: Path, stand_in: Any, number: signal.Signals
) -> None:
    process = started(tmp_path / "out", plan(stand_in.url, steady_s=600))
    wait_for(lambda: stand_in.predictions > 5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 2
    assert errors == f"gate: stopped ({number.name}). No figures were written.\n"
    assert not (tmp_path / "out").exists()


ORPHAN = """
import subprocess, sys
gate = subprocess.Popen([sys.executable, "-m", "loadtests.gate", "--out", sys.argv[1]],
                        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
gate.stdin.write(sys.stdin.buffer.read())
gate.stdin.close()
sys.stdout.write(f"{gate.pid}\\n")
sys.stdout.flush()
import time; time.sleep(600)
"""


def test_it_does_not_outlive_the_process_that_started_it(tmp_path: Path, stand_in: Any) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent:
        parent.stdin.write(json.dumps(plan(stand_in.url, steady_s=600)).encode())
        parent.stdin.close()
        gate_pid = int(parent.stdout.readline())
        wait_for(lambda: stand_in.predictions > 5)
        parent.kill()
    wait_for(lambda: not is_alive(gate_pid))
    assert not (tmp_path / "out").exists()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_plain_locust_runs_the_same_users(tmp_path: Path, stand_in: Any) -> None:
    token = tmp_path / "token"
    token.write_text("good\n", encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py"),
            *("--host", stand_in.url, "--headless", "-u", "4", "-r", "4", "-t", "2s"),
            *("--only-summary", "--stop-timeout", "5"),
        ],
        env={**os.environ, "BENTOFLEET_TOKEN_FILE": str(token)},
        text=True,
        capture_output=True,
        cwd=ROOT,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(stand_in.asked) == {contract.predict_path(model) for model in MODELS}
    assert stand_in.tokens == {"Bearer good"}


def test_plain_locust_names_a_token_file_that_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless"],
        env={**os.environ, "BENTOFLEET_TOKEN_FILE": str(tmp_path / "none")},
        text=True,
        capture_output=True,
        cwd=ROOT,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode != 0
    assert "BENTOFLEET_TOKEN_FILE: cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_what_infra_uses_leaves_the_standard_library_alone() -> None:
    code = "import loadtests.slo, loadtests.verdict, sys; sys.exit('gevent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
