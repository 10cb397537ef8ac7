"""The tests' own network: hosts on it are reached, cut off, switched off, and back again."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from harness.loopback import LoopbackHost, why_no_host
from harness.network import Network
from harness.stack import wait_until

pytestmark = pytest.mark.skipif(why_no_host() is not None, reason=why_no_host() or "")

NUMBER = 250
SSH, WEB = 22, 18080
ANSWER = "import socket; s = socket.create_server(('', {port})); s.accept()[0].sendall(b'{word}')"
ASK = "import socket; print(socket.create_connection(('{address}', {port}), 2).recv(9).decode())"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network(NUMBER)
    yield made
    made.close()


@pytest.fixture
def hosts(network: Network, tmp_path: Path) -> Iterator[tuple[LoopbackHost, LoopbackHost]]:
    made = [
        LoopbackHost(f"net{number}", base=tmp_path, network=network, number=number)
        for number in (11, 12)
    ]
    yield made[0], made[1]
    for host in made:
        host.close()


def serve(host: LoopbackHost, word: str) -> "subprocess.Popen[bytes]":
    """A program on a host that answers the first who asks."""
    script = ANSWER.format(port=WEB, word=word)
    process = subprocess.Popen([*host.inside, "python3", "-c", script])
    table = ["python3", "-c", "print(open('/proc/net/tcp').read())"]
    while f":{WEB:04X} 00000000:0000 0A" not in host.run(*table):
        assert process.poll() is None
    return process


def heard(address: str, port: int, host: LoopbackHost | None = None) -> str:
    """What is heard from there: by another host, or here."""
    script = ASK.format(address=address, port=port)
    argv = [*(host.inside if host else ()), "python3", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def is_heard(host: LoopbackHost, other: LoopbackHost) -> bool:
    """Whether one host hears another's sshd."""
    return heard(host.address, SSH, other).startswith("SSH-2.0")


def test_hosts_are_reached_from_here_and_by_each_other_at_their_own_addresses(
    hosts: tuple[LoopbackHost, LoopbackHost],
) -> None:
    one, two = hosts
    with serve(one, "one"):
        assert heard(one.address, WEB, two) == "one"
    with serve(one, "one"):
        assert heard(one.address, WEB) == "one"

    assert is_heard(two, one)
    assert "refused" in heard("127.0.0.1", WEB, two)


def test_what_is_sent_to_a_host_that_was_unplugged_is_lost_without_a_word(
    hosts: tuple[LoopbackHost, LoopbackHost],
) -> None:
    one, two = hosts
    one.unplug()

    assert heard(one.address, SSH, two) == "TimeoutError: timed out"
    assert heard(two.address, SSH, one) == "TimeoutError: timed out"
    one.plug()
    wait_until(lambda: is_heard(one, two), "it did not come back")


def test_a_host_that_is_switched_off_ends_what_runs_and_boots_with_its_disk(
    hosts: tuple[LoopbackHost, LoopbackHost],
) -> None:
    one, two = hosts
    stack = one.folder / "lib/demo"
    stack.mkdir()
    (stack / "start").write_text("date >>/var/lib/bentofleet/demo/booted\n")
    process = serve(one, "one")

    one.power_off()

    assert process.wait(10) != 0
    assert heard(one.address, SSH, two) == "TimeoutError: timed out"
    assert not (stack / "booted").exists()
    one.power_on()
    wait_until(lambda: is_heard(one, two), "it did not come back")
    assert len((stack / "booted").read_text().splitlines()) == 1


def test_a_network_left_by_a_run_that_was_killed_is_ended_by_the_next_of_its_number() -> None:
    left = Network(NUMBER + 1)
    made = Network(NUMBER + 1)

    assert left._holder.wait(10) != 0
    with suppress(ConnectionRefusedError):
        socket.create_connection((made.here, 1), timeout=2)
    made.close()
    assert f"bentofleet{NUMBER + 1}" not in [name for _, name in socket.if_nameindex()]
    assert left._holder.stdout is not None
    left._holder.stdout.close()
