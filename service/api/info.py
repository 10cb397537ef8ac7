"""Answers that no model is run for: health, and what the models are."""

import orjson

from service import contract
from service.api import schemas
from service.api.messages import Request, Response
from service.fleet import Fleet, Served

_CARD_KEYS = ("created_at", "data", "metrics", "bars", "licence", "limits")
_ALIVE = orjson.dumps({"status": "alive"})


class Info:
    """Health and descriptions.

    Attributes:
        stopping: whether the process was told to end.
    """

    def __init__(self, fleet: Fleet, release: str) -> None:
        """Tells of these models."""
        self.stopping = False
        self._fleet = fleet
        self._release = release
        self._header = (contract.RELEASE_HEADER.lower().encode(), release.encode())

    async def livez(self, request: Request) -> Response:
        """Whether the process answers."""
        return Response(200, _ALIVE)

    async def readyz(self, request: Request) -> Response:
        """Whether every model is loaded and gave its golden answers, and the process goes on."""
        reasons = list(self._fleet.reasons.values())
        if self.stopping:
            reasons.append("the process is stopping")
        json_header = (b"content-type", contract.JSON_TYPE.encode())
        if reasons:
            not_ready = {"status": "not ready", "release": self._release, "reasons": reasons}
            retry = (b"retry-after", str(contract.RETRY_AFTER_S).encode())
            return Response(503, orjson.dumps(not_ready), (json_header, self._header, retry))
        models = {
            name: {
                "version": served.model.version,
                "runtime": served.model.runtime.name,
                "device": served.model.runtime.device,
            }
            for name, served in self._fleet.served.items()
        }
        ready = {"status": "ready", "release": self._release, "models": models}
        return Response(200, orjson.dumps(ready), (json_header, self._header))

    async def models(self, request: Request) -> Response:
        """What each model takes and gives, and what its card says."""
        document = {
            "release": self._release,
            "models": [_describe(served) for served in self._fleet.served.values()],
            "not_ready": list(self._fleet.reasons),
        }
        return Response(200, orjson.dumps(document))


def _describe(served: Served) -> dict[str, object]:
    model = served.model
    spec = model.spec
    return {
        "name": spec.name,
        "title": spec.title,
        "summary": spec.summary,
        "version": model.version,
        "runtime": model.runtime.name,
        "device": model.runtime.device,
        "input": schemas.takes(spec),
        "answer": schemas.own_answer(spec),
        **{key: model.card[key] for key in _CARD_KEYS if key in model.card},
    }
