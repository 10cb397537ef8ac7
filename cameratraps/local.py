"""Asks the model on this machine, with the service's own code for loading and checking."""

import importlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from bentos.catalog import MODELS
from cameratraps.asking import MODEL, Answer, Answers, Fault, Stopped
from service import models
from service.api.problems import ProblemError
from service.runtimes.choice import Choice

ROOT = Path(__file__).resolve().parents[1]


class Local:
    """The published model, loaded into this process."""

    items = 4
    where = "local"

    def __init__(self, threads: int) -> None:
        """Loads it and compares its golden answers.

        Args:
            threads: for one run of the model.

        Raises:
            Stopped: there is none, or it is broken.
        """
        self.spec = MODELS[MODEL]
        try:
            folder = models.folder(models.models_dir(os.environ, ROOT), MODEL)
            code = importlib.import_module(f"bentos.{MODEL}.features")
            self._model = models.load(self.spec, folder, code, Choice(threads=threads))
        except ValueError as error:
            raise Stopped(str(error)) from error
        self.version = self._model.version
        self._turn = threading.Lock()  # a model runs in one thread at a time

    def ask(self, photos: Sequence[bytes]) -> Answers:
        """As `Asker.ask`: decodes beside other threads, and runs the model in turn with them."""
        return Answers(version=self.version, items=[self._one(photo) for photo in photos])

    def stop(self) -> None:
        """Nothing here waits."""

    def close(self) -> None:
        """Nothing here is held."""

    def _one(self, photo: bytes) -> Answer | Fault:
        try:
            prepared = self._model.prepare(photo)
        except ProblemError as problem:
            return Fault(problem.detail, final=True)
        with self._turn:
            (answer,) = self._model.run([prepared])
        return Fault(str(answer), final=False) if isinstance(answer, Exception) else answer
