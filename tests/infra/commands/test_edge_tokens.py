"""The rate limit per token under a real HAProxy: what counts, what does not, and for whom."""

import base64
import http.client
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]
LIMIT = {"requests": 3, "period_s": 600}


@pytest.fixture(scope="module")
def one_for_all(start_once: Start) -> Any:
    """An edge that lets a token be used three times."""
    return start_once(rate_limit=LIMIT)


@pytest.fixture
def limited(one_for_all: Any) -> Any:
    """The same, its stand-ins having seen nothing and refusing nobody."""
    one_for_all.forget()
    for replica in one_for_all.replicas:
        replica.refuses = set()
    return one_for_all


def token(scope: str) -> str:
    """A new token as the edge sees it: what it says of itself, and an unchecked signature."""

    def part(value: dict[str, str]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    name = uuid.uuid4().hex
    return f"{part({'alg': 'EdDSA', 'kid': 'k'})}.{part({'scope': scope, 'sub': name})}.c2lnbmVk"


def ask(port: int, *authorizations: str, path: str = "/v1/energy/predict") -> Any:
    """One request; the answer, read."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.putrequest("POST", path)
    for value in authorizations:
        client.putheader("Authorization", value)
    client.putheader("Content-Length", "2")
    client.endheaders(b"{}")
    answer = client.getresponse()
    answer.told = answer.read()  # type: ignore[attr-defined]
    client.close()
    return answer


def statuses(port: int, authorization: str, count: int, **more: Any) -> list[int]:
    return [ask(port, authorization, **more).status for _ in range(count)]


def test_a_token_beyond_its_limit_is_told_when_to_come_back(limited: Any) -> None:
    mine = f"Bearer {token('predict')}"

    assert statuses(limited.port, mine, 3) == [200, 200, 200]
    refused = ask(limited.port, mine)

    told = json.loads(refused.told)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "600")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert told["detail"] == "This token may be used 3 times in 600 seconds."
    assert told["request_id"]
    assert sum(r.asked for r in limited.replicas) == 3


def test_another_token_has_a_limit_of_its_own(limited: Any) -> None:
    statuses(limited.port, f"Bearer {token('predict')}", 5)

    assert statuses(limited.port, f"Bearer {token('predict')}", 4) == [200, 200, 200, 429]


@pytest.mark.parametrize(
    "spelling",
    ["bearer {}", "BEARER {}", "Bearer   {}", "Bearer {}  "],
    ids=["small letters", "capitals", "blanks between", "blanks after"],
)
def test_another_spelling_of_the_header_is_the_same_token(limited: Any, spelling: str) -> None:
    mine = token("predict")
    statuses(limited.port, f"Bearer {mine}", 3)

    assert ask(limited.port, spelling.format(mine)).status == 429


@pytest.mark.parametrize("path", ["/v1/models", "/%76%31/energy/predict", "//v1/x", "/"])
def test_whatever_the_path_the_token_is_counted(limited: Any, path: str) -> None:

    assert statuses(limited.port, f"Bearer {token('predict')}", 4, path=path)[-1] == 429


def test_two_tokens_in_one_request_are_refused(limited: Any) -> None:

    answer = ask(limited.port, f"Bearer {token('predict')}", "Bearer made.up.now")

    assert answer.status == 400
    assert [r.asked for r in limited.replicas] == [0, 0]


@pytest.mark.parametrize("scope", ["gate", "predict gate", "gate predict"])
def test_a_token_with_the_scope_gate_has_no_limit(limited: Any, scope: str) -> None:

    assert statuses(limited.port, f"Bearer {token(scope)}", 8) == [200] * 8


@pytest.mark.parametrize("scope", ["gateway", "predict:gate", "investigate", "Gate", ""])
def test_a_scope_that_only_looks_like_it_is_limited(limited: Any, scope: str) -> None:

    assert statuses(limited.port, f"Bearer {token(scope)}", 4) == [200, 200, 200, 429]


def test_tokens_that_the_replicas_refuse_are_neither_counted_nor_remembered(limited: Any) -> None:
    made_up = [token("predict") for _ in range(5)]
    for replica in limited.replicas:
        replica.refuses = set(made_up)

    for one in made_up:
        assert statuses(limited.port, f"Bearer {one}", 6) == [401] * 6


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "x"])
def test_what_has_no_token_is_not_counted(limited: Any, value: str) -> None:

    assert statuses(limited.port, value, 6) == [200] * 6


@pytest.mark.parametrize(
    "value", ["Bearer x", "Basic dTpw", "Bearer a.b", "Bearer .e30.", "B \xff"]
)
def test_what_is_no_token_of_ours_is_left_to_the_replicas(limited: Any, value: str) -> None:

    assert ask(limited.port, value).status == 200


def test_without_a_token_and_without_a_limit_nothing_is_counted(start: Start, limited: Any) -> None:
    free = start()

    assert [ask(limited.port, path="/livez").status for _ in range(6)] == [200] * 6
    assert statuses(free.port, f"Bearer {token('predict')}", 6) == [200] * 6


def test_a_limit_holds_again_after_its_period(start: Start) -> None:
    proxy = start(rate_limit={"requests": 2, "period_s": 1})
    mine = f"Bearer {token('predict')}"

    seen = [200]
    for _ in range(2000):  # asks until it was refused, and then until it is allowed again
        seen.append(ask(proxy.port, mine).status)
        if seen[-2:] == [429, 200]:
            break

    assert seen[-2:] == [429, 200]
