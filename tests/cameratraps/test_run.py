"""A run, its journal, and what a second run does."""

import io
import json

import pytest

from cameratraps import folder, journal, run
from cameratraps.asking import Stopped
from cameratraps.journal import Journal
from cameratraps.progress import Progress

from .conftest import ANSWER, ByHand


def go(photos, out, asker, jobs=2):
    """Asks for what is open; gives the number of photos that were."""
    with Journal(out) as written:
        todo = run.open_photos(folder.find(photos).photos, written.past.records, asker.version)
        progress = Progress(len(todo), io.StringIO())
        run.ask_all(photos, todo, asker, written, progress, jobs)
    return len(todo)


def past(out):
    with Journal(out) as written:
        return written.past


def test_every_photo_has_a_record_and_a_damaged_one_its_reason(photos, tmp_path):
    asker = ByHand(items=3)
    assert go(photos, tmp_path / "out", asker) == 6
    found = {record.name: record for record in past(tmp_path / "out").records.values()}
    assert len(found) == 6
    assert found["deep/damaged.jpg"].error == "is cut off or damaged"
    assert found["a.jpg"].species == "zebra"
    assert asker.asked == 5


def test_a_second_run_asks_for_nothing_that_is_done(photos, tmp_path):
    go(photos, tmp_path / "out", ByHand())
    again = ByHand()
    assert go(photos, tmp_path / "out", again) == 0
    assert again.asked == 0


@pytest.mark.parametrize("change", ["content", "version", "new"])
def test_what_changed_is_asked_again(photos, tmp_path, make_photo, change):
    go(photos, tmp_path / "out", ByHand())
    asker = ByHand()
    if change == "content":
        make_photo(photos / "a.jpg", size=(99, 77))
    elif change == "new":
        make_photo(photos / "new.jpg")
    else:
        asker.version = "v2"
    assert go(photos, tmp_path / "out", asker) == {"version": 5}.get(change, 1)


def test_a_fault_that_may_pass_is_asked_again_and_one_that_stays_is_not(photos, tmp_path, fault):
    reasons = iter([fault("busy", False), fault("no animal of ours", True)])
    asker = ByHand(lambda number, photo: next(reasons, ANSWER))
    go(photos, tmp_path / "out", asker, jobs=1)
    assert go(photos, tmp_path / "out", ByHand()) == 1


def test_a_stopped_run_keeps_what_came_before(photos, tmp_path):
    def answer(number, photo):
        if number > 2:
            raise Stopped("the stack is gone")
        return ANSWER

    asker = ByHand(answer)
    with pytest.raises(Stopped, match="the stack is gone"):
        go(photos, tmp_path / "out", asker, jobs=1)
    assert asker.stopped
    good = [r for r in past(tmp_path / "out").records.values() if r.error is None]
    assert len(good) == 2
    assert go(photos, tmp_path / "out", ByHand()) in (3, 4)  # the damaged one may be done


def test_an_interrupt_keeps_what_came_before(photos, tmp_path, monkeypatch):
    kept = []

    def keep(future, *more, real=run._keep):
        if len(kept) == 2:
            raise KeyboardInterrupt
        kept.append(future)
        real(future, *more)

    monkeypatch.setattr(run, "_keep", keep)
    with pytest.raises(KeyboardInterrupt):
        go(photos, tmp_path / "out", ByHand(), jobs=1)
    assert len(past(tmp_path / "out").records) == 2


def test_the_line_that_a_killed_run_did_not_finish_is_dropped(photos, tmp_path):
    go(photos, tmp_path / "out", ByHand())
    path = tmp_path / "out" / journal.FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    assert len(past(tmp_path / "out").records) == 2
    assert go(photos, tmp_path / "out", ByHand()) == 4
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_journal_that_is_damaged_inside_is_one_line(tmp_path, photos):
    go(photos, tmp_path / "out", ByHand())
    path = tmp_path / "out" / journal.FILE
    path.write_text(path.read_text().replace('"predictions"', '"predictable"', 1))
    with pytest.raises(ValueError, match="line 2 is damaged"):
        Journal(tmp_path / "out")


def test_two_runs_do_not_write_to_one_journal(tmp_path):
    with Journal(tmp_path), pytest.raises(ValueError, match="another run writes to it"):
        Journal(tmp_path)


def test_the_progress_line_tells_rate_failures_and_time_left():
    now = iter([0.0, *[20.0] * 9])
    out = io.StringIO()
    progress = Progress(400, out, lambda: next(now))
    progress.add(100, 3)
    assert out.getvalue() == "100 of 400 photos, 5.0 per s, 3 without an answer, 60 s left\n"
