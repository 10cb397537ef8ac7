"""The BentoML service: hands every request to our ASGI application. The rest lies in `service/`."""

import logging
import os
from typing import Any

import bentoml
from _bentoml_sdk import Service  # type: ignore[import-untyped]

from bentos.catalog import MODELS
from service import settings
from service.process import Process
from service.telemetry import LOGGER, configure_logs

_log = logging.getLogger(LOGGER)

_settings = settings.read(os.environ)
_process = Process(_settings, MODELS)


class OuterService(Service[Any]):  # type: ignore[misc]
    """Lets our application answer first: BentoML's own routes would come before a mounted one."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """HTTP goes to our application, start and end to BentoML's."""
        bento = super().to_asgi(is_main)

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await bento(scope, receive, send)
            else:
                await _process.application(scope, receive, send)

        return answer


@bentoml.service(name="bentofleet", service_class=OuterService, workers=1)
@bentoml.asgi_app(_process.application, path="/")
class Bentofleet:
    """Predictions of trained models over HTTP, as described at /docs."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Begins to load the models."""
        configure_logs(json_logs=_settings.json_logs, whole_process=False)
        try:
            await _process.open_inner("127.0.0.1")
        except OSError as error:  # somebody else's port must not keep a developer from serving
            _log.warning("no metrics: %s", error)
        await _process.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Ends the threads."""
        await _process.stop()
