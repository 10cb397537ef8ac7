"""The edge of a host: its files are real, its engine is not; tests/infra/commands asks HAProxy."""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from infra.commands import haproxy
from infra.commands.containers import SPEC_LABEL, Container, Running
from infra.connection import Done, HostError, Local
from infra.host import Host, Paths
from infra.provider import edge, live
from infra.provider.edge import Edge
from infra.provider.machine import Answer, Machine
from infra.provider.resource import AS_DECLARED, Plain, Refused

HOST = Host(
    name="here",
    address="192.0.2.11",
    connection="local",
    accelerator="cpu",
    stack="demo",
    ports_from=21000,
)
KEY = "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n"
SHOWN = "-----BEGIN CERTIFICATE-----\nshown\n-----END CERTIFICATE-----\n"
OWN = {"tls": {"certificate": "own"}, "certificate": SHOWN, "certificate_key": KEY}
SELF_SIGNED = {"tls": {"certificate": "self-signed"}}

# Stands in for the engine: makes what the container would, in a folder instead of its tmpfs.
ENGINE = """\
#!/bin/sh
while [ "$1" != -c ]; do shift; done
exec sh -c "$(printf %s "$2" | sed "s|/run/haproxy|$TMPFS|")"
"""

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not on PATH; the edge's image has its own"
)


