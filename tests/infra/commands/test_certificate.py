"""The edge's certificate on a host: the scripts run for real, OpenSSL in the engine's place."""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infra.commands import certificate, clock

ADDRESSES = ["192.0.2.11", "edge.example.org", "2001:db8::1"]
NOW = datetime.now(UTC)

# Stands in for the engine: runs what the container would, in a folder instead of its tmpfs.
ENGINE = """\
#!/bin/sh
while [ "$1" != -c ]; do shift; done
exec sh -c "$(printf %s "$2" | sed "s|/run/haproxy|$TMPFS|")"
"""

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not on PATH; the edge's image has its own"
)


def make(folder: Path, addresses: list[str] = ADDRESSES) -> "subprocess.CompletedProcess[str]":
    """Runs `make` for `folder`/edge.pem."""
    engine = folder / "engine"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    (folder / "tmpfs").mkdir(exist_ok=True)
    return subprocess.run(
        certificate.make(str(engine), "image", str(folder / "edge.pem")),
        input=certificate.request("here", addresses),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPFS": str(folder / "tmpfs")},
    )


def look(path: Path) -> certificate.Found:
    done = subprocess.run(certificate.look(str(path)), capture_output=True, text=True, check=True)
    return certificate.parse(done.stdout)


def fault(found: certificate.Found, addresses: list[str] = ADDRESSES, days: int = 0) -> str | None:
    return certificate.fault_of_self_signed(found, addresses, NOW + timedelta(days=days))


@needs_openssl
def test_a_host_makes_a_key_and_a_certificate_for_its_addresses(tmp_path: Path) -> None:
    done = make(tmp_path)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    path = tmp_path / "edge.pem"
    assert oct(path.stat().st_mode & 0o777) == "0o640"
    own = x509.load_pem_x509_certificate(path.read_bytes())
    key = load_pem_private_key(path.read_bytes(), None)
    assert own.public_key() == key.public_key()
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert fault(look(path)) is None


@needs_openssl
def test_two_hosts_never_have_one_key(tmp_path: Path) -> None:
    make(tmp_path)
    first = (tmp_path / "edge.pem").read_text()
    make(tmp_path)

    assert (tmp_path / "edge.pem").read_text().split("-----")[2] != first.split("-----")[2]


@needs_openssl
def test_looking_shows_no_key(tmp_path: Path) -> None:
    make(tmp_path)

    done = subprocess.run(
        certificate.look(str(tmp_path / "edge.pem")), capture_output=True, text=True, check=True
    )

    assert "BEGIN CERTIFICATE" in done.stdout
    assert "PRIVATE" not in done.stdout
    assert (tmp_path / "edge.pem").read_text().splitlines()[1] not in done.stdout


@needs_openssl
@pytest.mark.parametrize(
    ("addresses", "days", "expected"),
    [
        (["192.0.2.11"], 0, None),
        (["2001:0db8:0::1"], 0, None),
        (["192.0.2.12", "edge.example.org"], 0, "is not for 192.0.2.12"),
        (ADDRESSES, certificate.DAYS - certificate.RENEW_DAYS - 1, None),
    ],
    ids=["one of its addresses", "another spelling", "another address", "not yet"],
)
def test_it_is_made_anew_when_it_is_not_for_the_host(
    tmp_path: Path, addresses: list[str], days: int, expected: str | None
) -> None:
    make(tmp_path)

    assert fault(look(tmp_path / "edge.pem"), addresses, days) == expected


@needs_openssl
def test_it_is_made_anew_before_it_ends(tmp_path: Path) -> None:
    make(tmp_path)

    told = fault(look(tmp_path / "edge.pem"), days=certificate.DAYS - certificate.RENEW_DAYS + 1)

    assert str(told).startswith("ends soon, on 20")


@needs_openssl
def test_rights_that_were_widened_are_a_fault(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "edge.pem").chmod(0o644)

    assert fault(look(tmp_path / "edge.pem")) == "has other rights (mode 644)"


@needs_openssl
def test_when_it_cannot_be_made_the_old_one_stays_and_nothing_lies_about(tmp_path: Path) -> None:
    (tmp_path / "edge.pem").write_text("old")

    done = make(tmp_path, ["a,b"])

    assert done.returncode != 0
    assert done.stderr.strip()
    assert "PRIVATE" not in done.stderr
    assert (tmp_path / "edge.pem").read_text() == "old"
    assert not (tmp_path / "edge.pem.new").exists()


def make_inner(path: Path, unique: str, name: str = "here") -> str:
    """A host's certificate for the other hosts, in a folder where `make` has been."""
    asked = certificate.inner_request(name, unique)
    folder = path.parent
    argv = certificate.make(str(folder / "engine"), "image", str(path), certificate.INNER_DAYS)
    environ = {**os.environ, "TMPFS": str(folder / "tmpfs")}
    subprocess.run(argv, input=asked, check=True, capture_output=True, text=True, env=environ)
    return look(path).certificates


