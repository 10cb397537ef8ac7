"""Users that ask one after another while a test does something else, and what became of each."""

import dataclasses
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from bentos import catalog
from service import contract

LOST = 0
"""Stands for the status of a request that got no answer."""


def example(model: str, change: dict[str, float] | None = None) -> contract.ExampleRequest:
    """A request for a model; `change` changes fields of a table's row."""
    made = contract.example_request(catalog.MODELS[model])
    if not change:
        return made
    return dataclasses.replace(made, body=json.dumps({**json.loads(made.body), **change}).encode())


def post(
    url: str, token: str | None, model: str = "energy", change: dict[str, float] | None = None
) -> tuple[int, dict[str, object]]:
    """One prediction: its status (0: no answer) and body."""
    asked = example(model, change)
    headers = {"Content-Type": asked.content_type}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{url}{asked.path}", asked.body, headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=15) as reply:  # noqa: S310 - loopback
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read() or b"{}")
    except OSError as e:
        return LOST, {"error": str(e)}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What became of one request.

    Attributes:
        at: when it was sent, seconds of `time.time()`.
        status: `LOST` where there was no answer; then `why` says what was seen.
    """

    at: float
    ms: float
    status: int
    release: str
    why: str = ""


class Crowd:
    """Users on connections that they keep, and users with a new connection for each request."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        kept: int = 0,
        fresh: int = 0,
        pause_s: float = 0.02,
        models: tuple[str, ...] = ("energy",),
        asked: Sequence[contract.ExampleRequest] = (),
    ) -> None:
        """Nobody asks yet.

        Args:
            kept, fresh: users of either kind.
            pause_s: of each user after each answer.
            asked: what they ask by turns; empty: an example for each of `models`.
        """
        self._host = urlsplit(url).netloc
        self._token = token
        self._pause_s = pause_s
        self._asked = list(asked) or [example(model) for model in models]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answers: list[Answer] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(keeps, number))
            for number, keeps in enumerate([True] * kept + [False] * fresh)
        ]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def renew(self, token: str) -> None:
        """From now on every user shows another token."""
        self._token = token

    @property
    def statuses(self) -> Counter[int]:
        """How many answers had each status."""
        with self._lock:
            return Counter(a.status for a in self.answers)

    @property
    def releases(self) -> Counter[str]:
        """How many answers each release gave."""
        with self._lock:
            return Counter(a.release for a in self.answers if a.release)

    @property
    def lost(self) -> list[str]:
        """What was seen in place of each answer that did not come."""
        with self._lock:
            return [a.why for a in self.answers if a.status == LOST]

    def wait_for(self, is_so: Callable[["Crowd"], bool], timeout_s: float = 30) -> None:
        """Until it is so, or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not is_so(self) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _ask(self, keeps: bool, number: int) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=20)
        count = number
        while not self._stop.wait(self._pause_s):
            count += 1
            answer = self._one(connection, self._asked[count % len(self._asked)])
            with self._lock:
                self.answers.append(answer)
            if not keeps or answer.status == LOST:
                connection.close()
        connection.close()

    def _one(
        self, connection: http.client.HTTPConnection, asked: contract.ExampleRequest
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": asked.content_type}
        at, clock = time.time(), time.perf_counter()
        try:
            connection.request("POST", asked.path, asked.body, headers)
            reply = connection.getresponse()
            body = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as e:
            return Answer(at, _since_ms(clock), LOST, "", f"{type(e).__name__}: {e}")
        return Answer(at, _since_ms(clock), reply.status, str(body.get("release", "")))


def _since_ms(clock: float) -> float:
    return (time.perf_counter() - clock) * 1000
