"""Asks a target whether a load test may begin: reached, ready, the right release, token taken."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLCertVerificationError
from urllib.parse import urlsplit

from loadtests.answers import short
from service import contract

TIMEOUT_S = 5.0


class TargetError(Exception):
    """A load test cannot begin; the message is one line."""


def ready_models(base_url: str, release: str | None = None) -> tuple[str, ...]:
    """Names of the models that the target says it serves.

    Args:
        base_url: scheme, host and port.
        release: that it must run; None takes any.

    Raises:
        TargetError: not reached, not ready, or another release.
    """
    status, headers, body = _get(base_url, contract.READYZ)
    told = _mapping(body)
    if status != 200:
        reasons = told.get("reasons")
        why = "; ".join(map(str, reasons)) if isinstance(reasons, list) else f"status {status}"
        raise TargetError(short(f"{base_url}: is not ready ({why}).") + " Look at its log.")
    got = headers.get(contract.RELEASE_HEADER.lower())
    if release is not None and got != release:
        msg = f"{base_url}: runs another release (got {got}, asked for {release})."
        raise TargetError(f"{short(msg)} Check the address.")
    models = told.get("models")
    return tuple(map(str, models)) if isinstance(models, Mapping) else ()


def check_token(base_url: str, token: str | None) -> None:
    """Makes sure that the target takes the token.

    Raises:
        TargetError: not reached, or the token is refused.
    """
    status, _, _ = _get(base_url, contract.MODELS, token)
    if status in (401, 403):
        held = "no token was given" if token is None else "the token is refused"
        msg = f"{base_url}: {held} (status {status}). Give one that its key set knows."
        raise TargetError(msg)


def _get(
    base_url: str, path: str, token: str | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    parts = urlsplit(base_url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, named, answer.read()
        finally:
            connection.close()
    except SSLCertVerificationError as error:
        msg = (
            f"{short(f'{base_url}: its certificate is not trusted ({error.verify_message}).')} "
            "Name the one to trust in SSL_CERT_FILE; `make certificates` prints self-signed ones."
        )
        raise TargetError(msg) from error
    except (OSError, HTTPException, ValueError) as error:
        why = str(error) or type(error).__name__
        msg = f"{short(f'{base_url}: cannot be reached ({why}).')} Check that it runs."
        raise TargetError(msg) from error


def _mapping(body: bytes) -> Mapping[str, object]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, Mapping) else {}
