"""A release's life on real containers under the real engine: each test goes on from the last."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from harness import alike, doors
from harness.stack import is_as_before, provider_of, wait_until

from bentos.catalog import MODELS
from infra.commands import containers, edge, ports
from infra.provider import live
from service import tokens

if TYPE_CHECKING:
    from harness.stack import LiveStack

pytestmark = pytest.mark.live


def error_lines(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("error:")]


CANARY: dict[str, Any] = {
    "canary": [{"weight": 20, "hold_s": 8}],
    "settle_s": 1,
    "min_samples": 59,
    "max_hold_s": 90,
}


def test_a_preview_before_anything_exists_touches_no_host(stack: "LiveStack") -> None:
    stack.pulumi("preview", "-s", stack.name)

    assert stack.machine().containers() == []
    assert stack.machine().names_in(stack.machine().paths.root) == []


def test_a_taken_port_is_named_before_anything_starts(stack: "LiveStack") -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", stack.settings["edge"]["port"]))
        taken.listen()
        done = stack.up()

    assert done.returncode != 0
    assert "error: here: port 18443 is taken. Free it, or choose another `edge.port`." in (
        error_lines(done)
    )


def test_the_first_release_passes_the_gate_and_answers(stack: "LiveStack") -> None:
    done = stack.up()

    assert done.returncode == 0, done.stdout + done.stderr
    verdict = stack.latest_verdict()
    assert verdict["verdict"] == "pass"
    assert [(s["step"], s["result"]) for s in verdict["steps"]] == [
        *(("ready", "pass"), ("gate", "pass"), ("promote", "pass"), ("drain", "pass")),
    ]
    assert verdict["saturation_rps"] > 0
    for model in MODELS:
        status, body = stack.post(stack.token(), model)
        assert (status, body["release"]) == (200, stack.output("release"))
    assert len(stack.replicas()) == 2


def test_the_evidence_lies_beside_the_verdict(stack: "LiveStack") -> None:
    folder = stack.reports / "latest"

    names = {p.name for p in folder.iterdir()}
    assert {"verdict.json", "verdict.html", "junit.xml", "gate.json"} <= names


def test_a_request_without_a_token_is_refused(stack: "LiveStack") -> None:
    assert stack.post(None)[0] == 401


def test_bentoml_serve_and_the_image_alone_answer_as_the_stack_does(stack: "LiveStack") -> None:
    asked = list(alike.requests(MODELS.values()))
    key = (stack.keys / "token-key.pem").read_text()
    issued = {a.scope: tokens.issue(key, a.scope, 600, "tester") for a in asked if a.scope}

    expected = alike.answers(stack.url, asked, issued)
    with doors.bentoml_serve(stack) as serve, doors.image_alone(stack) as alone:
        for url in (serve, alone):
            doors.wait(url)
        others = [alike.answers(url, asked, issued) for url in (serve, alone)]

    assert len(expected) == len(asked)
    for answers in others:
        assert {name for name in expected if answers[name] != expected[name]} == set()


def test_a_second_run_changes_nothing(stack: "LiveStack") -> None:
    before = stack.replicas()

    done = stack.up("--refresh", "--expect-no-changes")

    assert done.returncode == 0, done.stdout
    assert stack.replicas() == before


def test_an_empty_state_adopts_what_runs(stack: "LiveStack", tmp_path: Path) -> None:
    before, attempt = stack.replicas(), stack.latest_verdict()["started_at"]
    elsewhere = f"file://{tmp_path}"

    stack.pulumi("stack", "init", stack.name, backend=elsewhere)
    stack.pulumi("up", "--yes", "--skip-preview", "-s", stack.name, backend=elsewhere)

    assert stack.replicas() == before
    assert stack.latest_verdict()["started_at"] == attempt


def test_status_tells_release_weight_and_health(stack: "LiveStack") -> None:
    text = stack.python("infra.status", "--stack", stack.name)

    assert f"release {stack.output('release')}, weight 100 %" in text
    assert text.count("edge says UP") == 2


def test_logs_show_every_container(stack: "LiveStack") -> None:
    text = stack.python("infra.logs", "--stack", stack.name, "--lines", "5")

    names = {line.split()[0] for line in text.splitlines()}
    assert names == {c.name for c in stack.machine().containers()}


def test_no_secret_lies_in_the_state_or_on_the_host(stack: "LiveStack") -> None:
    key = (stack.keys / "token-key.pem").read_text().splitlines()[1]
    folders = [stack.state, stack.reports, stack.machine().paths.root]

    searched = [p for f in folders for p in Path(f).rglob("*") if p.is_file()]
    assert searched
    assert [p for p in searched if key in p.read_text(errors="replace")] == []


def test_what_was_changed_by_hand_is_named_and_put_back(stack: "LiveStack") -> None:
    machine = stack.machine()
    victim, other = stack.replicas()
    machine.remove_container(victim.name)
    machine.remove_container(other.name)
    labels = [word for pair in other.labels.items() for word in ("--label", "=".join(pair))]
    by_hand = ["--detach", "--name", other.name, *labels, "--memory", "900m", other.image]
    machine.run([machine.engine, "run", *by_hand])
    machine.write(machine.paths.config, "# by hand\n" + str(machine.read(machine.paths.config)))
    machine.edge_command(edge.set_live("b"))

    shown = stack.pulumi("preview", "--refresh", "--diff", "-s", stack.name)
    for words in (
        '"as declared" => "removed"',
        '"as declared" => "has another memory limit (900 MiB)"',
        '"as declared" => "changed by hand"',
        '"as declared" => "the edge sends users to slot b"',
    ):
        assert words in shown
    done = stack.up("--refresh")

    assert done.returncode == 0, done.stdout
    assert stack.post(stack.token())[0] == 200
    assert stack.up("--refresh", "--expect-no-changes").returncode == 0


def test_a_new_release_takes_the_traffic_without_losing_a_request(stack: "LiveStack") -> None:
    old = stack.output("release")
    stack.change(service={"docs": False}, rollout=CANARY)

    with stack.crowd() as client:
        done = stack.up()
        new = stack.output("release")
        client.wait_for(lambda c: c.releases[new] > 0)
    stack.change(rollout={"canary": []})

    assert done.returncode == 0, done.stdout
    assert new != old
    assert set(client.statuses) == {200}
    assert set(client.releases) == {old, new}
    assert {c.labels[containers.RELEASE_LABEL] for c in stack.replicas()} == {new}


def test_the_verdict_tells_of_both_sides_of_the_canary(stack: "LiveStack") -> None:
    (step,) = stack.latest_verdict()["canary"]

    assert step["result"] == "pass"
    assert step["weight_percent"] == 20
    assert step["candidate"]["requests"] >= CANARY["min_samples"]
    assert step["live"]["requests"] > step["candidate"]["requests"]
    assert stack.latest_verdict()["timeline"]


def test_a_replica_more_needs_no_gate(stack: "LiveStack") -> None:
    attempt = stack.latest_verdict()["started_at"]
    stack.change(service={"replicas": 3})

    done = stack.up()
    assert done.returncode == 0, done.stdout
    assert len(stack.replicas()) == 3
    assert stack.up_in(stack.live().slot) == 3
    stack.change(service={"replicas": 2})
    done = stack.up()
    assert done.returncode == 0, done.stdout
    assert len(stack.replicas()) == 2
    assert stack.latest_verdict()["started_at"] == attempt


def test_a_release_that_misses_its_slo_is_refused_and_live_goes_on(stack: "LiveStack") -> None:
    live_before = live.read(stack.machine())
    stack.change(service={"threads": 2}, slo={"latency_p95_ms": 0.01})

    with stack.crowd() as client:
        done = stack.up()

    assert done.returncode != 0
    (line,) = [e for e in error_lines(done) if "release" in e]
    assert ": fail: latency: the 95th percentile is" in line
    assert "stays live" in line
    assert "Traceback" not in done.stdout + done.stderr
    assert live.read(stack.machine()) == live_before
    assert set(client.statuses) == {200}
    assert {c.labels[containers.RELEASE_LABEL] for c in stack.replicas()} == {
        live_before.release if live_before else ""
    }
    assert stack.latest_verdict()["verdict"] == "fail"


def test_a_second_run_is_told_who_walks_and_ctrl_c_puts_back_at_once(
    stack: "LiveStack", tmp_path: Path
) -> None:
    before = stack.live()
    stack.change(slo={"latency_p95_ms": 2000}, gate={"profile": "release"})
    elsewhere = f"file://{tmp_path}"
    stack.pulumi("stack", "init", stack.name, backend=elsewhere)

    process = stack.start_up_to_the_gate()
    walker = provider_of(process.pid)
    same_state = stack.make_up()
    other_state = stack.run(
        *("pulumi", "up", "--yes", "--skip-preview", "-s", stack.name), backend=elsewhere
    )
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    stack.change(gate={"profile": "short"})

    assert same_state.returncode != 0
    assert f"pid {process.pid}" in same_state.stdout + same_state.stderr
    assert other_state.returncode != 0
    (line,) = {e for e in error_lines(other_state) if "being walked" in e}
    assert f"{os.uname().nodename}, pid {walker}, since" in line
    assert process.returncode != 0
    assert "interrupted" in out
    assert is_as_before(stack, before)
    assert stack.post(stack.token())[0] == 200


def test_a_killed_pulumi_leaves_a_walk_that_puts_back_and_a_lock_that_the_next_run_clears(
    stack: "LiveStack",
) -> None:
    before = stack.live()
    process = stack.start_up_to_the_gate()

    process.kill()
    process.communicate()

    with stack.crowd() as client:
        wait_until(lambda: is_as_before(stack, before), "the walk did not put back")
    assert set(client.statuses) == {200}
    locked = stack.up()
    assert "locked" in locked.stdout + locked.stderr
    cleared = stack.python("infra.unlock", "--stack", stack.name, "--if-dead")
    assert "the lock of a dead run was cleared" in cleared


def test_a_killed_provider_leaves_live_alone_and_the_next_run_converges(
    stack: "LiveStack",
) -> None:
    before = stack.live()
    process = stack.start_up_to_the_gate()

    os.kill(provider_of(process.pid), signal.SIGKILL)
    process.communicate(timeout=120)

    assert process.returncode != 0
    assert live.read(stack.machine()) == before
    with stack.crowd() as client:
        done = stack.up()
    assert done.returncode == 0, done.stdout
    assert set(client.statuses) == {200}
    assert is_as_before(stack, stack.live())
    assert stack.live().release == stack.output("release") != before.release


def test_destroy_leaves_nothing(stack: "LiveStack") -> None:
    machine = stack.machine()
    stack.pulumi("destroy", "--yes", "--skip-preview", "-s", stack.name)

    assert machine.containers() == []
    assert machine.image_tags(f"localhost/bentofleet-{stack.name}/service") == []
    assert machine.image_tags(f"localhost/bentofleet-{stack.name}/edge") == []
    assert machine.read(machine.paths.root) is None
    taken = ports.listening(machine.run(ports.tables()))
    ours = {18443, *range(stack.ports.first, stack.ports.first + 100)}
    assert taken & ours == set()
