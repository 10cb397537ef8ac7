"""How hosts come to know each other, and go on doing so while each gets another key."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from harness.console import KeptConsole
from harness.sites import HOST, Site

from infra.commands import certificate
from infra.connection import HostError
from infra.host import Host
from infra.provider import edge, identity, reload, trust
from infra.provider.edge import Edge
from infra.provider.identity import Identity
from infra.provider.resource import AS_DECLARED, Plain, Refused
from infra.provider.trust import Trust

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not on PATH; the edge's image has its own"
)
ENTRIES = ("one", "two")
NAMES = (*ENTRIES, "three")
CONSOLE = KeptConsole()


class Fleet:
    """Three hosts, two of them entries, and the state that Pulumi keeps of their resources."""

    def __init__(self, root: Path) -> None:
        self.sites = {
            name: Site(root / name, _host(name, number)) for number, name in enumerate(NAMES)
        }
        self.identities: dict[str, Plain] = {}

    def steps(self) -> Iterator[None]:
        """One `up`: each resource of a kind before those of the next; stops after each."""
        for name in NAMES:
            state, given = self.identities.get(name), self.inputs(name)
            if state is None:
                found = Identity().create(given, CONSOLE)
            else:
                found = Identity().update(state, given, CONSOLE)
            self.identities[name] = {**given, **found}
            yield
        for name in NAMES:
            Trust().create(self.trust(name), CONSOLE)
            yield
        for name in NAMES:
            Edge().create(self.edge(name), CONSOLE)
            yield

    def up(self) -> None:
        for _ in self.steps():
            pass

    def inputs(self, name: str) -> Plain:
        return {"host": {"name": name}, "image": "localhost/bentofleet-demo/edge:1"}

    def trust(self, name: str) -> Plain:
        peers = [
            {"name": peer, "certificates": self.identities[peer]["certificates"]}
            for peer in self.asked_by(name) | self.asking(name)
        ]
        return {**self.inputs(name), "peers": peers}

    def edge(self, name: str) -> Plain:
        return {
            **self.inputs(name),
            "address": "::",
            "port": 8443,
            "replicas": 2,
            "jwks": "{}",
            "entry": name in ENTRIES,
            "peers": [
                {"name": peer, "address": "192.0.2.1", "entry": peer in ENTRIES}
                for peer in NAMES
                if peer != name
            ],
        }

    def asking(self, name: str) -> set[str]:
        """The entries that ask a host."""
        return {*ENTRIES} - {name}

    def asked_by(self, name: str) -> set[str]:
        """The hosts that an entry asks."""
        return {*NAMES} - {name} if name in ENTRIES else set()

    def shown(self, name: str) -> set[str]:
        """What a host may show: what its edge has loaded, and would load if it started now."""
        site = self.sites[name]
        lies_there = site.read(site.paths.inner_certificate) or ""
        return reload.key_pair(site) | certificate.fingerprints(_only_certificates(lies_there))

    def let_in(self, name: str) -> list[set[str]]:
        """What a host lets in, and would let in if its edge started now."""
        site = self.sites[name]
        lies_there = site.read(site.paths.peers) or ""
        return [reload.trusted(site), certificate.fingerprints(lies_there)]

    def strangers(self) -> list[tuple[str, str]]:
        """Pairs of hosts, where the first may show what the second does not let in."""
        pairs = [(b, a) for a in ENTRIES for b in self.asked_by(a)]
        pairs += [(b, a) for a, b in pairs]
        return [
            (a, b) for a, b in pairs if any(not self.shown(a) <= known for known in self.let_in(b))
        ]


def _host(name: str, number: int) -> Host:
    return replace(HOST, name=name, ports_from=21000 + 100 * number)


def _only_certificates(text: str) -> str:
    return "".join(certificate.split(text))


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    fleet = Fleet(tmp_path)
    for module in (edge, identity, trust):
        monkeypatch.setattr(module, "machine_of", lambda given: fleet.sites[given["host"]["name"]])
    for module in (edge, reload):
        monkeypatch.setattr(module, "START_TIMEOUT_S", 0.0)
    return fleet


@pytest.fixture
def old(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """The same, whose certificates are all about to end: the next run makes others."""
    with monkeypatch.context() as patch:
        patch.setattr(certificate, "INNER_DAYS", certificate.INNER_RENEW_DAYS - 1)
        fleet.up()
    return fleet


def found(fleet: Fleet, name: str) -> dict[str, str]:
    """What a refresh says of a host's certificates."""
    state = {**fleet.identities[name], **fleet.edge(name)}
    looked = Identity().look(state) | Trust().look(fleet.trust(name))
    return {**looked, "edge container": Edge().look(state)["edge container"]}


