"""The fast path: the same answers as the ordinary way gives, from fewer steps."""

import asyncio
import json

import pytest
from uvicorn.server import ServerState

from service import tokens
from service.fastpath import KnownHeads
from service.server import Server

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
VOLATILE = (b"x-request-id", b"content-length")


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 3000)})
        self.written = b""
        self.closed = False

    def write(self, data):
        self.written += data

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def get_write_buffer_size(self):
        return 0

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class Connection:
    """One connection of a service in this process, and what came back on it."""

    def __init__(self, server, loop):
        self.transport = Transport()
        self.state = server.server_state
        self.protocol = server.config.http_protocol_class(server.config, self.state, {}, loop)
        self.protocol.connection_made(self.transport)

    def send(self, data):
        self.protocol.data_received(data)
        self.had_task = bool(self.state.tasks)

    async def answers(self, count):
        """So many answers: status, headers, body."""
        for _ in range(2000):
            found = parsed(self.transport.written)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.001)
        return parsed(self.transport.written)


def parsed(data):
    """The answers in what came back."""
    answers = []
    data = data.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    while b"\r\n\r\n" in data:
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:])
        length = int(headers[b"content-length"])
        if len(rest) < length:
            break
        answers.append((int(lines[0].split()[1]), headers, rest[:length]))
        data = rest[length:]
    return answers


