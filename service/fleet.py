"""The models of one process: loads them, queues their items, and says whether they are ready."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bentos.spec import ModelSpec
from service import models
from service.batching import Batcher
from service.models import Answer, Model, Prepared
from service.proof import QUICK_ITEMS
from service.runtimes.choice import Choice
from service.shares import Shares
from service.telemetry import LOGGER, Metrics

_log = logging.getLogger(f"{LOGGER}.models")


@dataclass(frozen=True)
class Served:
    """A model that answers, and who holds how many places of its queue."""

    model: Model
    batcher: Batcher[Prepared, Answer]
    shares: Shares = field(default_factory=Shares)


class Fleet:
    """Loads every model once, at start; one that fails does not keep the others from serving.

    Attributes:
        specs: by name, of the models that this process was told to serve.
        served: by name, of those that are loaded and gave their golden answers.
        reasons: by name, why one does not serve.
        settled: whether each was loaded, or failed to be.
    """

    def __init__(
        self,
        specs: Iterable[ModelSpec],
        *,
        find: Callable[[str], Path],
        code: Callable[[str], Any],
        choice: Choice,
        metrics: Metrics,
    ) -> None:
        """Loads nothing yet.

        Args:
            specs: of the models to serve.
            find: name to folder; ValueError where there is none.
            code: name to the model's `Features`.
            choice: of each model's runtime.
            metrics: that runs and queues are counted in.
        """
        self.specs: Mapping[str, ModelSpec] = {spec.name: spec for spec in specs}
        self.served: dict[str, Served] = {}
        self.reasons: dict[str, str] = {name: f"{name}: is being loaded" for name in self.specs}
        self.settled = False
        self._find = find
        self._code = code
        self._choice = choice
        self._metrics = metrics

    async def load(self) -> None:
        """Loads the models one after another, in a thread: the process answers meanwhile."""
        for spec in self.specs.values():
            try:
                model = await _in_thread(self._load, spec)
            except ValueError as error:
                _log.error("not ready: %s", error)
                self.reasons[spec.name] = str(error)
            except Exception as error:  # a model's own code may raise anything; the rest must serve
                _log.exception("not ready: %s", spec.name)
                self.reasons[spec.name] = f"{spec.name}: {type(error).__name__}: {error}"
            else:
                self._serve(model)
        self.settled = True

    def marks(self) -> dict[str, object]:
        """Of the runs in progress, for a watchdog."""
        served = list(self.served.items())  # models may come while another thread reads
        return {f"model {name}": s.batcher.mark for name, s in served if s.batcher.mark % 2}

    def close(self) -> None:
        """Ends the models' threads."""
        for served in self.served.values():
            served.batcher.close()

    def _load(self, spec: ModelSpec) -> Model:
        return models.load(spec, self._find(spec.name), self._code(spec.name), self._choice)

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
        self._metrics.loaded(spec.name, model.version, runtime.name, runtime.device, model.rates)
        self.served[spec.name] = Served(model, batcher)
        del self.reasons[spec.name]
        _log.info("ready: %s:%s on %s (%s)", spec.name, model.version, runtime.name, runtime.device)


async def _in_thread(load: Callable[[ModelSpec], Model], spec: ModelSpec) -> Model:
    """As `asyncio.to_thread`, but the process can end meanwhile."""
    future: Future[Model] = Future()
    future.set_running_or_notify_cancel()  # it cannot be cancelled
    thread = threading.Thread(target=_settle, args=(future, load, spec), name="load", daemon=True)
    thread.start()
    return await asyncio.wrap_future(future)


def _settle(future: "Future[Model]", load: Callable[[ModelSpec], Model], spec: ModelSpec) -> None:
    try:
        future.set_result(load(spec))
    except Exception as error:
        future.set_exception(error)
    except BaseException as error:  # a model's code that wants to end the process
        future.set_exception(RuntimeError(repr(error)))
