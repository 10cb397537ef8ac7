"""A service in a process of its own that asks for tokens: what it refuses, and what its log tells.

Rows go both ways: as an ordinary request, which takes the fast path, and with a query, which does
not.
"""

import base64
import json
import re
import socket
import time

import jwt
import pytest

from service import contract, tokens

ROW = json.dumps({"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}).encode()
PREDICT = "/v1/adder/predict"
WAYS = {"fast": PREDICT, "ordinary": f"{PREDICT}?x"}


@pytest.fixture(scope="module")
def jwks(key_dir, tmp_path_factory):
    """The service's own key set."""
    path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    path.write_bytes((key_dir / tokens.JWKS_FILE).read_bytes())
    return path


@pytest.fixture(scope="module")
def closed(run, jwks):
    service = run(BENTOFLEET_AUTH="jwt", BENTOFLEET_JWKS=str(jwks))
    service.wait()
    return service


@pytest.fixture(scope="module")
def good(token_for):
    return token_for()


def ask(service, path, *lines, method="POST", body=ROW):
    """Status, and the answer's bytes without the request's id and the time that it took."""
    kind = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    text = "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *kind, *lines, "", ""))
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(text.encode("latin-1") + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)
        length = int(re.search(rb"content-length: (\d+)", answer)[1])
        while len(answer.partition(b"\r\n\r\n")[2]) < length and method != "HEAD":
            answer += connection.recv(65536)
    answer = re.sub(rb"(?i)(x-request-id: |\"request_id\":\")[A-Za-z0-9._-]+", rb"\1", answer)
    return int(answer[9:12]), answer


def lines_of(service, wanted):
    """The log's lines for which `wanted` holds; they come a tenth of a second late."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = [line for line in map(json.loads, service.log().splitlines()) if wanted(line)]
        if found:
            return found
        time.sleep(0.02)
    pytest.fail("the log does not tell")


def wrong_heads(good, key_dir):
    """Headers that no token comes in, or a wrong one."""
    pem = (key_dir / tokens.KEY_FILE).read_text()
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]

    def signed(**changes):
        return jwt.encode({**claims, **changes}, pem, algorithm="EdDSA", headers={"kid": kid})

    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": kid}).encode())
    bearer = {
        "forged": f"{head}.{body[:-4]}AAAA.{signature}",
        "alg none": f"{none.decode().rstrip('=')}.{body}.",
        "cut off": good[:-6],
        "padded": f"{good}==",
        "expired": signed(iat=claims["iat"] - 7200, exp=claims["iat"] - 3600),
        "of tomorrow": signed(iat=claims["iat"] + 86_000, exp=claims["iat"] + 86_400),
        "for another": signed(aud="another"),
        "huge": signed(exp=10**400),
        "oversize": signed(pad="x" * contract.MAX_TOKEN_BYTES),
        "nothing": "",
        "in quotes": f'"{good}"',
        "with a comma": f"{good},",
        "in latin-1": f"\xe9{good}",
    }
    return {
        "no header": (),
        **{name: (f"Authorization: Bearer {text}",) for name, text in bearer.items()},
        "basic": ("Authorization: Basic " + base64.b64encode(b"canary:tweet-tweet").decode(),),
        "another scheme": (f"Authorization: Token {good}",),
        "no scheme": (f"Authorization: {good}",),
        "no blank": (f"Authorization: Bearer{good}",),
        "two good ones": (f"Authorization: Bearer {good}",) * 2,
        "good, then bad": (f"Authorization: Bearer {good}", "Authorization: Bearer x"),
        "bad, then good": ("Authorization: Bearer x", f"Authorization: Bearer {good}"),
        "basic, then good": ("Authorization: Basic eDp5", f"Authorization: Bearer {good}"),
        "for a proxy": (f"Proxy-Authorization: Bearer {good}",),
        "of another name": (f"X-Authorization: Bearer {good}",),
        "in a cookie": (f"Cookie: authorization=Bearer {good}; access_token={good}",),
    }


def test_every_wrong_token_gets_the_same_bytes_on_both_ways(closed, good, key_dir):
    heads = wrong_heads(good, key_dir)
    answers = {
        (name, way): ask(closed, path, *lines)
        for name, lines in heads.items()
        for way, path in WAYS.items()
    }
    assert {status for status, _ in answers.values()} == {401}
    assert len({answer for _, answer in answers.values()}) == 1
    assert len(answers) >= 40


@pytest.mark.parametrize("path", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "line", ["authorization: bearer {}", "AUTHORIZATION: BEARER {}", "Authorization:  Bearer  {} "]
)
def test_case_and_blanks_do_not_matter(closed, good, path, line):
    assert ask(closed, path, line.format(good))[0] == 200


@pytest.mark.parametrize("query", ["access_token={}", "token={}", "authorization=Bearer%20{}"])
def test_a_token_in_the_address_does_not_count_and_is_not_logged(closed, good, query):
    assert ask(closed, f"{PREDICT}?{query.format(good)}")[0] == 401


def test_every_route_but_the_open_ones_is_closed(closed, service):
    kinds = (contract.LIVEZ, contract.READYZ, contract.OPENAPI, contract.DOCS, contract.UI)
    routes = service.application.routes  # the other service has the same models
    is_open = {path: path.startswith(kinds) for path in routes}
    assert sum(not each for each in is_open.values()) == 5
    statuses = {path: ask(closed, path, method=route.method) for path, route in routes.items()}
    assert {path: status for path, (status, _) in statuses.items()} == {
        path: 200 if each else 401 for path, each in is_open.items()
    }
    for path in ("/v1/", "/v1/none", "/v1/adder", "/v1/%61dder/predict", "/v1//models"):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "PATCH"):
            assert ask(closed, path, method=method)[0] == 401
    for path in ("//v1/models", "/V1/models", "/livez/../v1/models", "/v1", "/metrics", "/"):
        assert ask(closed, path, method="GET")[0] == 404


def test_a_refused_token_is_told_with_reason_client_and_id_alone(closed, token_for):
    ask(closed, PREDICT, "Authorization: Bearer x.y.z", "X-Request-ID: refused-1")
    (line,) = lines_of(closed, lambda line: line.get("request_id") == "refused-1")
    assert (line["status"], line["client"], line["route"]) == (401, "127.0.0.1", "predict")
    assert line["reason"]
    assert "subject" not in line
    other = token_for("predict:shade")
    assert (
        ask(closed, PREDICT, f"Authorization: Bearer {other}", "X-Request-ID: refused-2")[0] == 403
    )
    (line,) = lines_of(closed, lambda line: line.get("request_id") == "refused-2")
    assert (line["status"], line["reason"], line["subject"]) == (403, "scope", "tester")
    assert line["client"] == "127.0.0.1"


def test_a_key_set_that_changes_works_at_once_and_is_told(closed, jwks, good, tmp_path):
    told = [line for line in map(json.loads, closed.log().splitlines()) if is_of_keys(line)]
    old = jwks.read_bytes()
    line = f"Authorization: Bearer {good}"
    assert [ask(closed, path, line)[0] for path in WAYS.values()] == [200, 200]
    pem = tokens.new_key(tmp_path).read_text()
    newer = json.loads((tmp_path / tokens.JWKS_FILE).read_bytes())["keys"]
    new = f"Authorization: Bearer {tokens.issue(pem, 'predict', 60, 'new')}"
    try:
        states = []
        for entries in ([*json.loads(old)["keys"], *newer], newer, []):
            put(jwks, json.dumps({"keys": entries}).encode())
            time.sleep(0.05)  # a look at the file counts for a hundredth of a second
            states.append(
                [ask(closed, path, each)[0] for each in (line, new) for path in WAYS.values()]
            )
        assert states == [[200] * 4, [401, 401, 200, 200], [401] * 4]
        put(jwks, b"{")
        assert ask(closed, PREDICT, new)[0] == 401
    finally:
        put(jwks, old)
    time.sleep(0.05)
    assert ask(closed, PREDICT, line)[0] == 200
    lines = lines_of(closed, is_of_keys)[len(told) :]
    assert [each["level"] for each in lines] == ["info", "info", "info", "error", "info"]
    assert ["2 keys" in lines[0]["message"], "0 keys" in lines[2]["message"]] == [True, True]


def is_of_keys(line):
    return line.get("logger") == "bentofleet.keys"


def put(path, content):
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def test_that_anyone_may_call_is_told_at_the_start(run):
    service = run()
    service.wait()
    (line,) = lines_of(service, lambda line: line["level"] == "warning")
    assert line["message"] == "BENTOFLEET_AUTH=off: whoever reaches this port may call /v1."


def test_no_piece_of_a_token_or_a_secret_is_in_the_log(closed, good, key_dir):
    heads = wrong_heads(good, key_dir)
    for lines in heads.values():
        for path in (*WAYS.values(), f"/v1/none?token={good}", f"{PREDICT}?token={good}"):
            ask(closed, path, *lines)
    ask(closed, PREDICT, f"Authorization: Bearer {good}", body=b'{"password": "canary-body"}')
    ask(closed, PREDICT, f"Authorization: Bearer {good}", "X-Request-ID: the-last")
    lines_of(closed, lambda line: line.get("request_id") == "the-last")
    log = closed.log()
    assert "canary" not in log
    for lines in heads.values():
        for secret in re.findall(
            r"[A-Za-z0-9_-]{16,}", " ".join(lines).replace("Authorization", "")
        ):
            pieces = {secret[i : i + 12] for i in range(0, len(secret) - 11)}
            assert not [piece for piece in pieces if piece in log and "xxxxxxxx" not in piece]
