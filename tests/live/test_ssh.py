"""A release's life on two hosts over SSH, dead ones among them: each test goes on from the last."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from harness.fleet import NAME, Fleet, why_no_fleet
from harness.stack import ROOT, wait_until

from infra.host_keys import fingerprint
from infra.images import manifest

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(why_no_fleet() is not None, reason=why_no_fleet() or ""),
]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two bare hosts and a stack on them; gone after the last test, whatever happened."""
    try:
        manifest.load_fresh(ROOT)
    except ValueError as e:
        pytest.fail(f"{e} (`make test` does that first)")
    made = Fleet(tmp_path_factory.mktemp("fleet"))
    try:
        made.sweep()
        made.make()
        yield made
    finally:
        made.close()


def error_lines(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("error:")]


def told(done: "subprocess.CompletedProcess[str]") -> str:
    return done.stdout + done.stderr


# -- before anything is touched -----------------------------------------------------------------


def test_a_preview_asks_no_host(fleet: Fleet) -> None:
    fleet.pulumi("preview", "-s", NAME)

    assert [host.sshd.logins for host in fleet.hosts.values()] == [0, 0]


def test_every_host_that_cannot_be_used_is_named_at_once_and_none_is_touched(fleet: Fleet) -> None:
    fleet.list_hosts(alpha={"host_key": None}, beta={"port": 22999})

    done = fleet.up()

    assert done.returncode != 0
    assert "alpha: the host key of 198.18.1.11:22 is not known (got ssh-ed25519" in told(done)
    assert f'add `host_key: "{fleet.alpha.sshd.host_key}"` to it' in told(done)
    assert "beta: 198.18.1.12:22999 refuses connections" in told(done)
    assert "Traceback" not in told(done)
    assert [fleet.traces_on(host) for host in fleet.hosts.values()] == [[], []]


def test_a_host_key_that_changed_and_sudo_without_rights_are_named(fleet: Fleet) -> None:
    fleet.alpha.allow_sudo(False)
    pinned = fleet.beta.sshd.host_key
    fleet.beta.sshd.new_host_key()
    fleet.list_hosts(alpha={"user": "deploy", "sudo": True}, beta={"host_key": pinned})

    done = fleet.up()

    assert done.returncode != 0
    assert "beta: the host key of 198.18.1.12:22 has changed (got ssh-ed25519 " in told(done)
    assert f"pinned is {fingerprint(pinned)}" in told(done)
    assert "alpha: deploy may not use sudo without a password (sudo: a password is" in told(done)
    assert [fleet.traces_on(host) for host in fleet.hosts.values()] == [[], []]


# -- the whole path -----------------------------------------------------------------------------


def test_the_first_release_is_tried_on_both_hosts_and_serves_from_both(fleet: Fleet) -> None:
    fleet.list_hosts()

    done = fleet.up()

    assert done.returncode == 0, told(done)
    verdict = fleet.latest_verdict()
    assert [(s["step"], s["result"]) for s in verdict["steps"]] == [
        *(("ready", "pass"), ("gate", "pass"), ("promote", "pass"), ("drain", "pass")),
    ]
    release = fleet.output("release")
    assert [fleet.releases_on(host) for host in fleet.hosts.values()] == [[release], [release]]
    status, body = fleet.post(fleet.token())
    assert (status, body["release"]) == (200, release)


def test_a_second_run_changes_nothing_over_one_connection_a_host(fleet: Fleet) -> None:
    before = [host.sshd.logins for host in fleet.hosts.values()]

    done = fleet.up("--expect-no-changes")
    after = [host.sshd.logins for host in fleet.hosts.values()]
    refreshed = fleet.up("--refresh", "--expect-no-changes")

    assert done.returncode == 0, told(done)
    assert refreshed.returncode == 0, told(refreshed)
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_no_secret_lies_in_the_state_on_the_hosts_or_in_their_logs(fleet: Fleet) -> None:
    secrets = [
        (fleet.keys / "token-key.pem").read_text().splitlines()[1],
        fleet.alpha.sshd.key.read_text().splitlines()[1],
    ]
    folders = [fleet.state, fleet.reports]
    for host in fleet.hosts.values():
        folders += [host.folder / "lib", host.folder / "home"]
    files = [p for f in folders for p in f.rglob("*") if p.is_file()]
    files += [host.sshd.log for host in fleet.hosts.values()]

    assert [p for p in files for s in secrets if s in p.read_text(errors="replace")] == []


