"""Commands on this machine."""

import dataclasses

import pytest

from infra import connection
from infra.connection import HostError, Local, Unreachable
from infra.host import Host

HOST = Host(
    name="here",
    address="127.0.0.1",
    connection="local",
    accelerator="cpu",
    stack="demo",
    ports_from=21000,
)


def test_a_command_gives_its_status_and_both_outputs() -> None:
    done = Local(HOST).run(["sh", "-c", "cat; echo oh no >&2; exit 3"], stdin="hello")

    assert (done.status, done.out, done.err) == (3, "hello", "oh no\n")


def test_a_command_that_does_not_end_is_an_unreachable_host() -> None:
    with pytest.raises(Unreachable, match=r"here: `sleep 30` did not end \(waited 0 s\)"):
        Local(HOST).run(["sleep", "30"], timeout_s=0.05)


def test_a_missing_program_is_named() -> None:
    with pytest.raises(HostError, match=r"here: no such program \(got no-such-engine\). Install"):
        Local(HOST).run(["no-such-engine", "run"])


def test_output_that_is_no_text_does_not_break_anything() -> None:
    assert "x" in Local(HOST).run(["printf", "\\377x"]).out


def test_another_machine_than_the_prepared_one_is_refused() -> None:
    other = dataclasses.replace(HOST, machine_id="f" * 32)

    with pytest.raises(HostError, match="here: `connection: local` means the machine that was"):
        connection.connect(other)


def test_the_prepared_machine_is_taken() -> None:
    mine = Local(HOST).machine_id()

    assert connection.connect(dataclasses.replace(HOST, machine_id=mine)).host.machine_id == mine