def test_hosts_know_each_other_after_one_run_and_the_next_changes_nothing(fleet: Fleet) -> None:
    fleet.up()
    first = {name: state["certificates"] for name, state in fleet.identities.items()}

    assert fleet.strangers() == []
    assert len({*first.values()}) == len(NAMES)
    assert all({*found(fleet, name).values()} == {AS_DECLARED} for name in NAMES)
    fleet.up()
    assert {name: state["certificates"] for name, state in fleet.identities.items()} == first
    assert [site.signals for site in fleet.sites.values()] == [[]] * len(NAMES)


def test_a_host_that_is_no_entry_lets_in_entries_alone(fleet: Fleet) -> None:
    fleet.up()

    known = {name: fleet.let_in(name)[0] for name in NAMES}
    shown = {name: fleet.shown(name) for name in NAMES}
    assert known["three"] == shown["one"] | shown["two"]
    assert known["one"] == shown["two"] | shown["three"]


def test_the_private_key_is_in_no_output_and_no_command_line(fleet: Fleet) -> None:
    fleet.up()

    for name, site in fleet.sites.items():
        key = (site.read(site.paths.inner_certificate) or "").splitlines()[1]
        assert "PRIVATE" not in str(fleet.identities[name])
        assert key not in " ".join(site.connection.said)
        assert oct(Path(site.paths.inner_certificate).stat().st_mode)[-3:] == "640"


def test_in_no_moment_of_a_renewal_is_a_host_a_stranger_to_another(old: Fleet) -> None:
    before = {name: old.shown(name) for name in NAMES}

    steps = 0
    for _ in old.steps():  # a kill there, or an edge that starts anew, loses nobody
        assert old.strangers() == []
        steps += 1

    assert steps == 3 * len(NAMES)
    assert all(not old.shown(name) & before[name] for name in NAMES)


def test_a_run_that_was_killed_in_a_renewal_goes_on_with_the_key_that_it_made(old: Fleet) -> None:
    killed_after = 4  # all three have made theirs, one has let the others in
    for number, _ in enumerate(old.steps(), 1):
        if number == killed_after:
            break
    made = {name: certificate.split(s["certificates"])[0] for name, s in old.identities.items()}

    for _ in old.steps():
        assert old.strangers() == []

    for name in NAMES:
        assert old.shown(name) == certificate.fingerprints(made[name])


def test_an_edge_that_was_killed_before_it_took_its_key_in_takes_it_in_next_time(
    old: Fleet,
) -> None:
    one = old.sites["one"].connection
    running = dict(one.taken)
    for _ in old.steps():
        pass
    one.taken = {**one.taken, **{k: v for k, v in running.items() if "inner.pem" in k}}
    assert found(old, "one")["edge container"] == "has not taken in its files"

    old.up()

    assert found(old, "one")["edge container"] == AS_DECLARED
    assert old.strangers() == []


def test_the_certificate_before_is_let_in_until_the_next_run_with_refresh(old: Fleet) -> None:
    before = {name: old.shown(name) for name in NAMES}
    for _ in old.steps():
        pass
    assert before["three"] <= old.let_in("one")[0]
    assert found(old, "three")[identity.PART] == "the one before is let in too"

    for _ in old.steps():
        assert old.strangers() == []

    assert not before["three"] & old.let_in("one")[0]
    assert all({*found(old, name).values()} == {AS_DECLARED} for name in NAMES)


