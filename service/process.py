"""Puts one service process together from its settings, and starts and stops its parts."""

import asyncio
import importlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bentos.spec import ModelSpec
from service import contract, models
from service.api.application import Application
from service.auth import Auth
from service.fleet import Fleet
from service.inner import InnerServer
from service.keys import KeySet
from service.runtimes.choice import Choice
from service.settings import Settings
from service.telemetry import LOGGER, Metrics, RequestLog

ROOT = Path(__file__).resolve().parents[1]

_log = logging.getLogger(LOGGER)


class Process:
    """What answers on the outer port, and what works behind it.

    Attributes:
        application: the ASGI application.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Mapping[str, ModelSpec],
        environ: Mapping[str, str] = os.environ,
        code: Callable[[str], Any] | None = None,
    ) -> None:
        """Loads nothing and listens nowhere yet.

        Args:
            settings: of this process.
            catalog: all models that there are.
            environ: for the model store's place.
            code: name to the model's `Features`; by default `bentos.<name>.features`.

        Raises:
            ValueError: the settings name a model that is not in the catalog.
        """
        self._settings = settings
        self._metrics = Metrics(settings.release)
        store, pins = models.models_dir(environ, ROOT), models.pins(ROOT)

        def find(name: str) -> Path:
            return models.folder(store, name, pins.get(name))

        self._fleet = Fleet(
            _chosen(settings, catalog),
            find=find,
            code=code or _features,
            choice=Choice(
                accelerator=settings.accelerator,
                software=settings.software_device,
                threads=settings.threads,
                find=find,
            ),
            metrics=self._metrics,
        )
        self._keys = KeySet(settings.jwks) if settings.auth else None
        auth = Auth(self._keys, settings.audience, settings.issuer) if self._keys else None
        request_log = RequestLog(json_logs=settings.json_logs)
        self.application = Application(settings, self._fleet, auth, self._metrics, request_log)
        self._inner: InnerServer | None = None
        self._loading: asyncio.Task[None] | None = None

    async def open_inner(self, host: str) -> None:
        """Opens the inner port, if the settings want one.

        Args:
            host: its address where the settings name none.

        Raises:
            OSError: it cannot be had.
        """
        if self._settings.metrics_port:
            inner = InnerServer(self._metrics.scrape)
            await inner.start(self._settings.metrics_host or host, self._settings.metrics_port)
            self._inner = inner

    async def start(self, when_loaded: Callable[[], None] = lambda: None) -> None:
        """Begins to load the models; health answers meanwhile.

        Args:
            when_loaded: is called once, when there is nothing more to load.
        """
        if self._keys is None:
            _log.warning("%s=off: whoever reaches this port may call /v1.", contract.ENV_AUTH)
        else:
            self._keys.current()
        self._loading = asyncio.create_task(self._load(when_loaded))

    async def stop(self) -> None:
        """Ends what `start` began; requests are over by now."""
        if self._loading is not None:
            self._loading.cancel()
        if self._inner is not None:
            await self._inner.stop()
        self._fleet.close()
        self.application.close()

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to load."""
        return self._fleet.settled

    def marks(self) -> dict[str, object]:
        """Of what is at work in threads, for a watchdog."""
        return {**self._fleet.marks(), **self.application.predictor.marks()}

    async def _load(self, when_loaded: Callable[[], None]) -> None:
        await self._fleet.load()
        when_loaded()


def _chosen(settings: Settings, catalog: Mapping[str, ModelSpec]) -> list[ModelSpec]:
    unknown = [name for name in settings.models if name not in catalog]
    if unknown:
        raise ValueError(
            f"{contract.ENV_MODELS}: no such model: {', '.join(unknown)}. "
            f"There are {', '.join(catalog)}."
        )
    return [catalog[name] for name in settings.models or catalog]


def _features(name: str) -> Any:
    return importlib.import_module(f"bentos.{name}.features")
