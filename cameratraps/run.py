"""Asks for every photo that has no answer yet, several batches at a time."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bentos.spec import Photo
from cameratraps import folder as files
from cameratraps import pictures, records
from cameratraps.asking import Answer, Asker, Fault, Stopped
from cameratraps.folder import PhotoFile
from cameratraps.journal import Journal
from cameratraps.progress import Progress
from cameratraps.records import Record
from service import contract

_WAITING = 2  # batches per thread, so that none waits for the journal


@dataclass(frozen=True)
class _Sent:
    """A photo that goes to the model."""

    photo: PhotoFile
    ready: pictures.Ready


def open_photos(
    photos: Sequence[PhotoFile], past: dict[records.Key, Record], version: str
) -> list[PhotoFile]:
    """The photos without a final record of this version of the model."""

    def is_open(photo: PhotoFile) -> bool:
        record = past.get(records.key(photo))
        return record is None or not record.final or record.version not in ("", version)

    return [photo for photo in photos if is_open(photo)]


def ask_all(
    folder: Path,
    photos: Sequence[PhotoFile],
    asker: Asker,
    journal: Journal,
    progress: Progress,
    jobs: int,
) -> None:
    """Asks for all `photos`, and writes what comes into the journal as it comes.

    Raises:
        Stopped: the model gives no more answers.
        KeyboardInterrupt: the user stops; what was in flight and came is in the journal.
    """
    stopping = threading.Event()
    work = _work(folder, photos, asker, stopping)
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="photos")
    flying = {pool.submit(each) for each in islice(work, jobs * _WAITING)}
    try:
        while flying:
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                flying.remove(future)  # first: where one fails, the others are kept below
                _keep(future, journal, progress)
            flying |= {pool.submit(each) for each in islice(work, len(done))}
    except BaseException:
        stopping.set()
        asker.stop()
        pool.shutdown(cancel_futures=True)
        for future in flying:
            if not future.cancelled() and future.exception() is None:
                _keep(future, journal, progress)
        raise
    finally:
        pool.shutdown()
        journal.end(progress.done, progress.duration_s)


class _Batch:
    """One request: reads its photos, asks, and makes their records."""

    def __init__(
        self, folder: Path, photos: list[PhotoFile], asker: Asker, stopping: threading.Event
    ) -> None:
        self._folder, self._photos = folder, photos
        self._asker, self._stopping = asker, stopping

    def __call__(self) -> list[Record]:
        if self._stopping.is_set():
            raise Stopped("stopped")
        sent: list[_Sent] = []
        made: list[Record] = []
        for photo in self._photos:
            try:
                sent.append(self._make_ready(photo))
            except _Unread as error:
                made.append(Record(**vars(photo), error=str(error), final=error.final))
        return [*made, *self._ask(sent)] if sent else made

    def _make_ready(self, photo: PhotoFile) -> _Sent:
        try:
            data = files.read(self._folder, photo)
        except ValueError as error:
            raise _Unread(str(error), final=False) from error
        try:
            return _Sent(photo, pictures.make_ready(data, takes(self._asker)))
        except ValueError as error:
            raise _Unread(str(error), final=True) from error

    def _ask(self, sent: Sequence[_Sent]) -> Iterator[Record]:
        answers = self._asker.ask([each.ready.data for each in sent])
        for each, item in zip(sent, answers.items, strict=True):
            yield _record(each, item, answers.version)


class _Unread(Exception):
    """A photo that cannot be sent."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


def takes(asker: Asker) -> Photo:
    """What photos the model takes."""
    assert isinstance(asker.spec.takes, Photo)  # noqa: S101  the model is ours
    return asker.spec.takes


def _work(
    folder: Path, photos: Sequence[PhotoFile], asker: Asker, stopping: threading.Event
) -> Iterator[_Batch]:
    limits = takes(asker)
    room = contract.body_limit_bytes(asker.spec, batch=True)
    room -= asker.items * contract.MULTIPART_OVERHEAD_BYTES
    for group in files.batches(photos, asker.items, room, limits.max_bytes):
        yield _Batch(folder, group, asker, stopping)


def _record(sent: _Sent, item: Answer | Fault, version: str) -> Record:
    more: dict[str, Any] = {"reduced": sent.ready.reduced, "thumbnail": sent.ready.thumbnail}
    if not isinstance(item, Fault):
        try:
            return records.answered(sent.photo, item, version, **more)
        except ValueError as error:
            item = Fault(str(error), final=False)
    about: dict[str, Any] = vars(sent.photo)
    return Record(**about, version=version, error=item.reason, final=item.final, **more)


def _keep(future: Future[list[Record]], journal: Journal, progress: Progress) -> None:
    found = future.result()
    journal.add(found)
    progress.add(len(found), sum(record.error is not None for record in found))
