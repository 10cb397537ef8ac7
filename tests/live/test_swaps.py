"""Releases swapped under many users, on kept and on fresh connections: exact counts."""

import http.client
import json
import threading
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from bentos.catalog import MODELS
from service import contract

if TYPE_CHECKING:
    from conftest import LiveStack

pytestmark = pytest.mark.live

SWAPS = 4
USERS = 16
EXAMPLE = contract.example_request(MODELS["energy"])


class Crowd:
    """`USERS` users that keep their connection, and as many with a new one for each request."""

    def __init__(self, url: str, token: str) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": EXAMPLE.content_type,
        }
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answers: Counter[int] = Counter()
        self.lost: list[str] = []
        self.releases: set[str] = set()
        self._threads = [
            threading.Thread(target=self._ask, args=(keeps,))
            for keeps in (True, False)
            for _ in range(USERS)
        ]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keeps: bool) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=20)
        while not self._stop.wait(0.1):
            try:
                connection.request("POST", EXAMPLE.path, EXAMPLE.body, self._headers)
                reply = connection.getresponse()
                body = json.loads(reply.read())
            except (OSError, http.client.HTTPException) as e:
                with self._lock:
                    self.lost.append(f"{type(e).__name__}: {e}")
                connection.close()
                continue
            with self._lock:
                self.answers[reply.status] += 1
                self.releases.add(str(body.get("release")))
            if not keeps:
                connection.close()
        connection.close()


def test_no_request_is_lost_while_releases_are_swapped(stack: "LiveStack") -> None:
    stack.change(slo={"latency_p95_ms": 5000}, service={"docs": True, "threads": 1})
    assert stack.up().returncode == 0
    releases = {stack.output("release")}

    with Crowd(stack.url, stack.token()) as crowd:
        for swap in range(SWAPS):
            stack.change(service={"docs": swap % 2 == 1})
            done = stack.up()
            assert done.returncode == 0, done.stdout
            releases.add(stack.output("release"))

    assert crowd.lost == []
    assert set(crowd.answers) == {200}
    assert crowd.releases == releases
    assert len(releases) == 2
    assert crowd.answers[200] > SWAPS * USERS
