"""Locust users that ask one model for predictions, made from the contract and the model's spec.

No per-model code: what differs between models stands in their specs. Importing Locust patches the
standard library for gevent, so only commands import this module.
"""

from collections.abc import Iterator
from typing import ClassVar

import gevent
from gevent import ssl
from geventhttpclient.client import HTTPClientPool
from locust import FastHttpUser

from bentos.spec import ModelSpec
from loadtests import answers
from loadtests.samples import NO_ANSWER, Fault
from service import contract

_ANY_STATUS = frozenset(range(100, 600))


class ModelUser(FastHttpUser):
    """Asks one model for predictions and checks the answers.

    Attributes:
        spec: the model's.
        requests: what the users of this class send, in turn.
        base_urls: where they send it, in turn; None: to Locust's own host.
        token: sent as bearer token; None sends none.
        release: that every answer must name; None takes any.
    """

    abstract = True
    insecure = False  # Locust's default takes any certificate
    spec: ClassVar[ModelSpec]
    requests: ClassVar[Iterator[contract.ExampleRequest]]
    base_urls: ClassVar[Iterator[str] | None] = None
    token: ClassVar[str | None] = None
    release: ClassVar[str | None] = None

    def on_start(self) -> None:
        """Takes error answers for answers.

        The client would make an exception of each, with a copy of the conversation and so of the
        token in it.
        """
        self.client.client.valid_response_codes = _ANY_STATUS  # type: ignore[misc]  # of this one

    def ask(self, timeout_s: float) -> Fault | None:
        """Asks for one prediction; what was wrong with the answer, None if nothing was."""
        request = next(self.requests)
        base_url = next(self.base_urls) if self.base_urls else ""
        with (
            gevent.Timeout(timeout_s),
            self.client.request(
                "POST",
                base_url + request.path,
                name=request.path,
                data=request.body,  # type: ignore[arg-type]  # bytes are sent as they are
                headers=self._headers(request),
                allow_redirects=False,
                catch_response=True,
            ) as response,
        ):
            error = response.request_meta["exception"]
            if error is not None:
                fault: Fault | None = Fault(NO_ANSWER, _cause(error))
            else:
                body = response.content or b""
                fault = answers.fault(self.spec, self.release, response.status_code, body)
            if fault:
                response.failure(fault.text)
        return fault

    def _headers(self, request: contract.ExampleRequest) -> dict[str, str]:
        headers = {"Content-Type": request.content_type, "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers


def user_class(base: type[ModelUser], spec: ModelSpec, **attributes: object) -> type[ModelUser]:
    """Users of the model of `spec` that behave like `base`."""
    name = f"{spec.name.title().replace('_', '')}User"
    return type(name, (base,), {"spec": spec, **attributes})


def shared_connections(timeout_s: float) -> HTTPClientPool:
    """Connections that all users share: the one used last is used next, so few stay open idle."""
    return HTTPClientPool(
        concurrency=1_000_000,  # the number of users is the bound
        connection_timeout=timeout_s,
        network_timeout=timeout_s,
        ssl_context_factory=ssl.create_default_context,
    )


def _cause(error: BaseException) -> str:
    error = getattr(error, "original", error)  # of an error that the client wraps, with the URL
    if isinstance(error, TimeoutError | gevent.Timeout):
        return "no answer in time"
    return answers.short(f"no answer: {error or type(error).__name__}")