def request(row=ROW, path="/v1/adder/predict", method="POST", version="1.1", **headers):
    """The bytes of a request."""
    body = row if isinstance(row, bytes) else json.dumps(row).encode()
    named = {"content_type": "application/json", "content_length": len(body), **headers}
    lines = [f"{method} {path} HTTP/{version}", "Host: service"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
def served(start):
    """A service that asks for tokens, and the server in front of it."""
    return serving(start())


def serving(service):
    server = Server(service.process, 3, 10)
    server.config.load()
    server.server_state = ServerState()
    return server


@pytest.fixture
def talk(loop, served):
    """Sends pieces on one connection; gives the connection and its answers."""

    def talk_with(*pieces, count=None, server=served, pause=False):
        async def work():
            connection = Connection(server, asyncio.get_running_loop())
            for number, piece in enumerate(pieces, 1):
                connection.send(piece)
                if not pause:
                    await connection.answers(number if count is None else 0)
            return connection, await connection.answers(count or len(pieces))

        return loop.run(work())

    return talk_with


@pytest.fixture
def bearer(token_for):
    return {"authorization": f"Bearer {token_for()}"}


def steady(answer):
    """An answer without what differs each time."""
    status, headers, body = answer
    document = json.loads(body)
    for name in ("processing_time_ms", "request_id"):
        document.pop(name, None)
    return status, {k: v for k, v in headers.items() if k not in VOLATILE}, document


def test_a_row_is_answered_without_a_task(talk, bearer):
    connection, answers = talk(request(**bearer))
    status, headers, body = answers[0]
    assert status == 200
    assert json.loads(body)["sum"] == 5.5
    assert headers[b"content-type"] == b"application/json"
    assert not connection.had_task
    assert not connection.transport.closed


CASES = {
    "good": {},
    "out of range": {"row": {**ROW, "a": 1000}},
    "a field too many": {"row": {**ROW, "c": 1}},
    "a field missing": {"row": {"a": 1}},
    "not JSON": {"row": b"{"},
    "a key twice": {"row": b'{"when": "2017-07-14T14:30:00", "a": 1, "a": 2, "b": 2}'},
    "an escaped key": {"row": b'{"when": "2017-07-14T14:30:00", "\\u0061": 1, "b": 2}'},
    "no object": {"row": b"[1]"},
    "empty": {"row": b""},
    "another type": {"content_type": "text/plain"},
    "a charset": {"content_type": "application/json; charset=latin-1"},
    "no token": {"authorization": "Bearer x"},
    "no bearer": {"authorization": "Basic eDp5"},
    "the model fails": {"row": {**ROW, "a": 13}},
    "an infinite ratio": {"row": {**ROW, "b": 0}},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_both_ways_give_the_same_answer(talk, bearer, case):
    _, (fast,) = talk(request(**{**bearer, **case}))
    # A query string makes it no ordinary request; it takes the other way.
    connection, (ordinary,) = talk(request(path="/v1/adder/predict?x", **{**bearer, **case}))
    assert connection.had_task
    assert steady(fast) == steady(ordinary)


UNUSUAL = {
    "a chunked body": request(b"", transfer_encoding="chunked").replace(
        b"content-length: 0\r\n", b""
    )
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(json.dumps(ROW)), json.dumps(ROW).encode()),
    "HTTP/1.0": request(version="1.0"),
    "a connection that closes": request(connection="close"),
    "a body that is waited for": request(expect="100-continue"),
}


@pytest.mark.parametrize("data", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_goes_the_ordinary_way(talk, start, data):
    connection, answers = talk(data, server=serving(start(BENTOFLEET_AUTH="off")))
    assert connection.had_task
    assert answers[0][0] == 200


def test_a_known_head_is_answered_by_its_own_body(talk, bearer):
    rows = [{**ROW, "a": a} for a in (1.5, 2.5, 3.5, 13.0, 4.5)]
    _, answers = talk(*[request(row, **bearer) for row in rows])
    assert [status for status, _, _ in answers] == [200, 200, 200, 500, 200]
    sums = [json.loads(body).get("sum") for _, _, body in answers]
    assert sums == [3.5, 4.5, 5.5, None, 6.5]
    assert len({headers[b"x-request-id"] for _, headers, _ in answers}) == 5


def test_a_given_id_is_its_own_requests_alone(talk, bearer):
    def named(**more):
        return request(**bearer, **more)

    _, answers = talk(
        named(X_Request_ID="one"),
        named(X_Request_ID="two"),
        named(),
        named(x_request_id="three"),
        named(X_Request_ID="not an id"),
    )
    ids = [headers[b"x-request-id"] for _, headers, _ in answers]
    assert ids[:2] == [b"one", b"two"]
    assert ids[3] == b"three"
    assert len(set(ids)) == 5
    assert len(ids[2]) == len(ids[4]) == 32
    assert {status for status, _, _ in answers} == {200}


def test_requests_that_come_together_are_answered_in_order(talk, bearer):
    health = b"GET /livez HTTP/1.1\r\nHost: service\r\n\r\n"
    first, last = request({**ROW, "a": 1}, **bearer), request({**ROW, "a": 2}, **bearer)
    _, answers = talk(first + health + last + health, count=4)
    told = [json.loads(body) for _, _, body in answers]
    assert [one.get("sum", one.get("status")) for one in told] == [3.0, "alive", 4.0, "alive"]


@pytest.mark.parametrize("step", [1, 7, 200])
def test_a_request_may_come_in_pieces(talk, bearer, step):
    data = request(**bearer)
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    _, answers = talk(*pieces, *pieces, count=2, pause=True)
    assert [status for status, _, _ in answers] == [200, 200]


def test_a_body_that_comes_late_is_taken_the_ordinary_way(loop, served, bearer):
    async def work():
        connection = Connection(served, asyncio.get_running_loop())
        data = request(**bearer)
        connection.send(data[:-10])
        assert not connection.state.tasks
        connection.protocol.close_if_late(asyncio.get_running_loop().time())
        assert len(connection.state.tasks) == 1
        connection.send(data[-10:])
        return await connection.answers(1)

    ((status, _, body),) = loop.run(work())
    assert (status, json.loads(body)["sum"]) == (200, 5.5)


def test_a_wrong_token_is_refused_before_the_body_comes(talk):
    data = request(authorization="Bearer nonsense")
    connection, ((status, headers, _),) = talk(data[:-10])
    assert status == 401
    assert headers[b"www-authenticate"].startswith(b"Bearer")
    assert not connection.had_task


def test_a_client_that_goes_while_its_body_is_awaited_is_counted(loop, start):
    service = start(BENTOFLEET_AUTH="off")

    async def work():
        connection = Connection(serving(service), asyncio.get_running_loop())
        connection.send(request()[:-10])
        connection.protocol.connection_lost(None)

    loop.run(work())
    told = 'requests_total{code="499",model="adder",route="predict",traffic="user"} 1.0'
    assert told in service.scrape()


def test_a_withdrawn_key_and_an_ended_token_close_a_known_head(
    loop, start, token_for, key_dir, tmp_path, monkeypatch
):
    path = tmp_path / "jwks.json"
    path.write_bytes((key_dir / tokens.JWKS_FILE).read_bytes())
    service = start(BENTOFLEET_JWKS=str(path))
    server = serving(service)
    data = request(authorization=f"Bearer {token_for()}")
    auth = service.application._auth

    async def work():
        connection = Connection(server, asyncio.get_running_loop())
        count = 0

        async def ask():
            nonlocal count
            count += 1
            connection.send(data)
            return (await connection.answers(count))[-1][0]

        seen = [await ask(), await ask()]
        monkeypatch.setattr(auth, "_clock", lambda: 4e9)
        seen.append(await ask())
        monkeypatch.undo()
        seen.append(await ask())
        path.write_text('{"keys": []}')
        await asyncio.sleep(0.05)  # a look at the file counts for a hundredth of a second
        seen.append(await ask())
        return seen

    assert loop.run(work()) == [200, 200, 401, 200, 401]


def test_when_the_process_stops_the_connection_is_closed_after_the_answer(talk, served, bearer):
    served._process.application.stop_soon()
    connection, ((status, headers, _),) = talk(request(**bearer))
    assert (status, headers[b"connection"]) == (200, b"close")
    assert connection.transport.closed


def test_a_row_in_the_queue_is_answered_before_a_connection_is_shut_down(loop, served, bearer):
    async def work():
        connection = Connection(served, asyncio.get_running_loop())
        connection.send(request(**bearer))
        connection.protocol.shutdown()
        assert not connection.transport.closed
        return connection, await connection.answers(1)

    connection, ((status, headers, _),) = loop.run(work())
    assert (status, headers[b"connection"]) == (200, b"close")
    assert connection.transport.closed


def test_a_client_that_reads_no_answers_gets_no_new_ones(loop, served, bearer):
    async def work():
        connection = Connection(served, asyncio.get_running_loop())
        connection.protocol.pause_writing()
        connection.send(request(**bearer))
        await asyncio.sleep(0.05)
        before = connection.transport.written
        connection.protocol.resume_writing()
        return before, await connection.answers(1)

    before, answers = loop.run(work())
    assert before == b""
    assert [status for status, _, _ in answers] == [200]


def test_known_heads_are_bounded_and_the_oldest_goes_first():
    heads = KnownHeads(most=3)
    for name in (b"a", b"b", b"c", b"a", b"d"):
        heads.put(name, name)
    assert [heads.get(name) for name in (b"a", b"b", b"c", b"d")] == [b"a", None, b"c", b"d"]
