"""The batcher: greedy, bounded, and fair to the neighbours of a bad item."""

import asyncio
import threading

import pytest

from service.batching import Batcher, QueueFullError


class Runs:
    """A function for a batcher that keeps its batches, and can be held up."""

    def __init__(self):
        self.batches = []
        self.threads = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def __call__(self, items):
        self.batches.append(list(items))
        self.threads.add(threading.current_thread().name)
        self.entered.set()
        assert self.gate.wait(10)
        if "bad" in items:
            raise RuntimeError("a bad item")
        return [f"{item}!" for item in items]


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture
def batch(loop, runs):
    """Runs a coroutine function with a batcher in the loop."""
    made = []

    def run(work, max_batch=4, queue_items=8):
        batcher = Batcher("test", runs, max_batch=max_batch, queue_items=queue_items)
        made.append(batcher)
        return loop.run(work(batcher))

    yield run
    runs.gate.set()
    for batcher in made:
        batcher.close()


async def until(event):
    await asyncio.get_running_loop().run_in_executor(None, event.wait, 10)


def test_a_lone_item_runs_at_once(batch, runs):
    assert batch(lambda batcher: batcher.run(["a"])) == ["a!"]
    assert runs.batches == [["a"]]


def test_items_that_arrive_together_share_a_run(batch, runs):
    async def work(batcher):
        return await asyncio.gather(*(batcher.run([name]) for name in "abc"))

    assert batch(work) == [["a!"], ["b!"], ["c!"]]
    assert runs.batches == [["a", "b", "c"]]


def test_a_run_takes_what_arrived_during_the_last_one(batch, runs):
    async def work(batcher):
        runs.gate.clear()
        first = asyncio.ensure_future(batcher.run(["a"]))
        await until(runs.entered)
        rest = [asyncio.ensure_future(batcher.run([name])) for name in "bcdefg"]
        await asyncio.sleep(0)
        assert batcher.depth == 0  # nothing was admitted: the caller counts places
        runs.gate.set()
        return await asyncio.gather(first, *rest)

    assert [answer for (answer,) in batch(work)] == [f"{name}!" for name in "abcdefg"]
    assert runs.batches == [["a"], ["b", "c", "d", "e"], ["f", "g"]]


def test_a_large_call_is_cut_into_runs_and_answered_in_order(batch, runs):
    names = [str(i) for i in range(10)]
    assert batch(lambda batcher: batcher.run(names)) == [f"{name}!" for name in names]
    assert [len(one) for one in runs.batches] == [4, 4, 2]


def test_all_runs_share_one_thread_that_is_not_the_loops(batch, runs):
    async def work(batcher):
        for name in "abc":
            await batcher.run([name])

    batch(work)
    assert runs.threads == {"model-test"}


def test_a_bad_item_does_not_fail_its_neighbours(batch, runs):
    async def work(batcher):
        return await asyncio.gather(*(batcher.run([name]) for name in ("a", "bad", "c")))

    (a,), (bad,), (c,) = batch(work)
    assert (a, c) == ("a!", "c!")
    assert isinstance(bad, RuntimeError)


def test_a_function_that_gives_too_few_results_fails_its_items(loop):
    batcher = Batcher("short", lambda items: [], max_batch=4, queue_items=4)
    (result,) = loop.run(batcher.run(["a"]))
    batcher.close()
    assert isinstance(result, ValueError)


def test_places_are_bounded(batch, runs):
    async def work(batcher):
        with batcher.admit(6):
            with batcher.admit(6):
                assert batcher.depth == 12  # 8 may wait beside a run of 4
                with pytest.raises(QueueFullError), batcher.admit(1):
                    pass
            with batcher.admit(1):
                pass
        assert batcher.depth == 0

    batch(work)


def test_an_idle_batcher_takes_any_count(batch, runs):
    async def work(batcher):
        with batcher.admit(1000), pytest.raises(QueueFullError), batcher.admit(1):
            pass

    batch(work)


def test_a_call_that_was_given_up_is_not_run(batch, runs):
    async def work(batcher):
        runs.gate.clear()
        first = asyncio.ensure_future(batcher.run(["a"]))
        await until(runs.entered)
        given_up = asyncio.ensure_future(batcher.run(["b"]))
        kept = asyncio.ensure_future(batcher.run(["c"]))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        runs.gate.set()
        return await asyncio.gather(first, kept)

    assert batch(work) == [["a!"], ["c!"]]
    assert runs.batches == [["a"], ["c"]]


def test_a_call_that_is_given_up_while_it_runs_does_not_stop_the_next(batch, runs):
    async def work(batcher):
        runs.gate.clear()
        running = asyncio.ensure_future(batcher.run(["a"]))
        await until(runs.entered)
        running.cancel()
        following = asyncio.ensure_future(batcher.run(["b"]))
        await asyncio.sleep(0)
        runs.gate.set()
        return await following

    assert batch(work) == ["b!"]


def test_a_closed_batcher_leaves_no_thread(loop):
    batcher = Batcher("leaves", lambda items: items, max_batch=4, queue_items=4)
    loop.run(batcher.run(["a"]))
    (thread,) = [one for one in threading.enumerate() if one.name == "model-leaves"]
    batcher.close()
    thread.join(10)
    assert not thread.is_alive()
