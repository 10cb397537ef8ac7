"""The batcher: greedy, bounded, and fair to the neighbours of a bad item."""

import asyncio
import gc
import threading

import pytest

from service import batching
from service.batching import Batcher, ExpiredError, Job, QueueFullError


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
        batcher.take(6)
        batcher.take(6)
        assert batcher.depth == 12  # 8 may wait beside a run of 4
        with pytest.raises(QueueFullError):
            batcher.take(1)
        batcher.give(6)
        batcher.take(1)
        batcher.give(7)
        assert batcher.depth == 0

    batch(work)


def test_an_idle_batcher_takes_any_count(batch, runs):
    async def work(batcher):
        batcher.take(1000)
        with pytest.raises(QueueFullError):
            batcher.take(1)

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


def test_a_call_whose_time_ends_in_the_turn_of_its_results_does_not_stop_the_next(batch, runs):
    async def work(batcher):
        runs.gate.clear()
        late = asyncio.ensure_future(batcher.run(["late"]))
        await until(runs.entered)
        (part,) = [p for p in gc.get_objects() if type(p) is batching._Part and p.items == ["late"]]
        part.results.cancel()  # as a timeout does it, before the call has had its turn
        runs.gate.set()
        following = await batcher.run(["b"])
        return following, (await asyncio.gather(late, return_exceptions=True))[0]

    following, late = batch(work)
    assert following == ["b!"]
    assert isinstance(late, asyncio.CancelledError)


def test_an_outcome_that_cannot_be_told_does_not_stop_the_next(loop, runs, caplog):
    class Deaf(Kept):
        def done(self, results):
            raise OSError("nobody listens")

    async def work(batcher):
        for until_ in (float("inf"), 0):
            batcher.submit(Deaf(["deaf"], until_))
        return await batcher.run(["b"])

    assert in_loop(loop, runs, work) == ["b!"]
    assert caplog.text.count("an outcome could not be told") == 2


def test_what_is_at_work_has_an_odd_mark_that_changes(batch, runs):
    async def work(batcher):
        marks = [batcher.mark]
        for _ in range(2):
            runs.gate.clear()
            runs.entered.clear()
            call = asyncio.ensure_future(batcher.run(["a"]))
            await until(runs.entered)
            marks.append(batcher.mark)
            runs.gate.set()
            await call
        return marks

    assert batch(work) == [0, 1, 3]


class Kept(Job):
    """A job that keeps what it was told."""

    def __init__(self, items, until=float("inf")):
        super().__init__(items, until)
        self.told = None

    def done(self, results):
        self.told = results


def in_loop(loop, runs, work):
    batcher = Batcher("loop", runs, max_batch=4, queue_items=8, in_loop=True)
    return loop.run(work(batcher))


def test_in_the_loop_no_thread_is_used(loop, runs):
    async def work(batcher):
        loop_thread = threading.current_thread().name
        return await batcher.run(list("abcdef")), loop_thread

    results, loop_thread = in_loop(loop, runs, work)
    assert results == [f"{name}!" for name in "abcdef"]
    assert [len(batch) for batch in runs.batches] == [4, 2]
    assert runs.threads == {loop_thread}


def test_between_two_runs_in_the_loop_others_have_their_turn(loop, runs):
    async def work(batcher):
        seen = []

        async def other():
            while len(runs.batches) < 3:
                seen.append(len(runs.batches))
                await asyncio.sleep(0)

        await asyncio.gather(batcher.run([str(i) for i in range(12)]), other())
        return seen

    assert {1, 2} <= set(in_loop(loop, runs, work))


def test_a_job_that_waited_past_its_end_is_told_so_and_not_run(loop, runs):
    async def work(batcher):
        late, good = Kept(["late"], asyncio.get_running_loop().time() - 1), Kept(["a"])
        for job in (late, good):
            batcher.submit(job)
        await batcher.run(["b"])
        return late.told, good.told

    late, good = in_loop(loop, runs, work)
    assert [type(result) for result in late] == [ExpiredError]
    assert good == ["a!"]
    assert runs.batches == [["a", "b"]]


def test_a_job_that_was_given_up_is_told_nothing(loop, runs):
    async def work(batcher):
        job = Kept(["a"])
        batcher.submit(job)
        batcher.give_up(job)
        await batcher.run(["b"])
        batcher.give_up(job)  # once more does no harm
        return job.told

    assert in_loop(loop, runs, work) is None
    assert runs.batches == [["b"]]


def test_runs_that_prove_to_be_long_get_a_thread_after_all(loop, runs, monkeypatch, caplog):
    monkeypatch.setattr(batching, "_LONG_S", -1.0)

    async def work(batcher):
        for name in "abcde":
            await batcher.run([name])
        return batcher.in_loop

    assert in_loop(loop, runs, work) is False
    assert len(runs.threads) == 2
    assert "model-loop" in runs.threads
    assert "loop: 3 runs in a row took more than" in caplog.text


def test_a_closed_batcher_leaves_no_thread(loop):
    batcher = Batcher("leaves", lambda items: items, max_batch=4, queue_items=4)
    loop.run(batcher.run(["a"]))
    (thread,) = [one for one in threading.enumerate() if one.name == "model-leaves"]
    batcher.close()
    thread.join(10)
    assert not thread.is_alive()