@needs_openssl
def test_a_certificate_between_hosts_is_for_one_host_and_for_both_directions(
    tmp_path: Path,
) -> None:
    make(tmp_path)
    pem = make_inner(tmp_path / "inner.pem", "1a", "lab-1")

    own = x509.load_pem_x509_certificate(pem.encode())
    assert own.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value.get_values_for_type(x509.DNSName) == ["lab-1"]
    assert {*own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value} == {
        x509.ExtendedKeyUsageOID.SERVER_AUTH,
        x509.ExtendedKeyUsageOID.CLIENT_AUTH,
    }
    assert own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    found = look(tmp_path / "inner.pem")
    assert certificate.fault_of_inner(found, "lab-1", NOW) is None
    assert certificate.fault_of_inner(found, "lab-2", NOW) == "is not for lab-2"
    soon = NOW + timedelta(days=certificate.INNER_DAYS - certificate.INNER_RENEW_DAYS + 1)
    assert str(certificate.fault_of_inner(found, "lab-1", soon)).startswith("ends soon, on 20")
    assert certificate.is_usable(found, soon)
    assert not certificate.is_usable(found, NOW + timedelta(days=certificate.INNER_DAYS + 1))


@needs_openssl
def test_it_holds_for_peers_whose_clock_is_behind(tmp_path: Path) -> None:
    make(tmp_path)
    pem = make_inner(tmp_path / "inner.pem", "1a")

    begins = x509.load_pem_x509_certificate(pem.encode()).not_valid_before_utc
    assert begins < NOW - timedelta(seconds=2 * clock.MOST_S)


@needs_openssl
@pytest.mark.parametrize(
    "order", [slice(None), slice(None, None, -1)], ids=["old, new", "new, old"]
)
def test_two_certificates_of_one_host_can_be_trusted_at_a_time(
    tmp_path: Path, order: slice
) -> None:
    make(tmp_path)
    both = [make_inner(tmp_path / f"{unique}.pem", unique) for unique in ("1a", "1b")]
    (tmp_path / "peers.pem").write_text("".join(both[order]))

    for pem in both:
        (tmp_path / "shown.pem").write_text(pem)
        argv = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", "peers.pem", "shown.pem"]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout == "shown.pem: OK\n", done.stderr


@needs_openssl
def test_what_haproxy_has_loaded_is_told_by_its_fingerprint(tmp_path: Path) -> None:
    make(tmp_path)
    pem = "".join(make_inner(tmp_path / f"{unique}.pem", unique) for unique in ("1a", "1b"))
    prints = sorted(certificate.fingerprints(pem))

    told = "".join(
        f" \nCertificate #{n}:\nSerial: 61\nSHA1 FingerPrint: {each}\nSubject: /CN=here\n"
        for n, each in enumerate(prints, 1)
    )
    assert certificate.parse_loaded(f"Filename: /x/peers.pem\nStatus: Used\n{told}") == {*prints}
    assert certificate.parse_loaded("Can't display the CA file : Not found!\n\n") == set()
    assert len(prints) == 2
    assert certificate.fingerprints("") == set()
    assert "".join(certificate.split(pem)) == pem


def test_the_engine_runs_openssl_without_network_rights_and_log() -> None:
    argv = certificate.make("podman", "localhost/edge:1", "/x/edge.pem")

    assert argv[3:5] == ["sh", "/x/edge.pem"]
    assert argv[5:-3] == [
        *("podman", "run", "--rm", "--interactive", "--network", "none", "--read-only"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--log-driver", "none"),
        *("--tmpfs", "/run/haproxy:rw,nosuid,nodev,noexec,size=1m,mode=1777"),
        *("--entrypoint", "sh"),
    ]
    assert argv[-3:-1] == ["localhost/edge:1", "-c"]


def test_what_is_not_there_is_told_by_its_status(tmp_path: Path) -> None:
    done = subprocess.run(certificate.look(str(tmp_path / "none")), check=False)

    assert done.returncode == 4


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_what_is_no_certificate_of_ours_is_told(text: str) -> None:
    assert fault(certificate.Found("0", "640", text)) == "is not one that the host made"


def test_a_certificate_of_ones_own_is_compared_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "edge.pem"
    path.write_text(certificate.content("shown\n", "\nkept"))
    path.chmod(0o640)
    found = look(path)

    assert path.read_text() == "kept\nshown\n"
    assert certificate.fault_of_own(found, "shown", "kept") is None
    assert certificate.fault_of_own(found, "shown", "other") == "changed by hand"
    path.chmod(0o604)
    assert certificate.fault_of_own(look(path), "shown", "kept") == "has other rights (mode 604)"
