"""Who commands act as over SSH: a user, root by sudo, or nobody where sudo refuses."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.loopback import USER, LoopbackHost, why_no_host

from infra.connection import HostError, Unreachable, connect, line
from infra.host import Host

pytestmark = pytest.mark.skipif(why_no_host() is not None, reason=why_no_host() or "")


@pytest.fixture(scope="module")
def there() -> Iterator[LoopbackHost]:
    made = LoopbackHost("gamma", "127.0.0.2")
    yield made
    line.close_all()
    made.close()


def host(there: LoopbackHost, **changes: Any) -> Host:
    given = {"accelerator": "cpu", "stack": "demo", "ports_from": 21000, "user": USER}
    return Host(**{**there.entry(), **given, **changes})


def test_without_sudo_commands_act_as_the_user_and_files_lie_in_his_home(
    there: LoopbackHost,
) -> None:
    there.allow_sudo(False)
    connection = connect(host(there))

    assert connection.run(["id", "-un"]).out == f"{USER}\n"
    assert not connection.is_root
    root = there.folder / "home/.local/share/bentofleet/demo"
    assert str(connection.paths().root) == str(root)
    assert connection.run(["mkdir", "-p", str(root)]).status == 0


def test_with_sudo_commands_act_as_root(there: LoopbackHost) -> None:
    there.allow_sudo(True)
    connection = connect(host(there, sudo=True))

    assert connection.run(["id", "-u"]).out == "0\n"
    assert connection.is_root
    assert str(connection.paths().root) == "/var/lib/bentofleet/demo"
    assert connection.run(["sh", "-c", 'cat; echo "$1"', "sh", "two words"], "in ").out == (
        "in two words\n"
    )


def test_a_missing_program_is_named_under_sudo_too(there: LoopbackHost) -> None:
    there.allow_sudo(True)

    with pytest.raises(HostError, match=r"gamma: no such program \(got no-such-engine\)"):
        connect(host(there, sudo=True)).run(["no-such-engine"])


def test_what_root_runs_is_ended_when_its_time_is_over(there: LoopbackHost) -> None:
    there.allow_sudo(True)

    with pytest.raises(Unreachable, match="did not end"):
        connect(host(there, sudo=True)).run(["sleep", "1234567"], timeout_s=1)

    assert until_gone("1234567")


def until_gone(word: str) -> bool:
    """Whether no process has the word in its command line, within ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
        if not any(b"sleep" in line and word.encode() in line for line in lines):
            return True
        time.sleep(0.1)
    return False


def test_sudo_without_rights_is_refused_with_sudos_own_words(there: LoopbackHost) -> None:
    there.allow_sudo(False)

    with pytest.raises(HostError) as refused:
        connect(host(there, sudo=True))

    assert str(refused.value) == (
        "gamma: deploy may not use sudo without a password (sudo: a password is required). Add the "
        "line `deploy ALL=(ALL) NOPASSWD: ALL` with `sudo visudo`, or write `sudo: false`."
    )


def test_a_host_of_its_own_has_its_own_machine_id_name_and_network(there: LoopbackHost) -> None:
    connection = connect(host(there))

    assert connection.machine_id() == there.machine_id
    assert connection.run(["uname", "-n"]).out == "gamma\n"
    listening = connection.run(["cat", "/proc/net/tcp"]).out
    assert len(listening.splitlines()) == 1
