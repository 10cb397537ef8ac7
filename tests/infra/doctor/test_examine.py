"""Hosts asked over a connection: all at a time, whatever becomes of one of them."""

import json
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra import config
from infra.connection import Done, Local, Unreachable
from infra.doctor import examine, report
from infra.doctor.examine import Report
from infra.doctor.kinds import Finding, ok
from infra.host import Host, Paths

SETTINGS = config.parse(
    {
        "kind": "local",
        "hosts": [{"name": "a", "address": "127.0.0.1", "connection": "local"}],
    }
)


def host(name: str, **changes: object) -> Host:
    given = {
        "name": name,
        "address": "127.0.0.1",
        "connection": "local",
        "accelerator": "cpu",
        "stack": "lab",
        "ports_from": 21000,
        "entry": True,
        **changes,
    }
    return Host(**given)  # type: ignore[arg-type]


class Canned(Local):
    """A host that answers with what it was given."""

    is_root = True

    def __init__(self, host: Host, done: Done) -> None:
        super().__init__(host)
        self.done = done
        self.asked: list[tuple[Sequence[str], str]] = []
        self.closed = 0

    def run(self, argv, stdin="", timeout_s=60.0):
        self.asked.append((argv, stdin))
        return self.done

    def paths(self) -> Paths:
        return Paths(PurePosixPath("/var/lib/bentofleet/lab"))

    def close(self) -> None:
        self.closed += 1


def findings(found: Report) -> dict[str, Finding]:
    return {finding.code: finding for finding in found.findings}


def test_one_script_is_run_and_the_connection_is_closed() -> None:
    there = Canned(host("a"), Done(0, "kernel\t6.1.0\nend\tyes\n", ""))
    (found,) = examine.all_hosts(SETTINGS, [there.host], lambda _: there)
    ((argv, stdin),) = there.asked
    assert argv == ["sh", "-s", "--", "lab", "auto", "/var/lib/bentofleet/lab", "cpu", ""]
    assert stdin == examine.SCRIPT.read_text()
    assert there.closed == 1
    assert found.name == "a"
    assert "host.cut-off" not in findings(found)


def test_a_dead_host_beside_a_living_one_is_told_and_the_living_one_is_looked_at() -> None:
    def opener(which: Host) -> Canned:
        if which.name == "b":
            raise Unreachable("b: does not answer (waited 10 s). Look whether it is on.")
        return Canned(which, Done(0, "end\tyes\n", ""))

    living, dead = examine.all_hosts(SETTINGS, [host("a"), host("b")], opener)
    assert "ssh.closed" not in findings(living)
    assert set(findings(dead)) == {"ssh.closed", "host.not-asked"}
    assert findings(dead)["ssh.closed"].line == (
        "does not answer (waited 10 s). Look whether it is on."
    )


def test_a_host_that_is_out_is_not_asked() -> None:
    def opener(which: Host) -> Canned:
        raise AssertionError("was asked")

    (found,) = examine.all_hosts(SETTINGS, [host("a", out=True)], opener)
    assert found.is_out
    assert found.findings == ()


def test_hosts_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)

    class Waits(Canned):
        def run(self, argv, stdin="", timeout_s=60.0):
            both.wait()  # passes only while the other one is being asked too
            return self.done

    found = examine.all_hosts(
        SETTINGS, [host("a"), host("b")], lambda h: Waits(h, Done(0, "end\tyes\n", ""))
    )
    assert [r.name for r in found] == ["a", "b"]


def test_a_host_that_was_cut_off_is_said_not_to_have_told_all() -> None:
    there = Canned(host("a"), Done(1, "kernel\t6.1.0\n", "sh: not found\n"))
    (found,) = examine.all_hosts(SETTINGS, [there.host], lambda _: there)
    assert findings(found)["host.cut-off"].got == "exit status 1: sh: not found"
    assert "system.other-processor" not in findings(found)


def test_an_edge_that_runs_and_is_not_reached_is_told(monkeypatch) -> None:
    def refused(address, timeout):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(examine.socket, "create_connection", refused)
    there = Canned(host("a"), Done(0, "container\tbentofleet-lab-edge | Up 1 m | \nend\tyes\n", ""))
    (found,) = examine.all_hosts(SETTINGS, [there.host], lambda _: there)
    assert findings(found)["edge.out-of-reach"].got == "Connection refused"


def test_an_edge_that_has_yet_to_move_to_its_new_port_blames_no_firewall() -> None:
    elsewhere = "0: 00000000:24B8 00000000:0000 0A"  # listens on 9400
    told = f"container\tbentofleet-lab-edge | Up 1 m | \ntcp\t{elsewhere}\nend\tyes\n"
    there = Canned(host("a"), Done(0, told, ""))
    (found,) = examine.all_hosts(SETTINGS, [there.host], lambda _: there)
    assert "edge.out-of-reach" not in findings(found)
    assert findings(found)["edge.other-port"].what.startswith(
        f"the edge runs, and does not listen on port {SETTINGS.edge.port} yet"
    )