def test_a_second_release_takes_the_traffic_of_both_without_losing_a_request(fleet: Fleet) -> None:
    old = fleet.output("release")
    fleet.change(service={"docs": False})

    with fleet.users_of(fleet.alpha) as users:
        done = fleet.up()
        new = fleet.output("release")
        users.wait_for(lambda c: c.releases[new] > 0)

    assert done.returncode == 0, told(done)
    assert new != old
    assert set(users.statuses) == {200}
    assert set(users.releases) == {old, new}


def test_status_and_logs_tell_of_both_hosts(fleet: Fleet) -> None:
    status = fleet.python("infra.status", "--stack", NAME)
    logs = fleet.python("infra.logs", "--stack", NAME, "--lines", "2")

    release = fleet.output("release")
    for name in fleet.hosts:
        assert f"{name}: release {release}, weight 100 %" in status
    assert {line.split(":")[0] for line in logs.splitlines()} == {"alpha", "beta"}


def test_doctor_blames_hosts_that_serve_for_nothing(fleet: Fleet) -> None:
    found = json.loads(fleet.python("infra.doctor", "--stack", NAME, "--json"))

    assert found["counts"]["error"] == 0
    for machine in found["machines"][1:]:
        codes = {finding["code"] for finding in machine["findings"]}
        assert {"ssh.forward", "engine.version", "ports.free"} <= codes
        assert ("edge.in-reach" in codes) == (machine["name"] == "alpha")  # the users' entry


# -- a dead host beside a living one ------------------------------------------------------------


def test_a_dead_host_reads_as_unreachable_and_the_others_drift_still_shows(fleet: Fleet) -> None:
    fleet.beta.die()
    machine = fleet.on(fleet.alpha)
    machine.write(machine.paths.config, "# by hand\n" + str(machine.read(machine.paths.config)))

    shown = fleet.pulumi("preview", "--refresh", "--diff", "-s", NAME)

    assert "unreachable: beta: 198.18.1.12:22 refuses connections" in shown
    assert '"as declared" => "changed by hand"' in shown


def test_an_up_with_a_dead_host_names_it_and_touches_nobody(fleet: Fleet) -> None:
    before = fleet.live_on(fleet.alpha)
    released = fleet.settings["service"]
    fleet.change(service={"threads": 2})

    done = fleet.up()
    fleet.change(service=released | {"threads": 1})

    assert done.returncode != 0
    assert "beta: 198.18.1.12:22 refuses connections" in told(done)
    assert "take the host out (`out: true`)" in told(done)
    assert fleet.live_on(fleet.alpha) == before
    assert "# by hand" in str(fleet.on(fleet.alpha).read(fleet.on(fleet.alpha).paths.config))


def test_status_names_the_dead_host_beside_the_living_one(fleet: Fleet) -> None:
    done = fleet.run("python", "-m", "infra.status", "--stack", NAME)

    assert done.returncode == 1
    assert "beta: 198.18.1.12:22 refuses connections" in done.stdout
    assert "alpha: release " in done.stdout


def test_a_host_that_is_out_is_left_alone_and_the_others_are_mended(fleet: Fleet) -> None:
    fleet.list_hosts(beta={"out": True})

    done = fleet.up("--refresh")
    again = fleet.up("--refresh", "--expect-no-changes")

    assert done.returncode == 0, told(done)
    assert again.returncode == 0, told(again)
    assert "# by hand" not in str(fleet.on(fleet.alpha).read(fleet.on(fleet.alpha).paths.config))
    assert "beta: out; nobody looked" in fleet.python("infra.status", "--stack", NAME)


def test_a_host_that_comes_back_as_it_was_changes_nothing_that_serves(fleet: Fleet) -> None:
    before = [fleet.live_on(host) for host in fleet.hosts.values()]
    fleet.beta.wake()
    fleet.list_hosts()

    with fleet.users_of(fleet.alpha) as users:
        done = fleet.up()

    assert done.returncode == 0, told(done)
    assert [fleet.live_on(host) for host in fleet.hosts.values()] == before
    assert set(users.statuses) == {200}


# -- the longer ways: `make soak` ---------------------------------------------------------------


@pytest.fixture
def serving(fleet: Fleet) -> Fleet:
    """Both hosts serve one release."""
    fleet.list_hosts()
    done = fleet.up()
    assert done.returncode == 0, told(done)
    return fleet


