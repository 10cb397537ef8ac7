"""Asking a stack: tries, waits, halves, and what ends a run."""

import socket
from contextlib import closing

import pytest

from cameratraps import stack
from cameratraps.asking import Fault, Stopped
from cameratraps.stack import Stack

BUSY = (503, {"Retry-After": "7"}, {"detail": "Too many items wait."})
TOO_MANY = (429, {}, {"detail": "slow down"})
SLOW = (504, {}, {"detail": "The model did not answer."})


class Waits(list):
    """Instead of sleeping."""

    def __call__(self, seconds):
        self.append(seconds)
        return False


@pytest.fixture
def waits():
    """What was waited for."""
    return Waits()


@pytest.fixture
def asker(stand_in, waits):
    """Asks the stand-in, without a token."""
    with closing(Stack(stand_in.url, None, waits)) as made:
        yield made


def test_a_batch_is_answered_in_order_with_the_token(stand_in, waits):
    stand_in.token = "Bearer secret"
    with closing(Stack(stand_in.url, "secret", waits)) as asker:
        answers = asker.ask([b"a", b"b"])
    assert (asker.version, answers.version, len(answers.items)) == ("v1", "v1", 2)
    assert stand_in.batches == [2]
    assert waits == []


def test_a_busy_stack_is_asked_again_after_the_time_that_it_names(stand_in, asker, waits):
    stand_in.script.extend([BUSY, TOO_MANY])
    asker.ask([b"a"])
    assert 7 <= waits[0] <= 8.75
    assert 1 <= waits[1] <= 1.25
    assert stand_in.batches == [1]


def test_a_batch_that_is_too_slow_is_asked_in_halves(stand_in, asker, waits):
    stand_in.script.extend([SLOW, SLOW])
    answers = asker.ask([b"1", b"2", b"3", b"4"])
    assert len(answers.items) == 4
    assert stand_in.batches == [1, 1, 2]


def test_a_stack_that_stays_busy_ends_the_run(stand_in, asker, waits):
    stand_in.script.extend([BUSY] * stack.TRIES)
    with pytest.raises(Stopped, match=r"gave no answer in 8 tries \(status 503: Too many"):
        asker.ask([b"a"])
    assert len(waits) == stack.TRIES


def test_a_stack_that_is_not_there_ends_the_run(waits):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Stopped, match="Connection refused"):
        Stack(f"http://127.0.0.1:{port}", None, waits)


def test_a_run_that_is_stopped_waits_no_longer(stand_in):
    with closing(Stack(stand_in.url, None)) as asker:
        asker.stop()
        stand_in.script.append(BUSY)
        with pytest.raises(Stopped, match="stopped"):
            asker.ask([b"a"])


@pytest.mark.parametrize(
    ("token", "message"),
    [("wrong", "the token is refused"), (None, "wants a token")],
    ids=["wrong", "none"],
)
def test_a_token_that_is_not_taken_ends_the_run_at_once(stand_in, waits, token, message):
    stand_in.token = "Bearer secret"
    with pytest.raises(Stopped, match=message) as caught:
        Stack(stand_in.url, token, waits)
    assert "wrong" not in str(caught.value)
    assert waits == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, {}, {"detail": "nothing here"}), r"status 404 \(nothing here\)"),
        ((302, {"Location": "http://127.0.0.1:1/"}, {}), "status 302"),
        ((200, {}, {"items": []}), "is no stack of ours"),
        ((200, {}, []), "is no stack of ours"),
    ],
    ids=["not found", "moved", "other number", "no object"],
)
def test_what_is_no_stack_ends_the_run(stand_in, asker, waits, answer, message):
    stand_in.script.append(answer)
    with pytest.raises(Stopped, match=message):
        asker.ask([b"a"])


def test_an_item_that_is_refused_has_its_reason(stand_in, asker, waits):
    items = [{"error": {"status": 422, "detail": "cut off"}}, {"error": 1}, {"answer": {}}]
    stand_in.script.append((200, {}, {"items": items, "version": "v1"}))
    answers = asker.ask([b"a", b"b", b"c"])
    assert list(answers.items) == [
        Fault("cut off", True),
        Fault("an answer that cannot be read", False),
        {},
    ]


def test_a_stack_without_the_model_ends_the_run(stand_in, waits, monkeypatch):
    monkeypatch.setattr(stack, "MODEL", "octagon")
    with pytest.raises(Stopped, match=r"does not serve octagon \(got wildlife\)"):
        Stack(stand_in.url, None, waits)


@pytest.mark.parametrize("url", ["photos.example.org", "ftp://a", "http://"])
def test_an_address_that_is_none_is_one_line(url, waits):
    with pytest.raises(ValueError, match="should be http://HOST"):
        Stack(url, None, waits)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3), ("-3", 0), ("nan", None), ("soon", None), ("Sat, 01 Jan 2000 00:00:00 GMT", 0)],
)
def test_every_form_of_retry_after_is_understood(value, seconds):
    assert stack._retry_after_s(value) == seconds
