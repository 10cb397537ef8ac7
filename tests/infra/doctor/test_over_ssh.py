"""The doctor on hosts that are reached by a real SSH server each, on loopback addresses."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.sshd import Sshd, why_no_sshd

from infra import config
from infra.doctor import examine, line
from infra.doctor.kinds import Finding
from infra.doctor.line import at_a_time
from infra.host import Host

pytestmark = pytest.mark.skipif(why_no_sshd() is not None, reason=why_no_sshd() or "")

SETTINGS = config.parse(
    {"kind": "local", "hosts": [{"name": "a", "address": "127.0.0.1", "connection": "local"}]}
)
PLACES = {"alpha": ("127.0.0.2", 22032), "beta": ("127.0.0.3", 22033)}


class Servers:
    """Two SSH servers and the hosts behind them, which are both this machine."""

    def __init__(self, folder: Path) -> None:
        self.of = {
            name: Sshd(folder / name, address, port=port, env={"PATH": os.environ["PATH"]})
            for name, (address, port) in PLACES.items()
        }

    def host(self, server: str, **changes: object) -> Host:
        given = {"name": server, "stack": "lab", "accelerator": "cpu", "ports_from": 24000}
        return Host(**{**self.of[server].fields(), **given, **changes})


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    for sshd in made.of.values():
        sshd.stop()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that stay for a moment only: how many run at a time is another test's matter."""
    monkeypatch.setattr(line, "_STAY", ("date", "+%s%N"))


def findings(found: examine.Report) -> dict[str, Finding]:
    return {finding.code: finding for finding in found.findings}


@pytest.mark.usefixtures("short")
def test_two_hosts_tell_everything_over_one_log_in_each(servers: Servers) -> None:
    for sshd in servers.of.values():
        sshd.start()
    reports = examine.all_hosts(SETTINGS, [servers.host("alpha"), servers.host("beta")])
    for report in reports:
        found = findings(report)
        wanted = {"ssh.open", "ssh.forward", "memory.room", "clock.right"}
        assert wanted <= found.keys(), [f.line for f in report.findings]
        assert "host.cut-off" not in found
        assert servers.of[report.name].logins == 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("forbids", ["yes", "local", "remote"], ids=["both", "back", "there"])
def test_a_server_that_forbids_forwards_is_found_by_trying_them(
    servers: Servers, forbids: str
) -> None:
    setting = "DisableForwarding yes" if forbids == "yes" else f"AllowTcpForwarding {forbids}"
    servers.of["alpha"].start(setting)
    (report,) = examine.all_hosts(SETTINGS, [servers.host("alpha")])
    assert findings(report)["ssh.no-forwarding"].severity == "error"
    assert "memory.room" in findings(report)


def test_a_server_that_allows_few_sessions_is_found_by_trying_eight(servers: Servers) -> None:
    servers.of["alpha"].start("MaxSessions 2")
    (report,) = examine.all_hosts(SETTINGS, [servers.host("alpha")])
    assert "ssh.few-sessions" in findings(report)
    assert "memory.room" in findings(report)


def test_spans_are_counted_where_most_of_them_meet() -> None:
    assert at_a_time([(0, 10), (5, 15), (10, 20)]) == 2
    assert at_a_time([(0, 10), (1, 10), (2, 10)]) == 3


@pytest.mark.usefixtures("short")
def test_a_dead_host_and_one_of_another_key_are_told_beside_a_living_one(servers: Servers) -> None:
    servers.of["alpha"].start()
    stranger = servers.host("alpha", name="gamma", host_key=servers.of["beta"].host_key)
    hosts = [servers.host("alpha"), servers.host("beta"), stranger]
    alive, dead, strange = examine.all_hosts(SETTINGS, hosts)
    assert "ssh.open" in findings(alive)
    for report in (dead, strange):
        assert set(findings(report)) == {"ssh.closed", "host.not-asked"}
    assert "22033" in findings(dead)["ssh.closed"].line
    assert findings(strange)["ssh.closed"].cure
