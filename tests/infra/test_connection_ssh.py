"""Commands and ports over SSH, against a real sshd on a loopback address."""

import dataclasses
import hashlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from harness.sshd import Sshd, new_key, why_no_sshd

from infra.connection import HostError, Unreachable, connect, entering, line
from infra.host import Host, Jump
from infra.host_keys import fingerprint

pytestmark = pytest.mark.skipif(why_no_sshd() is not None, reason=why_no_sshd() or "")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """A server of its own: its keys are new, so is every line to it."""
    made = Sshd(tmp_path / "alpha")
    made.start()
    yield made
    made.stop()


def host(server: Sshd, **changes: Any) -> Host:
    given = {"name": "alpha", "accelerator": "cpu", "stack": "demo", "ports_from": 21000}
    return Host(**{**given, **server.fields(), **changes})


def place(server: Sshd) -> str:
    return f"{server.address}:{server.port}"


def test_a_command_gives_its_status_and_both_outputs(server: Sshd) -> None:
    done = connect(host(server)).run(["sh", "-c", "cat; echo oh no >&2; exit 3"], stdin="hello")

    assert (done.status, done.out, done.err) == (3, "hello", "oh no\n")


@pytest.mark.parametrize(
    "word",
    ["", "two words", "it's", '"quoted"', "$HOME", "`id`", "a\nb", "*", "\\", "é", "!x", "~", ";"],
)
def test_every_argument_arrives_as_it_was_given(server: Sshd, word: str) -> None:
    done = connect(host(server)).run(["printf", "%s|", word, "end"])

    assert done.out == f"{word}|end|"


def test_a_command_that_reads_gets_an_end_even_without_input(server: Sshd) -> None:
    assert connect(host(server)).run(["cat"], timeout_s=10).out == ""


def test_input_may_be_bytes_of_any_kind_and_size(server: Sshd) -> None:
    sent = bytes(range(256)) * 20_000

    done = connect(host(server)).run(["sh", "-c", "sha256sum | cut -c 1-16; id -u"], stdin=sent)

    assert done.out.split()[0] == hashlib.sha256(sent).hexdigest()[:16]


def test_a_command_may_end_without_reading_its_input(server: Sshd) -> None:
    assert connect(host(server)).run(["true"], stdin=b"x" * 5_000_000).status == 0


def test_output_that_is_no_text_does_not_break_anything(server: Sshd) -> None:
    assert "x" in connect(host(server)).run(["printf", "\\377x"]).out


def test_a_command_that_a_signal_ended_has_not_succeeded(server: Sshd) -> None:
    assert connect(host(server)).run(["sh", "-c", "kill -9 $$"]).status == -9


def test_a_missing_program_is_named(server: Sshd) -> None:
    with pytest.raises(HostError, match=r"alpha: no such program \(got no-such-engine\). Install"):
        connect(host(server)).run(["no-such-engine", "run"])


def test_a_file_that_is_missing_is_no_missing_program(server: Sshd) -> None:
    assert connect(host(server)).run(["cat", "/no/such/file"]).status == 1


def test_a_command_that_does_not_end_is_ended_and_the_host_counts_as_unreachable(
    server: Sshd, tmp_path: Path
) -> None:
    there = connect(host(server))
    mark = tmp_path / "mark"

    with pytest.raises(Unreachable, match=r"alpha: `sh -c` did not end \(waited 1 s\)"):
        there.run(["sh", "-c", f"echo $$ > {mark}; exec sleep 300"], timeout_s=1)

    pid = int(mark.read_text())
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert there.run(["true"]).status == 0


def test_what_a_host_is_asked_on_entering_is_told(server: Sshd) -> None:
    there = connect(host(server))

    assert there.machine_id() == Path("/etc/machine-id").read_text().strip()
    assert there.has("sh")
    assert not there.has("no-such-engine")
    assert there.is_root == (there.run(["id", "-u"]).out.strip() == "0")
    assert str(there.paths().root).endswith("bentofleet/demo")


