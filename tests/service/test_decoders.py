"""Threads for photos: shared, in turns, and none of the models holds them all."""

import asyncio
import gc
import threading
import weakref

import pytest

from service.decoders import Decoders


class Gate:
    """A function that waits until it is let go, and keeps who began."""

    def __init__(self):
        self.began = []
        self.open = threading.Event()

    def __call__(self, name):
        self.began.append(name)
        assert self.open.wait(10)
        return name


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.open.set()


@pytest.fixture
def decoders():
    made = Decoders(2)
    yield made
    made.close()


async def begun(gate, count):
    while len(gate.began) < count:
        await asyncio.sleep(0.001)


def test_an_owner_never_holds_the_thread_that_is_for_the_others(loop, decoders, gate):
    async def work():
        slow = [asyncio.ensure_future(decoders.run("slow", gate, f"slow {i}")) for i in range(9)]
        await begun(gate, 2)
        fast = [await decoders.run("fast", str.upper, name) for name in "abcdefgh"]
        held = list(gate.began)
        gate.open.set()
        return fast, held, await asyncio.gather(*slow)

    fast, held, slow = loop.run(work())
    assert fast == list("ABCDEFGH")
    assert held == ["slow 0", "slow 1"]
    assert slow == [f"slow {i}" for i in range(9)]


def test_owners_take_turns(loop, decoders, gate):
    order = []
    other = Gate()

    async def work():
        held = [asyncio.ensure_future(decoders.run("x", other, "x")) for _ in range(2)]
        held.append(asyncio.ensure_future(decoders.run("a", gate, "a")))
        await begun(other, 2)
        await begun(gate, 1)  # one thread is left, when it comes back
        rest = [
            asyncio.ensure_future(decoders.run(owner, order.append, owner)) for owner in "aaabbb"
        ]
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*rest)
        other.open.set()
        await asyncio.gather(*held)

    loop.run(work())
    assert "".join(order) == "ababab"


def test_threads_are_bounded_and_end(loop, gate):
    decoders = Decoders(2)
    before = set(threading.enumerate())

    async def work():
        calls = [asyncio.ensure_future(decoders.run(f"owner {i}", gate, str(i))) for i in range(50)]
        await begun(gate, 3)
        assert len(set(decoders.marks().values())) == 1
        assert len(decoders.marks()) == 3
        gate.open.set()
        await asyncio.gather(*calls)

    loop.run(work())
    ours = set(threading.enumerate()) - before
    assert len(ours) == 3
    assert decoders.marks() == {}
    decoders.close()
    for thread in ours:
        thread.join(10)
        assert not thread.is_alive()


def test_a_call_that_was_given_up_is_not_run_and_fifty_of_them_leave_nothing(loop, decoders, gate):
    async def work():
        first = [asyncio.ensure_future(decoders.run("a", gate, "first")) for _ in range(2)]
        await begun(gate, 2)
        late = [asyncio.ensure_future(decoders.run("a", gate, "late")) for _ in range(50)]
        await asyncio.sleep(0)
        for call in late:
            call.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        left = sum(map(len, decoders._waiting.values()))
        gate.open.set()
        await asyncio.gather(*first)
        return left

    assert loop.run(work()) == 0
    assert gate.began == ["first"] * 2


def test_what_fails_is_told_and_nothing_of_it_is_kept(loop, decoders):
    class Picture:
        pass

    kept = []

    def fail(picture):
        kept.append(weakref.ref(picture))
        raise ValueError("damaged")

    async def work():
        try:
            await decoders.run("a", fail, Picture())
        except ValueError as error:
            return str(error)

    gc.disable()  # what waits for it may be many pictures
    try:
        assert loop.run(work()) == "damaged"
        loop.run(asyncio.sleep(0.05))
        assert kept[0]() is None
    finally:
        gc.enable()