@pytest.mark.soak
def test_a_line_that_is_cut_during_the_gate_makes_it_inconclusive_and_live_stays(
    serving: Fleet,
) -> None:
    fleet = serving
    before = fleet.output("release")
    fleet.change(service={"threads": 3})
    process = fleet.start_up_to_the_gate()

    fleet.beta.sshd.freeze()
    wait_until(lambda: process.poll() is not None, "it did not end", timeout_s=240)
    out, _ = process.communicate()
    fleet.beta.sshd.stop()
    fleet.beta.sshd.start()

    fleet.change(service={"threads": 1})
    assert process.returncode != 0
    assert ": inconclusive: " in out
    assert "could not put back: beta: " in out
    assert fleet.latest_verdict()["verdict"] == "inconclusive"
    for host in fleet.hosts.values():
        now = fleet.live_on(host)
        assert now is not None
        assert now.release == before
    assert fleet.post(fleet.token())[0] == 200
    mended = fleet.up("--refresh")  # as the warning says: nobody could take beta's candidate away
    assert mended.returncode == 0, told(mended)
    assert [fleet.releases_on(host) for host in fleet.hosts.values()] == [[before], [before]]


@pytest.mark.soak
def test_a_host_that_missed_a_release_is_brought_level_and_the_others_are_not_walked(
    serving: Fleet,
) -> None:
    fleet, old = serving, serving.live_on(serving.beta)
    fleet.beta.die()
    fleet.change(service={"threads": 4})
    fleet.list_hosts(beta={"out": True})
    assert fleet.up().returncode == 0
    new = fleet.live_on(fleet.alpha)
    assert old is not None
    assert new is not None
    assert new.release == fleet.output("release") != old.release
    assert fleet.live_on(fleet.beta) == old
    assert fleet.releases_on(fleet.beta) == [old.release]

    fleet.beta.wake()
    fleet.list_hosts()
    done = fleet.up()

    assert done.returncode == 0, told(done)
    assert fleet.live_on(fleet.alpha) == new
    assert fleet.releases_on(fleet.beta) == [new.release]


@pytest.mark.soak
def test_a_host_that_is_taken_out_of_the_file_is_drained_and_cleaned_and_added_again(
    serving: Fleet,
) -> None:
    fleet, before = serving, serving.live_on(serving.alpha)
    fleet.list_hosts(beta=None)

    with fleet.users_of(fleet.alpha) as users:
        removed = fleet.up()
        traces = fleet.traces_on(fleet.beta)
        fleet.list_hosts()
        added = fleet.up()

    assert removed.returncode == 0, told(removed)
    assert traces == []
    assert added.returncode == 0, told(added)
    assert fleet.releases_on(fleet.beta) == fleet.releases_on(fleet.alpha)
    assert fleet.live_on(fleet.alpha) == before
    assert set(users.statuses) == {200}


@pytest.mark.soak
def test_a_host_with_another_name_goes_on_serving(serving: Fleet) -> None:
    fleet, before = serving, serving.live_on(serving.beta)
    fleet.list_hosts(beta={"name": "gamma"})

    with fleet.users_of(fleet.alpha) as users:
        done = fleet.up()
        fleet.list_hosts()
        again = fleet.up()

    assert done.returncode == 0, told(done)
    assert again.returncode == 0, told(again)
    assert fleet.live_on(fleet.beta) == before
    assert set(users.statuses) == {200}


# -- the end ------------------------------------------------------------------------------------


def test_destroy_with_a_dead_host_removes_the_rest_and_names_the_way_out(fleet: Fleet) -> None:
    fleet.alpha.die()

    done = fleet.run("make", "destroy", f"STACK={NAME}", "ARGS=--yes --skip-preview")

    assert done.returncode != 0
    assert "alpha: 198.18.1.11:22 refuses connections" in told(done)
    assert "run it with BENTOFLEET_FORGET=alpha" in told(done)
    assert fleet.traces_on(fleet.beta) == []


def test_destroy_goes_on_where_it_was_when_the_host_is_back(fleet: Fleet) -> None:
    fleet.alpha.wake()

    fleet.pulumi("destroy", "--yes", "--skip-preview", "-s", NAME)

    assert [fleet.traces_on(host) for host in fleet.hosts.values()] == [[], []]
