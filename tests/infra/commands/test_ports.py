"""Which ports are taken."""

from ipaddress import IPv4Address, ip_address

import pytest

from infra.commands import ports
from infra.commands.containers import Running
from infra.host import Ports

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:1F91 0100007F:ABCD 01 00000000:00000000 00:00000000 00000000     0        0 1 1
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000
"""


def test_only_ports_that_listen_count_as_taken() -> None:
    assert ports.listening(TABLE) == {8080, 3000}


def test_no_table_means_no_port() -> None:
    assert ports.listening("") == set()


ALL = str(IPv4Address(0))


@pytest.mark.parametrize(
    ("printed", "address"),
    [
        ("0100007F", "127.0.0.1"),
        ("0B02000A", "10.0.2.11"),
        ("00000000", ALL),
        ("00000000000000000000000000000000", "::"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000200007F", "127.0.0.2"),
        ("B80D0120000000000000000001000000", "2001:db8::1"),
    ],
)
def test_addresses_are_read_as_the_kernel_prints_them(printed: str, address: str) -> None:
    line = f"   0: {printed}:1F90 {printed}:0000 0A 0 0 0"

    assert ports.sockets(line) == {(ip_address(address), 8080)}


@pytest.mark.parametrize(
    ("there", "wanted", "is_taken"),
    [
        ("127.0.0.2", "127.0.0.2", True),
        ("127.0.0.3", "127.0.0.2", False),
        (ALL, "127.0.0.2", True),
        ("127.0.0.3", ALL, True),
        ("::", "127.0.0.1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_a_port_is_taken_at_its_address_and_everywhere_by_one_on_all(
    there: str, wanted: str, is_taken: bool
) -> None:
    found = {(ip_address(there), 8080), (ip_address(wanted), 9999)}

    assert ports.taken(found, wanted, [8080, 8081]) == ({8080} if is_taken else set())


def test_a_stacks_replicas_hold_their_ports_and_their_metrics() -> None:
    def running(**labels: str) -> Running:
        named = {f"bentofleet.{key}": value for key, value in labels.items()}
        return Running(
            name="x", status="running", image_id="", labels=named, started_at="", restarts=0
        )

    there = [
        running(slot="a", number="1"),
        running(slot="b", number="2"),
        running(),
        running(slot="c"),
    ]

    assert ports.of_containers(there, Ports(21000)) == {21000, 21032, 21017, 21049}