def test_one_connection_serves_every_command_of_a_process(server: Sshd) -> None:
    first, second = connect(host(server)), connect(host(server, machine_id="x"))
    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda n: second.run(["echo", str(n)]).out.strip(), range(40)))

    first.run(["true"])
    assert done == [str(n) for n in range(40)]
    assert server.logins == 1


def test_no_more_sessions_run_at_once_than_sshd_allows(server: Sshd) -> None:
    there = connect(host(server))

    with ThreadPoolExecutor(30) as pool:
        done = list(pool.map(lambda _: there.run(["sleep", "0.2"]).status, range(30)))

    assert done == [0] * 30


# -- host keys ----------------------------------------------------------------------------------


def test_an_unknown_host_key_is_refused_with_the_line_to_add(server: Sshd) -> None:
    with pytest.raises(HostError) as refused:
        connect(host(server, host_key=None))

    assert f"(got ssh-ed25519 {fingerprint(server.host_key)})" in str(refused.value)
    assert "If `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows" in str(refused.value)
    assert f'add `host_key: "{server.host_key}"` to it' in str(refused.value)
    assert not isinstance(refused.value, Unreachable)
    assert server.logins == 0


def test_another_host_key_than_the_pinned_one_is_refused(server: Sshd) -> None:
    pinned = server.host_key
    connect(host(server)).close()
    server.stop()
    server.new_host_key()
    server.start()

    with pytest.raises(HostError) as refused:
        connect(host(server, host_key=pinned)).run(["true"])

    assert str(refused.value).startswith(f"alpha: the host key of {place(server)} has changed")
    assert f"got ssh-ed25519 {fingerprint(server.host_key)}" in str(refused.value)
    assert f"pinned is {fingerprint(pinned)}" in str(refused.value)


def test_a_host_key_that_changed_between_two_commands_is_refused_too(server: Sshd) -> None:
    there = connect(host(server))
    server.stop()
    server.new_host_key()
    server.start()

    with pytest.raises(HostError, match="has changed"):
        there.run(["true"])


def test_a_server_without_a_key_of_the_pinned_kind_is_refused(server: Sshd) -> None:
    pinned = server.host_key
    server.stop()
    server.new_host_key("ecdsa")
    server.start()

    with pytest.raises(HostError, match=r"has changed \(got ecdsa-sha2-nistp256 SHA256:"):
        connect(host(server, host_key=pinned))


def test_of_two_host_keys_the_pinned_one_is_asked_for(server: Sshd) -> None:
    first = server.host_key
    second = server.folder / "second"
    new_key(second, "rsa")
    server.stop()
    server.start(f"HostKey {second}")

    pins = (first, " ".join(second.with_name("second.pub").read_text().split()[:2]))

    assert [connect(host(server, host_key=pin)).run(["true"]).status for pin in pins] == [0, 0]


def test_a_pinned_key_of_another_kind_is_fine(server: Sshd) -> None:
    server.stop()
    server.new_host_key("ecdsa")
    server.start()

    assert connect(host(server)).run(["true"]).status == 0


# -- who may go in ------------------------------------------------------------------------------


def test_a_key_that_the_host_does_not_know_is_refused(server: Sshd, tmp_path: Path) -> None:
    new_key(tmp_path / "other")

    with pytest.raises(HostError, match=r"127.0.0.2:\d+ does not let \S+ in \(tried /.*other\)"):
        connect(host(server, key=str(tmp_path / "other")))


def test_a_key_with_a_passphrase_is_the_agents_work(server: Sshd, tmp_path: Path) -> None:
    new_key(tmp_path / "locked", passphrase="long enough")

    with pytest.raises(HostError, match=r"is protected by a passphrase. Add it to the agent"):
        connect(host(server, key=str(tmp_path / "locked")))


@pytest.mark.parametrize("content", [None, "no key at all"], ids=["missing", "something else"])
def test_a_key_that_cannot_be_read_is_named(
    server: Sshd, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)

    with pytest.raises(HostError, match=r"alpha: the key \S+ cannot be read \("):
        connect(host(server, key=str(path)))


