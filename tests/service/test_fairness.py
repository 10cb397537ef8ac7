"""Callers and models beside each other: none of them takes all of what they share."""

import asyncio
import gc
import threading
from collections import Counter
from dataclasses import replace

import pytest
from PIL import Image

from service import contract, proof, tokens
from service.api import bodies
from service.api.problems import KINDS, TOO_MANY

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
PREDICT = "/v1/adder/predict"
SHADE = "/v1/shade/predict"
JPEG = {"content-type": "image/jpeg"}


class Held:
    """A model's code that waits until it is let go."""

    def __init__(self, code):
        self.gate = threading.Event()
        self.gate.set()  # golden answers first
        self.answer = code.answer
        self._encode = code.encode

    def encode(self, items):
        assert self.gate.wait(20)
        return self._encode(items)


@pytest.fixture
def bearer(key_dir):
    """Subject to the headers of a token of theirs."""
    pem = (key_dir / tokens.KEY_FILE).read_text()
    return lambda name: {
        "authorization": f"Bearer {tokens.issue(pem, contract.SCOPE_PREDICT, 600, name)}"
    }


@pytest.fixture
def held(monkeypatch, start, catalog, code):
    """A service whose adder waits in a thread; 16 places in its queue and 4 in a run."""
    monkeypatch.setattr(proof, "_QUICK_S", -1.0)
    held = Held(code["adder"])
    spec = replace(catalog["adder"], queue_items=16, max_batch=4, deadline_ms=15_000)
    service = start(catalog={**catalog, "adder": spec}, code={"adder": held})
    held.gate.clear()
    yield service, held.gate
    held.gate.set()


async def until(holds):
    while not holds():
        await asyncio.sleep(0.005)


def asks(service, count, headers, **options):
    options = options or {"json": ROW}
    return [
        asyncio.ensure_future(service._client.post(PREDICT, headers=headers, **options))
        for _ in range(count)
    ]


def ended(calls):
    return sum(call.done() for call in calls)


def test_one_caller_cannot_shut_out_the_others(loop, held, bearer):
    service, gate = held

    async def work():
        greedy = asks(service, 60, bearer("greedy"))
        await until(lambda: ended(greedy) == 44)
        other = asks(service, 3, bearer("other"))
        await asyncio.sleep(0.1)
        gate.set()
        return await asyncio.gather(*greedy), await asyncio.gather(*other)

    greedy, other = loop.run(work())
    assert Counter(answer.status_code for answer in greedy) == {200: 16, 429: 44}
    assert [answer.status_code for answer in other] == [200] * 3
    refused = next(answer for answer in greedy if answer.status_code == 429)
    assert refused.headers["retry-after"] == str(contract.RETRY_AFTER_S)
    assert refused.json()["type"] == TOO_MANY.type
    assert TOO_MANY in KINDS
    # Afterwards the greedy one is as welcome as before.
    assert service.post(PREDICT, json=ROW, headers=bearer("greedy")).status_code == 200
    assert service.process._fleet.served["adder"].shares._held == {}


def test_when_many_callers_fill_the_queue_whoever_comes_is_told_503(loop, held, bearer):
    service, gate = held

    async def work():
        calls = [call for name in range(20) for call in asks(service, 1, bearer(f"caller {name}"))]
        await until(lambda: service.process._fleet.served["adder"].batcher.free == 0)
        (late,) = await asyncio.gather(*asks(service, 1, bearer("late")))
        gate.set()
        return late, await asyncio.gather(*calls)

    late, calls = loop.run(work())
    assert late.status_code == 503
    assert late.headers["retry-after"] == "1"
    assert {answer.status_code for answer in calls} == {200}


def test_one_callers_bodies_cannot_fill_the_memory(loop, start, bearer, monkeypatch):
    service = start()
    held = service.application._bodies
    monkeypatch.setattr(held, "_total_bytes", 10_000)
    end = asyncio.Event()

    async def slow():
        yield b"{" + b" " * 899
        await end.wait()
        yield b"}"

    async def work():
        kind = {"content-type": "application/json"}
        greedy = [
            call
            for _ in range(12)
            for call in asks(service, 1, {**bearer("greedy"), **kind}, content=slow())
        ]
        await until(lambda: ended(greedy) == 4)
        (other,) = await asyncio.gather(*asks(service, 1, bearer("other")))
        end.set()
        return await asyncio.gather(*greedy), other

    greedy, other = loop.run(work())
    assert Counter(answer.status_code for answer in greedy) == {429: 4, 422: 8}
    assert other.status_code == 200
    assert (held._held_bytes, held._shares._held) == (0, {})
    assert bodies.Bodies()._held_bytes == 0


def test_a_slow_models_full_queue_leaves_the_fast_one_alone(loop, held, bearer, picture):
    service, gate = held

    async def work():
        slow = asks(service, 60, bearer("greedy"))
        await until(lambda: ended(slow) == 44)
        headers = {**bearer("greedy"), **JPEG}  # the same caller, even
        photos = [
            await service._client.post(SHADE, content=picture(), headers=headers) for _ in range(30)
        ]
        gate.set()
        await asyncio.gather(*slow)
        return photos

    assert [answer.status_code for answer in loop.run(work())] == [200] * 30


def test_photos_that_fail_leave_no_picture_behind(start, bearer, picture):
    """Python looks for circles of objects rarely here: nothing large may be in one."""
    service = start()
    whole = picture("PNG", size=(900, 900))
    headers = {**bearer("tester"), **JPEG}

    def pictures():
        # Not isinstance: it asks every object of every package for its __class__.
        return sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects())

    gc.collect()
    before = pictures()
    gc.disable()
    try:
        for _ in range(10):
            answer = service.post(SHADE, content=whole[:-40], headers=headers)
            assert answer.status_code == 422
        assert pictures() == before
    finally:
        gc.enable()
