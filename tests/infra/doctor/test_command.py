"""The command `python -m infra.doctor`: what it prints where, and how it ends."""

import json

import pytest

from infra import config, stack_file
from infra.doctor import __main__ as command
from infra.doctor import examine, here
from infra.doctor.examine import Report
from infra.doctor.kinds import Finding, ok
from infra.targets import local

SETTINGS = config.parse(
    {
        "kind": "local",
        "hosts": [
            {"name": "one", "address": "192.0.2.11", "user": "deploy"},
            {"name": "two", "address": "192.0.2.12", "user": "deploy", "out": True},
        ],
    }
)
GOOD = ok("disk.room", "/: 9 GiB free")
BAD = Finding(severity="error", code="gpu.no-card", what="no card", got="none", cure="Buy one.")


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command on hosts that all have this finding; how it ends and both outputs."""

    def command_with(finding: Finding, *words: str) -> tuple[int, str, str]:
        def ask(settings, hosts):
            return [Report(h.name, h.address, (finding,), is_out=h.out) for h in hosts]

        every = local.all_hosts("lab", SETTINGS)
        monkeypatch.setattr(stack_file, "all_hosts", lambda name: (SETTINGS, every))
        monkeypatch.setattr(here, "check", lambda *given: iter([GOOD]))
        monkeypatch.setattr(examine, "all_hosts", ask)
        monkeypatch.setattr("sys.argv", ["doctor", "--stack", "lab", *words])
        status = command.main()
        told = capsys.readouterr()
        return status, told.out, told.err

    return command_with


def test_without_an_error_it_ends_with_0(run) -> None:
    status, out, err = run(GOOD)
    assert (status, err) == (0, "")
    assert out.endswith("nothing that was looked at stands in the way of `make up`.\n")


def test_an_error_makes_it_end_with_1(run) -> None:
    status, out, _ = run(BAD)
    assert status == 1
    assert "gpu.no-card: no card (got none). Buy one." in out


def test_json_is_all_that_is_printed(run) -> None:
    status, out, err = run(BAD, "--json")
    document = json.loads(out)
    assert (status, err) == (1, "")
    assert document["stack"] == "lab"
    assert [m["name"] for m in document["machines"]] == ["this machine", "one", "two"]


def test_one_host_can_be_asked_alone_and_a_wrong_name_is_told(run) -> None:
    _, out, _ = run(GOOD, "--json", "--host", "one")
    assert [m["name"] for m in json.loads(out)["machines"]] == ["this machine", "one"]
    status, out, err = run(GOOD, "--host", "three")
    assert (status, out) == (1, "")
    assert err == "--host: no such host (got three). Use one of: one, two.\n"