def test_the_agents_key_opens_too(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    sock = server.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL)
    try:
        until(sock.exists)
        environ = {**os.environ, "SSH_AUTH_SOCK": str(sock)}
        subprocess.run(["ssh-add", "-q", str(server.key)], env=environ, check=True)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(sock))
        monkeypatch.setenv("HOME", str(server.folder))

        assert connect(host(server, key=None)).run(["true"]).status == 0
    finally:
        agent.kill()
        agent.wait()


def test_a_user_whose_shell_says_something_else_cannot_be_used(server: Sshd) -> None:
    server.stop()
    server.start("ForceCommand echo this account is closed; exit 1")

    with pytest.raises(HostError, match=r"alpha: \S+ cannot run commands \(this account is close"):
        connect(host(server))


# -- dead, booting, cut -------------------------------------------------------------------------


def test_a_dead_host_is_asked_once_for_all_who_want_something_of_it(
    server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    knocks = []
    knock = line.Line._knock
    monkeypatch.setattr(
        line.Line, "_knock", lambda self, visitor: knocks.append(1) or knock(self, visitor)
    )
    server.stop()

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: why_not(host(server)), range(8)))

    assert len(knocks) == 2  # at once, and after the second that it may need to boot
    for error in told:
        assert error.startswith(f"alpha: {place(server)} refuses connections (")
        assert error.endswith("take the host out (`out: true`).")


def why_not(host: Host) -> str:
    with pytest.raises(Unreachable) as told:
        connect(host)
    return str(told.value)


def test_a_silent_host_is_told_after_its_time(server: Sshd) -> None:
    server.freeze()

    with pytest.raises(Unreachable, match=r"does not answer \(waited 1 s\). Switch it on and"):
        connect(host(server, connect_timeout_s=1, boot_timeout_s=60))


def test_a_name_that_nobody_knows_is_told_at_once(server: Sshd) -> None:
    with pytest.raises(Unreachable, match=r"the name no-such-host.invalid is not known \("):
        connect(host(server, address="no-such-host.invalid", boot_timeout_s=60))


def test_a_host_that_boots_is_waited_for(server: Sshd) -> None:
    server.stop()
    timer = threading.Timer(1.5, server.start)
    timer.start()

    try:
        assert connect(host(server, boot_timeout_s=30)).run(["true"]).status == 0
    finally:
        timer.join()


def test_a_line_that_was_cut_between_two_commands_is_opened_again(server: Sshd) -> None:
    there = connect(host(server))
    there.run(["true"])
    server.cut()

    assert there.run(["echo", "still there"]).out == "still there\n"
    assert server.logins == 2


def test_a_command_whose_line_is_cut_is_not_run_twice(server: Sshd, tmp_path: Path) -> None:
    there = connect(host(server))
    runs = tmp_path / "runs"
    timer = threading.Timer(0.5, server.cut)
    timer.start()

    with pytest.raises(Unreachable, match="alpha: the line was cut while `sh` ran"):
        there.run(["sh", "-c", f"echo run >> {runs}; sleep 5"])

    timer.join()
    assert runs.read_text() == "run\n"
    assert there.run(["true"]).status == 0


def test_a_line_that_goes_silent_is_found_out(
    server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entering, "KEEPALIVE_S", 0.2)
    there = connect(host(server, connect_timeout_s=1))
    threading.Timer(0.3, server.freeze).start()

    with pytest.raises(Unreachable, match="the line was cut while `sleep` ran"):
        there.run(["sleep", "30"], timeout_s=60)


def test_a_connection_that_was_closed_opens_again(server: Sshd) -> None:
    there = connect(host(server))
    there.close()

    assert there.run(["true"]).status == 0


# -- ports --------------------------------------------------------------------------------------


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"path": self.path}).encode() * 20_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[int]:
    """The port of an HTTP server."""
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served.server_port
    served.shutdown()
    served.server_close()


