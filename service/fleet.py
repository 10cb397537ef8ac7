"""The models of one process: loads them, queues their items, and says whether they are ready."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bentos.spec import ModelSpec
from service import models
from service.batching import Batcher
from service.models import QUICK_ITEMS, Answer, Model, Prepared
from service.telemetry import LOGGER, Metrics

_log = logging.getLogger(f"{LOGGER}.models")


@dataclass(frozen=True)
class Served:
    """A model that answers."""

    model: Model
    batcher: Batcher[Prepared, Answer]


class Fleet:
    """Loads every model once, at start; one that fails does not keep the others from serving.

    Attributes:
        specs: by name, of the models that this process was told to serve.
        served: by name, of those that are loaded and gave their golden answers.
        reasons: by name, why one does not serve.
    """

    def __init__(
        self,
        specs: Iterable[ModelSpec],
        *,
        find: Callable[[str], Path],
        code: Callable[[str], Any],
        threads: int,
        metrics: Metrics,
    ) -> None:
        """Loads nothing yet.

        Args:
            specs: of the models to serve.
            find: name to folder; ValueError where there is none.
            code: name to the model's `Features`.
            threads: of each runtime.
            metrics: that runs and queues are counted in.
        """
        self.specs: Mapping[str, ModelSpec] = {spec.name: spec for spec in specs}
        self.served: dict[str, Served] = {}
        self.reasons: dict[str, str] = {name: f"{name}: is being loaded" for name in self.specs}
        self._find = find
        self._code = code
        self._threads = threads
        self._metrics = metrics

    async def load(self) -> None:
        """Loads the models one after another, in a thread: the process answers meanwhile."""
        loop = asyncio.get_running_loop()
        for spec in self.specs.values():
            try:
                model = await loop.run_in_executor(None, self._load, spec)
            except ValueError as error:
                _log.error("not ready: %s", error)
                self.reasons[spec.name] = str(error)
            except Exception as error:  # a model's own code may raise anything; the rest must serve
                _log.exception("not ready: %s", spec.name)
                self.reasons[spec.name] = f"{spec.name}: {type(error).__name__}: {error}"
            else:
                self._serve(model)

    def close(self) -> None:
        """Ends the models' threads."""
        for served in self.served.values():
            served.batcher.close()

    def _load(self, spec: ModelSpec) -> Model:
        return models.load(spec, self._find(spec.name), self._code(spec.name), self._threads)

    def _serve(self, model: Model) -> None:
        spec, runtime = model.spec, model.runtime
        model.count = self._metrics.runs(spec.name, runtime.name, runtime.device)
        batcher = Batcher[Prepared, Answer](
            spec.name,
            model.run,
            max_batch=min(model.max_batch, QUICK_ITEMS) if model.quick else model.max_batch,
            queue_items=spec.queue_items,
            in_loop=model.quick,
        )
        self._metrics.queue(spec.name, lambda: batcher.depth)
        self._metrics.loaded(spec.name, model.version, runtime.name, runtime.device)
        self.served[spec.name] = Served(model, batcher)
        del self.reasons[spec.name]
        _log.info("ready: %s:%s on %s (%s)", spec.name, model.version, runtime.name, runtime.device)
