"""Work on many hosts side by side."""

import threading

import pytest

from infra.connection import HostError, Unreachable
from infra.provider.each import on_each, on_each_host


class NotGood(Exception):
    pass


def failing(**errors: Exception) -> object:
    def work(host: str) -> str:
        if host in errors:
            raise errors[host]
        return host.upper()

    return work


def test_results_come_in_the_hosts_order() -> None:
    assert on_each(str.upper, ["one", "two", "three"]) == ["ONE", "TWO", "THREE"]


def test_no_hosts_are_no_work() -> None:
    assert on_each(str.upper, []) == []


def test_hosts_are_worked_on_side_by_side() -> None:
    together = threading.Barrier(3, timeout=10)

    on_each(lambda _: together.wait(), ["one", "two", "three"])

    assert not together.broken


def test_one_failure_is_raised_as_it_is() -> None:
    error = Unreachable("two: is dead.")

    with pytest.raises(Unreachable) as caught:
        on_each(failing(two=error), ["one", "two"])

    assert caught.value is error


def test_a_fault_of_the_work_weighs_more_than_one_of_a_host_and_both_are_told() -> None:
    work = failing(one=HostError("one: is dead."), two=NotGood("two: is not ready."))

    with pytest.raises(NotGood) as caught:
        on_each(work, ["one", "two", "three"])

    assert caught.value.args == ("one: is dead.", "two: is not ready.")


def test_several_dead_hosts_are_one_line() -> None:
    work = failing(one=Unreachable("one: is dead."), two=Unreachable("two: is dead."))

    with pytest.raises(Unreachable) as caught:
        on_each_host(work, ["one", "two"])

    assert str(caught.value) == "one: is dead. two: is dead."


def test_what_ends_a_process_is_not_collected() -> None:
    def work(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_each(work, ["one"])