def get(port: int, path: str = "/x") -> int:
    """GET; how many bytes came."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
        return len(reply.read())


def test_a_port_of_the_host_is_led_here_once_and_kept(server: Sshd, page: int) -> None:
    there = connect(host(server))

    here = there.local_port(page)
    with ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda _: get(here), range(30)))

    assert here != page
    assert sizes == [len('{"path": "/x"}') * 20_000] * 30
    assert there.local_port(page) == here
    assert connect(host(server)).local_port(page) == here


def test_a_port_leads_there_again_after_a_cut(server: Sshd, page: int) -> None:
    there = connect(host(server))
    here = there.local_port(page)
    server.cut()
    there.run(["true"])  # finds it out

    assert there.local_port(page) == here
    assert get(here) > 0


def test_a_port_where_nothing_listens_yet_can_be_led_here(server: Sshd) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    here = connect(host(server)).local_port(port)

    with pytest.raises(OSError, match=r"reset|closed|refused|end"):
        get(here)


def test_a_port_of_ours_is_led_to_the_host(server: Sshd, page: int) -> None:
    there = connect(host(server))

    port = there.reverse_port(page)
    asked = ["python3", "-c", _ASK.format(port=port)]

    assert port != page
    assert int(there.run(asked).out) == len('{"path": "/v2/"}') * 20_000
    assert there.reverse_port(page) == port


_ASK = "import urllib.request as u; print(len(u.urlopen('http://127.0.0.1:{port}/v2/').read()))"


def test_a_port_of_ours_is_led_anew_after_a_cut(server: Sshd, page: int) -> None:
    there = connect(host(server))
    there.reverse_port(page)
    server.cut()
    there.run(["true"])  # finds it out

    asked = ["python3", "-c", _ASK.format(port=there.reverse_port(page))]

    assert int(there.run(asked).out) > 0


@pytest.mark.parametrize("way", ["local_port", "reverse_port"])
def test_an_sshd_that_does_not_forward_is_named(server: Sshd, way: str) -> None:
    server.stop()
    server.start("AllowTcpForwarding no")

    with pytest.raises(HostError, match=r"alpha: its sshd does not allow that .*AllowTcpForward"):
        getattr(connect(host(server)), way)(21000)


# -- a machine in between -----------------------------------------------------------------------


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Sshd]:
    made = Sshd(tmp_path / "gateway", "127.0.0.3")
    made.start()
    yield made
    made.stop()


def jump(gateway: Sshd, **changes: Any) -> Jump:
    names = {field.name for field in dataclasses.fields(Jump)}
    return Jump(**{k: v for k, v in gateway.fields(**changes).items() if k in names})


def test_a_host_behind_another_is_reached_through_it(server: Sshd, gateway: Sshd) -> None:
    there = connect(host(server, jump=jump(gateway)))

    assert there.run(["sh", "-c", "echo $SSH_CONNECTION"]).out.startswith("127.0.0.")
    assert gateway.logins == 1
    gateway.cut()
    assert there.run(["true"]).status == 0


def test_the_machine_in_between_is_pinned_too(server: Sshd, gateway: Sshd) -> None:
    with pytest.raises(HostError) as refused:
        connect(host(server, jump=jump(gateway, host_key=None)))

    told = str(refused.value)
    assert told.startswith(f"alpha: the machine in between: the host key of {place(gateway)}")
    assert gateway.host_key in told


def test_a_dead_machine_in_between_is_told_from_a_dead_host(server: Sshd, gateway: Sshd) -> None:
    server.stop()
    with pytest.raises(Unreachable, match=r"alpha: 127\.0\.0\.2:\d+ refuses connections"):
        connect(host(server, jump=jump(gateway)))
    gateway.stop()
    with pytest.raises(Unreachable, match=r"in between: 127\.0\.0\.3:\d+ refuses"):
        connect(host(server, jump=jump(gateway), boot_timeout_s=0))


def until(is_so: Any, timeout_s: float = 10) -> None:
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
