"""The edge under a real HAProxy: a request whose replica dies goes to another one."""

import http.client
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = b"x" * 100


def post(port: int, pause_s: float) -> tuple[int, bytes]:
    """One request whose body comes `pause_s` after its head; status 0: no answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.putrequest("POST", "/v1/energy/predict")
        client.putheader("Content-Length", str(len(BODY)))
        client.endheaders()
        time.sleep(pause_s)
        client.send(BODY)
        reply = client.getresponse()
        return reply.status, reply.read()
    except (OSError, http.client.HTTPException) as e:
        return 0, str(e).encode()
    finally:
        client.close()


@pytest.mark.parametrize("pause_s", [0, 0.1])
def test_a_request_whose_replica_breaks_off_is_answered_by_the_other(
    start: "Callable[..., Any]", pause_s: float
) -> None:
    proxy = start()
    proxy.replicas[0].breaks_off = True

    answers = [post(proxy.port, pause_s) for _ in range(10)]

    assert {status for status, _ in answers} == {200}
    assert proxy.replicas[0].asked > 0
