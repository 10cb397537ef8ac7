"""keepalived's container and configuration, as text; test_floating_takeover.py runs them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.commands import containers, floating

ENTRIES = [("one", "192.0.2.11"), ("two", "192.0.2.12"), ("three", "192.0.2.13")]


def config(host: str = "one", **changes: Any) -> list[str]:
    given = {
        "stack": "lab",
        "host": host,
        "address": "192.0.2.10/24",
        "interface": "eth0",
        "router_id": 51,
        "entries": ENTRIES,
        "edge_metrics": 21066,
    }
    text = floating.config(**{**given, **changes})
    return [line.strip() for line in text.splitlines()]


def test_an_entry_speaks_with_the_others_by_their_own_addresses() -> None:
    lines = config("two")

    at = lines.index("unicast_peer {")
    assert lines[at - 1 : at + 4] == [
        "unicast_src_ip 192.0.2.12",
        "unicast_peer {",
        "192.0.2.11",
        "192.0.2.13",
        "}",
    ]


def test_the_first_entry_gets_the_address_first_and_nobody_takes_it_from_who_has_it() -> None:
    ranks = [
        next(int(line.split()[1]) for line in config(name) if line.startswith("priority"))
        for name, _ in ENTRIES
    ]

    assert ranks == sorted(ranks, reverse=True)
    assert len({*ranks}) == len(ENTRIES)
    assert "nopreempt" in config()
    assert "state BACKUP" in config()


def test_an_edge_that_does_not_answer_gives_the_address_away() -> None:
    lines = config(edge_metrics=31066)

    assert 'script "/usr/local/bin/answers 31066"' in lines
    assert "script_user edge root" in lines
    assert not [line for line in lines if line.startswith("weight")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("192.0.2.10/24", "192.0.2.10/24"),
        ("192.0.2.10/255.255.255.0", "192.0.2.10/24"),
        ("2001:DB8::10/64", "2001:db8::10/64"),
    ],
)
def test_the_address_stands_there_as_keepalived_reads_it(given: str, expected: str) -> None:
    lines = config(address=given)

    assert lines[lines.index("virtual_ipaddress {") + 1] == expected


def test_it_runs_with_the_rights_to_set_addresses_and_no_others() -> None:
    container = floating.container(stack="lab", image="localhost/edge:1", folder="/x/address")

    argv = containers.run("podman", container)

    assert argv[:5] == ["podman", "run", "--detach", "--name", "bentofleet-lab-address"]
    added = [argv[at + 1] for at, word in enumerate(argv) if word == "--cap-add"]
    assert added == ["NET_ADMIN", "NET_RAW", "SETGID", "SETUID"]
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
    for words in (
        ["--network", "host"],
        ["--user", "0:0"],
        ["--entrypoint", "keepalived"],
        ["--stop-signal", "SIGTERM"],
        ["--volume", "/x/address:/etc/bentofleet/address:ro,z"],
    ):
        at = argv.index(words[0])
        assert argv[at : at + 2] == words
    assert argv[argv.index("localhost/edge:1") + 1 :][:4] == [
        *("--dont-fork", "--log-console", "--vrrp"),
        "--use-file=/etc/bentofleet/address/keepalived.conf",
    ]


@pytest.mark.parametrize(("card", "is_there"), [("lo", True), ("nope", False), ("..", False)])
def test_a_network_card_is_looked_for_by_its_name(card: str, is_there: bool) -> None:
    argv = floating.check_card(card)

    assert (subprocess.run(argv, check=False).returncode == 0) == is_there
    assert Path("/sys/class/net").is_dir()


def test_who_has_the_address_is_asked_in_the_container() -> None:
    assert floating.held("podman", "lab", "192.0.2.10") == [
        *("podman", "exec", "bentofleet-lab-address"),
        *("ip", "-oneline", "address", "show", "to", "192.0.2.10"),
    ]