BAD = Finding(severity="error", code="gpu.no-card", what="no card", got="x\x1b[2J", cure="Buy one.")
REPORTS = [
    Report(report.HERE, "", (ok("image.ready", "cpu"),), 0.2),
    Report("a", "192.0.2.11", (ok("disk.room", "/: 9 GiB free"), BAD), 1.25),
    Report("b", "192.0.2.12", (), is_out=True),
]


def test_the_text_names_the_worst_first_and_moves_no_cursor() -> None:
    assert report.text(REPORTS, everything=True) == (
        "this machine, 0.2 s: 1 well\n"
        "  ok         image.ready: is well (got cpu).\n"
        "a (192.0.2.11), 1.2 s: 1 error, 1 well\n"
        "  error      gpu.no-card: no card (got x [2J). Buy one.\n"
        "  ok         disk.room: is well (got /: 9 GiB free).\n"
        "b (192.0.2.12): out, not looked at\n"
        "\n"
        "doctor: 1 error: mend them before `make up`, which would fail or harm the service.\n"
    )


def test_what_is_well_is_only_counted_unless_asked_for() -> None:
    text = report.text(REPORTS[:1], everything=False)
    assert "image.ready" not in text
    assert text.endswith("nothing that was looked at stands in the way of `make up`.\n")


def test_the_json_has_every_finding_with_evidence_and_cure() -> None:
    document = json.loads(report.as_json("lab", "2027-01-15T08:00:00+00:00", 1.5, REPORTS))
    assert document["schema_version"] == 1
    assert document["counts"] == {"error": 1, "warning": 0, "unchecked": 0, "ok": 2}
    here, a, b = document["machines"]
    assert (here["name"], here["address"]) == (report.HERE, None)
    assert a["findings"][0] == {
        "severity": "error",
        "code": "gpu.no-card",
        "what": "no card",
        "got": "x\x1b[2J",
        "cure": "Buy one.",
    }
    assert (b["out"], b["findings"]) == (True, [])


def test_only_an_error_makes_the_command_fail() -> None:
    assert report.has_error(REPORTS)
    assert not report.has_error(REPORTS[:1])


class TlsEdge:
    """Shows a certificate to whoever connects, and nothing else."""

    def __init__(self, folder: Path, ends: datetime) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge")])
        serial = x509.random_serial_number()
        builder = x509.CertificateBuilder(name, name, key.public_key(), serial)
        begins = datetime.now(UTC) - timedelta(days=300)
        made = builder.not_valid_before(begins).not_valid_after(ends).sign(key, hashes.SHA256())
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = folder / "edge.pem"
        path.write_bytes(key.private_bytes(*form) + made.public_bytes(Encoding.PEM))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(path)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):  # it ends when the listener is closed
            while True:
                line, _ = self._listener.accept()
                with suppress(OSError), self._context.wrap_socket(line, server_side=True):
                    pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_an_edge_that_takes_no_users_is_not_looked_for_where_they_come_in() -> None:
    settings = config.parse(
        {
            "kind": "local",
            "hosts": [{"name": "a", "address": "127.0.0.1", "connection": "local"}],
        }
    )
    runs = "container\tbentofleet-lab-edge | Up 1 m | \nend\tyes\n"
    there = Canned(host("a", entry=False), Done(0, runs, ""))

    (found,) = examine.all_hosts(settings, [there.host], lambda _: there)

    assert [code for code in findings(found) if code.startswith("edge.")] == []


@pytest.mark.parametrize(
    ("days", "code"),
    [(200, "certificate.valid"), (9, "certificate.soon"), (-2, "certificate.over")],
)
def test_the_certificate_that_a_running_edge_shows_is_looked_at(tmp_path, days, code) -> None:
    edge = TlsEdge(tmp_path, datetime.now(UTC) + timedelta(days=days))
    tls = {"certificate": "self-signed", "redirect": False}
    settings = config.parse(
        {
            "kind": "local",
            "hosts": [{"name": "a", "address": "127.0.0.1", "connection": "local"}],
            "edge": {"address": "127.0.0.1", "port": edge.port, "ports_from": 1100, "tls": tls},
        }
    )
    runs = "container\tbentofleet-lab-edge | Up 1 m | \nend\tyes\n"
    there = Canned(host("a"), Done(0, runs, ""))
    (found,) = examine.all_hosts(settings, [there.host], lambda _: there)
    edge.close()
    assert "edge.in-reach" in findings(found)
    assert code in findings(found)
    if days < 200:
        assert findings(found)[code].cure == "Run `make up ARGS=--refresh`: the host makes " + (
            "itself another one."
        )