def test_an_edge_that_still_shows_the_one_before_keeps_it_known(old: Fleet) -> None:
    one = old.sites["one"].connection
    running = dict(one.taken)
    for _ in old.steps():
        pass
    one.taken = {**one.taken, **{k: v for k, v in running.items() if "inner.pem" in k}}

    state = old.identities["one"]
    again = Identity().update(state, old.inputs("one"), CONSOLE)

    assert again["certificates"] == state["certificates"]


@pytest.mark.parametrize(
    ("by_hand", "expected"),
    [
        (lambda path: path.unlink(), "removed"),
        (lambda path: path.write_text("x"), "is not one that the host made"),
        (lambda path: path.chmod(0o644), "has other rights (mode 644)"),
    ],
    ids=["removed", "changed", "opened"],
)
def test_a_key_that_was_touched_is_shown_and_another_comes_without_loss(
    fleet: Fleet, by_hand: Callable[[Path], object], expected: str
) -> None:
    fleet.up()
    by_hand(Path(fleet.sites["three"].paths.inner_certificate))
    assert found(fleet, "three")[identity.PART] == expected

    for _ in fleet.steps():
        assert fleet.strangers() == []
    fleet.up()

    assert set(found(fleet, "three").values()) == {AS_DECLARED}


def test_a_certificate_that_is_about_to_end_is_shown(old: Fleet) -> None:
    assert found(old, "one")[identity.PART].startswith("ends soon, on 20")


@pytest.mark.parametrize(
    ("by_hand", "expected"),
    [(lambda path: path.unlink(), "removed"), (lambda p: p.write_text("x"), "changed by hand")],
    ids=["removed", "changed"],
)
def test_what_a_host_lets_in_is_compared_and_put_back(
    fleet: Fleet, by_hand: Callable[[Path], object], expected: str
) -> None:
    fleet.up()
    by_hand(Path(fleet.sites["one"].paths.peers))

    assert found(fleet, "one")[trust.PART] == expected
    fleet.up()
    assert found(fleet, "one")[trust.PART] == AS_DECLARED


def test_peers_that_haproxy_refuses_are_put_back(old: Fleet) -> None:
    one = old.sites["one"]
    before = one.read(one.paths.peers)
    one.refuses = True

    with pytest.raises(HostError, match="unknown keyword"):
        for _ in old.steps():
            pass

    assert one.read(one.paths.peers) == before


def test_a_host_whose_peers_are_gone_keeps_the_file_until_its_edge_reads_it_no_more(
    fleet: Fleet,
) -> None:
    fleet.up()
    one = fleet.sites["one"]
    before = one.read(one.paths.peers)

    Trust().create({**fleet.inputs("one"), "peers": []}, CONSOLE)

    assert one.read(one.paths.peers) == before
    assert Trust().look({**fleet.inputs("one"), "peers": []}) == {trust.PART: AS_DECLARED}


def test_destroying_all_of_it_leaves_no_key_and_no_folder_of_them(fleet: Fleet) -> None:
    fleet.up()

    for name, site in fleet.sites.items():
        Edge().delete(fleet.edge(name), CONSOLE)
        Trust().delete(fleet.trust(name), CONSOLE)
        Identity().delete(fleet.identities[name], CONSOLE)
        assert list(Path(site.paths.edge).rglob("*")) == []


def test_where_none_can_be_made_the_host_is_named_and_the_old_one_stays(old: Fleet) -> None:
    one = old.sites["one"]
    before = one.read(one.paths.inner_certificate)
    Path(one.engine).write_text("#!/bin/sh\necho no room >&2\nexit 125\n")

    with pytest.raises(Refused) as caught:
        next(old.steps())

    assert str(caught.value) == (
        "one: no certificate could be made (no room). Look whether the edge's image is well, "
        "`make image up`."
    )
    assert one.read(one.paths.inner_certificate) == before
