"""A release's life on real containers under the real engine: each test goes on from the last."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.commands import containers, edge, ports
from infra.host import other_slot
from infra.provider import live

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import LiveStack

pytestmark = pytest.mark.live


def replicas(stack: "LiveStack") -> list[containers.Running]:
    return [c for c in stack.machine().containers() if c.role == "replica"]


def error_lines(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("error:")]


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
    for model in ("energy", "wildlife"):
        status, body = stack.post(stack.token(), model)
        assert (status, body["release"]) == (200, stack.output("release"))
    assert len(replicas(stack)) == 2


def test_the_evidence_lies_beside_the_verdict(stack: "LiveStack") -> None:
    folder = stack.reports / "latest"

    names = {p.name for p in folder.iterdir()}
    assert {"verdict.json", "verdict.html", "junit.xml", "gate.json"} <= names


def test_a_request_without_a_token_is_refused(stack: "LiveStack") -> None:
    assert stack.post(None)[0] == 401


def test_a_second_run_changes_nothing(stack: "LiveStack") -> None:
    before = replicas(stack)

    done = stack.up("--refresh", "--expect-no-changes")

    assert done.returncode == 0, done.stdout
    assert replicas(stack) == before


def test_an_empty_state_adopts_what_runs(stack: "LiveStack", tmp_path: Path) -> None:
    before, attempt = replicas(stack), stack.latest_verdict()["started_at"]
    elsewhere = f"file://{tmp_path}"

    stack.pulumi("stack", "init", stack.name, backend=elsewhere)
    stack.pulumi("up", "--yes", "--skip-preview", "-s", stack.name, backend=elsewhere)

    assert replicas(stack) == before
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
    victim, other = replicas(stack)
    machine.remove_container(victim.name)
    machine.run([machine.engine, "kill", other.name])
    machine.write(machine.paths.config, "# by hand\n" + str(machine.read(machine.paths.config)))
    machine.edge_command(edge.set_live("b"))

    shown = stack.pulumi("preview", "--refresh", "--diff", "-s", stack.name)
    for words in (
        '"as declared" => "removed"',
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
    stack.change(service={"docs": False})

    with stack.steady_client() as client:
        done = stack.up()
        new = stack.output("release")
        deadline = time.monotonic() + 30
        while not client.releases[new] and time.monotonic() < deadline:
            time.sleep(0.1)

    assert done.returncode == 0, done.stdout
    assert new != old
    assert set(client.statuses) == {200}
    assert set(client.releases) == {old, new}
    assert {c.labels[containers.RELEASE_LABEL] for c in replicas(stack)} == {new}


def test_a_replica_more_needs_no_gate(stack: "LiveStack") -> None:
    attempt = stack.latest_verdict()["started_at"]
    stack.change(service={"replicas": 3})

    done = stack.up()
    assert done.returncode == 0, done.stdout
    assert len(replicas(stack)) == 3
    assert sum(s.is_up for s in stack.machine().edge_servers()) == 3
    stack.change(service={"replicas": 2})
    done = stack.up()
    assert done.returncode == 0, done.stdout
    assert len(replicas(stack)) == 2
    assert stack.latest_verdict()["started_at"] == attempt


def test_a_release_that_misses_its_slo_is_refused_and_live_goes_on(stack: "LiveStack") -> None:
    live_before = live.read(stack.machine())
    stack.change(service={"threads": 2}, slo={"latency_p95_ms": 0.01})

    with stack.steady_client() as client:
        done = stack.up()

    assert done.returncode != 0
    (line,) = [e for e in error_lines(done) if "release" in e]
    assert ": fail: latency: the 95th percentile is" in line
    assert "stays live" in line
    assert "Traceback" not in done.stdout + done.stderr
    assert live.read(stack.machine()) == live_before
    assert set(client.statuses) == {200}
    assert {c.labels[containers.RELEASE_LABEL] for c in replicas(stack)} == {
        live_before.release if live_before else ""
    }
    assert stack.latest_verdict()["verdict"] == "fail"


def start_up(stack: "LiveStack") -> "subprocess.Popen[str]":
    """`pulumi up` in the background, once its gate sends requests to the candidate."""
    argv = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "-s", stack.name]
    process = subprocess.Popen(
        argv,
        cwd=stack.root,
        env=stack.environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    candidate = other_slot(live_release(stack).slot)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if any(s.slot == candidate and s.sessions for s in stack.machine().edge_servers()):
            return process
        time.sleep(0.2)
    pytest.fail(f"the gate did not start: {process.communicate()[0]}")


def live_release(stack: "LiveStack") -> live.Live:
    now = live.read(stack.machine())
    assert now is not None
    return now


def provider_of(pulumi: int) -> int:
    """Process id of our provider, a child of `pulumi`."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        words = path.read_text().rpartition(")")[2].split()
        command = (path.parent / "cmdline").read_text()
        if int(words[1]) == pulumi and "infra.provider" in command:
            return int(path.parent.name)
    pytest.fail("the provider is not running")


def wait_until(is_so: "Callable[[], bool]", what: str, timeout_s: float = 90) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def is_as_before(stack: "LiveStack", before: live.Live) -> bool:
    """Whether `before` alone is there, with all its replicas, and nobody walks."""
    machine = stack.machine()
    return (
        live.read(machine) == before
        and machine.edge_live() == before.slot
        and {c.labels[containers.RELEASE_LABEL] for c in replicas(stack)} == {before.release}
        and machine.read(machine.paths.lock) is None
    )


def test_ctrl_c_in_the_gate_puts_back_and_ends_with_an_error(stack: "LiveStack") -> None:
    before = live_release(stack)
    stack.change(slo={"latency_p95_ms": 2000})

    process = start_up(stack)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)

    assert process.returncode != 0
    assert "interrupted" in out
    assert is_as_before(stack, before)
    assert stack.post(stack.token())[0] == 200


def test_a_killed_pulumi_leaves_a_walk_that_puts_back_and_a_lock_that_the_next_run_clears(
    stack: "LiveStack",
) -> None:
    before = live_release(stack)
    process = start_up(stack)

    process.kill()
    process.communicate()

    with stack.steady_client() as client:
        wait_until(lambda: is_as_before(stack, before), "the walk did not put back")
    assert set(client.statuses) == {200}
    locked = stack.up()
    assert "locked" in locked.stdout + locked.stderr
    cleared = stack.python("infra.unlock", "--stack", stack.name, "--if-dead")
    assert "the lock of a dead run was cleared" in cleared


def test_a_killed_provider_leaves_live_alone_and_the_next_run_converges(
    stack: "LiveStack",
) -> None:
    before = live_release(stack)
    process = start_up(stack)

    os.kill(provider_of(process.pid), signal.SIGKILL)
    process.communicate(timeout=120)

    assert process.returncode != 0
    assert live.read(stack.machine()) == before
    with stack.steady_client() as client:
        done = stack.up()
    assert done.returncode == 0, done.stdout
    assert set(client.statuses) == {200}
    assert is_as_before(stack, live_release(stack))
    assert live_release(stack).release == stack.output("release") != before.release


def test_after_a_reboot_the_start_script_brings_back_live_alone(stack: "LiveStack") -> None:
    machine = stack.machine()
    for container in machine.containers():
        machine.run([machine.engine, "stop", "--time", "1", container.name])

    machine.run(["sh", str(machine.paths.start)])

    deadline = time.monotonic() + 60
    while stack.post(stack.token())[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert stack.up("--refresh", "--expect-no-changes").returncode == 0


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
