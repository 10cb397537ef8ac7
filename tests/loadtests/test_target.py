"""Whether a load test may begin."""

import socket
import ssl
from typing import Any

import pytest

from bentos.catalog import MODELS
from loadtests import target
from loadtests.target import TargetError


def test_a_ready_target_names_its_models(stand_in: Any) -> None:
    assert target.ready_models(stand_in.url, "r1") == tuple(MODELS)
    assert target.ready_models(stand_in.url) == tuple(MODELS)


def test_a_token_that_is_taken_is_fine(stand_in: Any) -> None:
    stand_in.needs_token = True
    target.check_token(stand_in.url, "good")


def test_a_target_that_asks_for_no_token_is_fine(stand_in: Any) -> None:
    target.check_token(stand_in.url, None)


def refused(message: str, ask: Any, *arguments: object) -> None:
    with pytest.raises(TargetError) as caught:
        ask(*arguments)
    assert str(caught.value) == message


def test_another_release_is_refused(stand_in: Any) -> None:
    refused(
        f"{stand_in.url}: runs another release (got r1, asked for r2). Check the address.",
        target.ready_models,
        stand_in.url,
        "r2",
    )


def test_a_target_that_is_not_ready_is_refused_with_its_reasons(stand_in: Any) -> None:
    stand_in.status = 503
    refused(
        f"{stand_in.url}: is not ready (status 503). Look at its log.",
        target.ready_models,
        stand_in.url,
    )
    stand_in.reasons = ["energy: golden answer 3 differs", "wildlife: loading"]
    refused(
        f"{stand_in.url}: is not ready (energy: golden answer 3 differs; wildlife: loading). "
        "Look at its log.",
        target.ready_models,
        stand_in.url,
    )


def test_a_token_that_is_refused_or_missing_is_told_apart_and_never_shown(stand_in: Any) -> None:
    stand_in.needs_token = True
    refused(
        f"{stand_in.url}: the token is refused (status 401). Give one that its key set knows.",
        target.check_token,
        stand_in.url,
        "bad",
    )
    refused(
        f"{stand_in.url}: no token was given (status 401). Give one that its key set knows.",
        target.check_token,
        stand_in.url,
        None,
    )


def test_a_port_that_nobody_listens_on_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    refused(
        f"{url}: cannot be reached ([Errno 111] Connection refused). Check that it runs.",
        target.ready_models,
        url,
    )


def test_a_certificate_that_nobody_trusts_is_told_with_how_to_trust_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def untrusted(*_: object, **__: object) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(target.HTTPSConnection, "request", untrusted)
    refused(
        "https://192.0.2.11:8443: its certificate is not trusted (self-signed certificate). Name "
        "the one to trust in SSL_CERT_FILE; `make certificates` prints self-signed ones.",
        target.ready_models,
        "https://192.0.2.11:8443",
    )


def test_a_port_that_never_answers_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        refused(
            f"{url}: cannot be reached (timed out). Check that it runs.", target.ready_models, url
        )