class Place(Local):
    """This machine, the stack's folder being the test's.

    Attributes:
        said: everything that commands were given as words.
        worker: process id of HAProxy's worker.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(HOST)
        self.root = root
        self.said: list[str] = []
        self.worker = 100

    def paths(self) -> Paths:
        return Paths(PurePosixPath(str(self.root)))

    def run(self, argv: Sequence[str], *rest: Any, **more: Any) -> Done:
        self.said += argv
        if argv[-1].endswith("master.sock"):
            return Done(0, f"1 master 0\n# workers\n{self.worker} worker 0\n", "")
        return super().run(argv, *rest, **more)


class Site(Machine):
    """A host whose engine and HAProxy live in memory.

    Attributes:
        listens: ports that are listened on by others.
        refuses: whether HAProxy refuses the configuration.
        hangs: whether its new workers do not start.
        leaves: ports that HAProxy does not come to listen on.
    """

    def __init__(self, root: Path) -> None:
        engine = root / "podman"
        engine.write_text(ENGINE)
        engine.chmod(0o755)
        super().__init__(HOST, Place(root / "demo"), str(engine))
        self.there: list[Running] = []
        self.signals: list[str] = []
        self.listens: set[int] = set()
        self.leaves: set[int] = set()
        self.refuses = self.hangs = False
        for folder in (self.paths.edge, self.paths.keys):
            Path(folder).mkdir(parents=True)

    def run(self, argv: Sequence[str], stdin: str = "", timeout_s: float = 60.0) -> str:
        if "/proc/net/tcp" in argv[-1]:
            held = haproxy.listens_on(self.read(self.paths.config) or "") if self.there else set()
            numbers = self.listens | (held - self.leaves)
            return "".join(f"0: 0100007F:{n:04X} 00000000:0000 0A\n" for n in numbers)
        if argv[0] != self.engine:
            return super().run(argv, stdin, timeout_s)
        if argv[1] == "kill":
            self.signals.append(argv[3])
            self.connection.worker += not self.hangs  # type: ignore[attr-defined]
        elif self.refuses:
            raise HostError("here: `podman exec` failed (unknown keyword).")
        return ""

    def containers(self) -> list[Running]:
        return self.there

    def ensure(self, wanted: Container, there: object) -> bool:
        self.there = [
            Running(
                name=wanted.name,
                status="running",
                image_id="image",
                labels={**wanted.labels, SPEC_LABEL: wanted.spec},
                started_at="",
                restarts=0,
            )
        ]
        return True

    def stop(self, names: Sequence[str], timeout_s: int) -> None:
        self.there = []

    def image_id(self, tag: str) -> str | None:
        return "image"

    def edge_live(self) -> str | None:
        return None

    def last_words(self, name: str) -> str:
        return "no socket"

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> Answer:
        return Answer(200, {}, "")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path)
    (tmp_path / "tmpfs").mkdir()
    monkeypatch.setenv("TMPFS", str(tmp_path / "tmpfs"))
    monkeypatch.setattr(edge, "machine_of", lambda _: site)
    monkeypatch.setattr(edge, "START_TIMEOUT_S", 0.0)
    return site


class Silent:
    """A console that nobody reads."""

    stopped = threading.Event()


def inputs(**changes: Any) -> Plain:
    """As a program without TLS, and a state from before there was TLS, give them."""
    return {
        "image": "localhost/bentofleet-demo/edge:1",
        "image_id": "image",
        "address": "127.0.0.1",
        "port": 8443,
        "replicas": 2,
        "jwks": '{"keys": [1]}',
        **changes,
    }


def create(**changes: Any) -> Plain:
    console: Any = Silent()
    return Edge().create(inputs(**changes), console)


def look(**changes: Any) -> dict[str, str]:
    return dict(Edge().look(inputs(**changes)))


def certificate_of(site: Site) -> Path:
    return Path(site.paths.edge) / "tls/edge.pem"


@pytest.mark.parametrize(
    "changes",
    [{}, OWN, pytest.param(SELF_SIGNED, marks=needs_openssl)],
    ids=["no TLS", "own", "self-signed"],
)
def test_what_was_made_is_found_as_declared_and_making_it_again_changes_nothing(
    site: Site, changes: Plain
) -> None:
    create(**changes)
    before = {p: p.read_bytes() for p in site.connection.root.rglob("*") if p.is_file()}  # type: ignore[attr-defined]
    create(**changes)

    assert look(**changes) == dict.fromkeys(Edge().parts(inputs(**changes)), AS_DECLARED)
    assert {p: p.read_bytes() for p in before} == before
    assert site.signals == []


def test_the_first_edge_starts_with_nothing_live(site: Site) -> None:
    create()

    assert site.read(site.paths.live_map) == live.text(None)
    assert site.read(site.paths.jwks) == '{"keys": [1]}'
    assert [c.name for c in site.there] == ["bentofleet-demo-edge"]


def test_a_changed_setting_is_a_reload_and_a_new_key_set_is_none(site: Site) -> None:
    create()
    create(jwks="{}")
    assert site.signals == []

    create(limits={"idle_timeout_s": 7})
    assert site.signals == ["USR2"]


def test_a_certificate_of_ones_own_lies_there_for_the_edge_alone(site: Site) -> None:
    outputs = create(**OWN)

    path = certificate_of(site)
    assert path.read_text() == KEY + SHOWN
    assert (oct(path.stat().st_mode)[-3:], oct(path.parent.stat().st_mode)[-3:]) == ("640", "750")
    assert outputs == {"served_certificate": SHOWN}


def test_the_key_is_in_no_command_line_and_in_no_answer(site: Site) -> None:
    create(**OWN)
    look(**OWN)

    said = " ".join(site.connection.said)  # type: ignore[attr-defined]
    assert "planted" not in said
    assert "planted" not in str(create(**OWN))
    site.refuses = True
    with pytest.raises(HostError) as caught:
        create(**{**OWN, "certificate_key": KEY.replace("planted", "planted too")})
    assert "planted" not in str(caught.value)


@needs_openssl
def test_a_host_makes_its_own_certificate_for_its_address_and_keeps_it(site: Site) -> None:
    first = create(**SELF_SIGNED)["served_certificate"]

    assert first.startswith("-----BEGIN CERTIFICATE-----")
    assert create(**SELF_SIGNED)["served_certificate"] == first
    assert "PRIVATE" not in first
    moved = create(**SELF_SIGNED, address="192.0.2.12")["served_certificate"]
    assert moved != first


@needs_openssl
def test_going_from_the_hosts_certificate_to_ones_own_and_back_is_a_reload_each(site: Site) -> None:
    made = create(**SELF_SIGNED)["served_certificate"]
    own = create(**OWN)["served_certificate"]
    again = create(**SELF_SIGNED)["served_certificate"]

    assert own == SHOWN
    assert again not in (made, own)
    assert site.signals == ["USR2", "USR2"]


def test_a_new_certificate_is_a_reload(site: Site) -> None:
    create(**OWN)

    create(**{**OWN, "certificate": SHOWN.replace("shown", "next")})

    assert site.signals == ["USR2"]
    assert "next" in certificate_of(site).read_text()


@pytest.mark.parametrize(
    ("by_hand", "expected"),
    [
        (lambda p: p.unlink(), "removed"),
        (lambda p: p.write_text("x"), "changed by hand"),
        (lambda p: p.chmod(0o644), "has other rights (mode 644)"),
    ],
    ids=["removed", "changed", "opened"],
)
def test_a_certificate_that_was_touched_is_shown_and_put_back(
    site: Site, by_hand: Any, expected: str
) -> None:
    create(**OWN)
    by_hand(certificate_of(site))

    assert look(**OWN)["certificate"] == expected
    create(**OWN)
    assert look(**OWN)["certificate"] == AS_DECLARED


def test_without_tls_no_key_stays_behind(site: Site) -> None:
    create(**OWN)

    assert create() == {"served_certificate": ""}

    assert not certificate_of(site).parent.exists()
    assert site.signals == ["USR2"]


def test_destroying_it_leaves_no_file(site: Site) -> None:
    create(**OWN)
    console: Any = Silent()

    Edge().delete(inputs(**OWN), console)

    left = [p for p in site.connection.root.rglob("*") if p.is_file()]  # type: ignore[attr-defined]
    assert left == []
    assert site.there == []


def test_a_configuration_that_haproxy_refuses_is_put_back(site: Site) -> None:
    create()
    before = site.read(site.paths.config)
    site.refuses = True

    with pytest.raises(HostError, match="unknown keyword"):
        create(limits={"idle_timeout_s": 7})

    assert site.read(site.paths.config) == before
    assert site.signals == []


def test_a_reload_whose_workers_do_not_start_is_put_back_and_told(site: Site) -> None:
    create()
    before = site.read(site.paths.config)
    site.hangs = True

    with pytest.raises(Refused) as caught:
        create(limits={"idle_timeout_s": 7})

    assert str(caught.value) == (
        "here: the edge did not take its new configuration (its log ends: no socket). "
        "The old one serves; see `make logs`."
    )
    assert site.read(site.paths.config) == before


@pytest.mark.parametrize(
    ("port", "key"),
    [(8443, "edge.port"), (8080, "edge.tls.http_port"), (21066, "edge.ports_from")],
)
def test_a_taken_port_is_named_with_the_setting_that_chose_it(
    site: Site, port: int, key: str
) -> None:
    site.listens = {port}

    with pytest.raises(Refused) as caught:
        create(**OWN)

    assert str(caught.value) == (f"here: port {port} is taken. Free it, or choose another `{key}`.")
    assert site.there == []
    assert not certificate_of(site).exists()


def test_a_port_that_is_asked_for_later_is_compared_too_and_ones_own_are_not(site: Site) -> None:
    create()
    site.listens = {9000}
    create(limits={"idle_timeout_s": 7})

    with pytest.raises(Refused, match="port 9000 is taken"):
        create(port=9000)


def test_an_edge_that_does_not_come_to_listen_is_told(site: Site) -> None:
    create()
    site.leaves = {8500}

    with pytest.raises(Refused, match=r"does not answer on port 8500 \(its log ends: no socket\)"):
        create(port=8500)


def test_a_configuration_that_was_removed_by_hand_is_no_reason_to_refuse_ones_own_ports(
    site: Site,
) -> None:
    create()
    Path(site.paths.config).unlink()
    site.listens = {8443}

    create()

    assert look() == dict.fromkeys(Edge().parts(inputs()), AS_DECLARED)


@pytest.mark.parametrize(
    ("engine", "is_root", "expected"),
    [("docker", False, ("1234",)), ("docker", True, ()), ("podman", False, ())],
)
def test_only_docker_asked_by_a_user_needs_the_users_group(
    site: Site, monkeypatch: pytest.MonkeyPatch, engine: str, is_root: bool, expected: Any
) -> None:
    from infra.provider import certificate

    site.engine = engine
    monkeypatch.setattr(Place, "is_root", is_root)
    monkeypatch.setattr(site, "run", lambda argv: "1234\n")

    assert certificate.groups(site) == expected
