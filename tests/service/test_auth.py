"""Tokens: which pass, and that every other one gets the same answer."""

import base64
import hashlib
import hmac
import json
import os
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service import auth, contract, tokens
from service.api.problems import ProblemError
from service.keys import KeySet

NOW = 1_800_000_000
ED = ed25519.Ed25519PrivateKey.generate()
ED_OTHER = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
CLAIMS = {
    "iat": NOW,
    "exp": NOW + 600,
    "aud": "bentofleet",
    "iss": "bentofleet",
    "sub": "tester",
    "scope": "predict",
}


def jwk(key, kid):
    return {**tokens.public_jwk(key), "kid": kid}


def write(path, *entries):
    """A key set that the next look at the file cannot miss, whatever the clock's tick."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"keys": list(entries)}))
    part.replace(path)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(header, claims, signature=b""):
    """A token with nothing checked when it is made."""
    parts = [
        b64(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, claims)
    ]
    return ".".join([*parts, b64(signature)])


def ed_signed(header, claims, key=ED):
    head, body, _ = raw(header, claims).split(".")
    return f"{head}.{body}.{b64(key.sign(f'{head}.{body}'.encode()))}"


def token(changes=(), key=ED, algorithm="EdDSA", kid="ed", **headers):
    claims = {name: value for name, value in {**CLAIMS, **dict(changes)}.items() if value != "-"}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid, **headers})


HEAD = {"alg": "EdDSA", "typ": "JWT", "kid": "ed"}
ED_ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032


def another_spelling(text):
    """The same bytes: of the signature's last character four bits count for nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def another_signature(text):
    """What a check that does not look at its range takes for the same signature."""
    signed, _, signature = text.rpartition(".")
    data = base64.urlsafe_b64decode(signature + "==")
    larger = int.from_bytes(data[32:], "little") + ED_ORDER
    return f"{signed}.{b64(data[:32] + larger.to_bytes(32, 'little'))}"


def twice_named(first, second):
    """A head with two keys' names, and a signature for one of them."""
    head = f'{{"alg": "EdDSA", "kid": "{first}", "kid": "{second}"}}'
    return ed_signed(head.encode(), CLAIMS)


@pytest.fixture
def keys(tmp_path):
    write(tmp_path / "jwks.json", jwk(ED, "ed"), jwk(RSA, "rsa"))
    return KeySet(tmp_path / "jwks.json")


@pytest.fixture
def check(keys):
    """Checks a token at a moment."""

    def run(text, now=NOW):
        clock.now = now
        return gate.caller(None if text is None else f"Bearer {text}".encode("latin-1"))

    class Clock:
        now = NOW

        def __call__(self):
            return self.now

    clock = Clock()
    gate = auth.Auth(keys, "bentofleet", "bentofleet", clock)
    run.gate = gate
    return run


@pytest.mark.parametrize(
    "text",
    [
        token(),
        token(key=RSA, algorithm="RS256", kid="rsa"),
        token({"aud": ["other", "bentofleet"]}),
        token({"nbf": NOW}),
        token({"iat": NOW + 20, "exp": NOW + 620}),
        token({"iat": NOW - 620, "exp": NOW - 20}),
        token({"exp": NOW + 24 * 3600}),
        token({"jti": "1", "extra": {"nested": [1]}}),
        token(jku="https://example.org/keys", x5u="https://example.org/chain"),
    ],
    ids=[
        "eddsa",
        "rs256",
        "one of two audiences",
        "not before now",
        "clock ahead within leeway",
        "ended within leeway",
        "the longest lifetime",
        "further claims",
        "addresses are not asked",
    ],
)
def test_a_valid_token_passes(check, text):
    caller = check(text)
    assert (caller.subject, caller.scopes) == ("tester", {"predict"})


def hmac_with_public_key(kid, pem):
    head, body, _ = raw({"alg": "HS256", "typ": "JWT", "kid": kid}, CLAIMS).split(".")
    return f"{head}.{body}.{b64(hmac.digest(pem, f'{head}.{body}'.encode(), hashlib.sha256))}"


RSA_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ED_RAW = ED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

WRONG = {
    "no header": None,
    "empty": "",
    "two words": "a b",
    "nonsense": "nonsense",
    "one dot": "a.b",
    "four dots": "a.b.c.d.e",
    "not base64": "!!.!!.!!",
    "bytes beyond ascii": "\xff\xfe.\xff.\xff",
    "too long": token({"pad": "x" * contract.MAX_TOKEN_BYTES}),
    "header no json": ed_signed(b"{", CLAIMS),
    "header a list": ed_signed([1], CLAIMS),
    "header nested deep": ed_signed(b"[" * 2000 + b"]" * 2000, CLAIMS),
    "claims no json": ed_signed(HEAD, b"{"),
    "claims a list": ed_signed(HEAD, [1]),
    "algorithm none": raw({"alg": "none", "kid": "ed"}, CLAIMS),
    "algorithm None, signed": ed_signed({**HEAD, "alg": "None"}, CLAIMS),
    "algorithm missing": ed_signed({"typ": "JWT", "kid": "ed"}, CLAIMS),
    "hmac with the rsa key": hmac_with_public_key("rsa", RSA_PEM),
    "hmac with the ed key": hmac_with_public_key("ed", ED_RAW),
    "rs256 with the ed kid": token(key=RSA, algorithm="RS256", kid="ed"),
    "eddsa with the rsa kid": token(kid="rsa"),
    "rs512": token(key=RSA, algorithm="RS512", kid="rsa"),
    "es256": token(key=EC, algorithm="ES256"),
    "kid missing": ed_signed({"alg": "EdDSA", "typ": "JWT"}, CLAIMS),
    "kid unknown": token(kid="other"),
    "kid a number": ed_signed({**HEAD, "kid": 1}, CLAIMS),
    "kid a path": token(kid="../../etc/passwd"),
    "another's key": token(key=ED_OTHER),
    "own key in the header": ed_signed(
        {**HEAD, "kid": "x", "jwk": tokens.public_jwk(ED_OTHER)}, CLAIMS, ED_OTHER
    ),
    "signature cut": token()[:-8],
    "signature missing": token().rpartition(".")[0] + ".",
    "claims exchanged": ".".join(
        [token().split(".")[0], token({"scope": "gate"}).split(".")[1], token().split(".")[2]]
    ),
    "crit unknown": token(crit=["exp2"], exp2=1),
    "payload not encoded": ed_signed({**HEAD, "b64": False, "crit": ["b64"]}, CLAIMS),
    "expired": token({"iat": NOW - 700, "exp": NOW - 31}),
    "exp missing": token({"exp": "-"}),
    "exp null": ed_signed(HEAD, {**CLAIMS, "exp": None}),
    "exp a text": ed_signed(HEAD, {**CLAIMS, "exp": str(NOW + 600)}),
    "exp a fraction": token({"exp": NOW + 600.5}),
    "exp true": ed_signed(HEAD, {**CLAIMS, "exp": True}),
    "exp huge": ed_signed(HEAD, {**CLAIMS, "exp": 10**400}),
    "exp beyond python's digits": ed_signed(
        HEAD, json.dumps(CLAIMS).replace(str(NOW + 600), "9" * 5000).encode()
    ),
    "exp infinite": ed_signed(HEAD, {**CLAIMS, "exp": float("inf")}),
    "exp negative": token({"exp": -1}),
    "lifetime too long": token({"exp": NOW + 24 * 3600 + 1}),
    "lifetime nothing": token({"iat": NOW, "exp": NOW}),
    "iat missing": token({"iat": "-"}),
    "iat in the future": token({"iat": NOW + 31, "exp": NOW + 600}),
    "iat long ago": token({"iat": 0}),
    "nbf in the future": token({"nbf": NOW + 31}),
    "nbf a text": ed_signed(HEAD, {**CLAIMS, "nbf": "soon"}),
    "aud missing": token({"aud": "-"}),
    "aud another": token({"aud": "other"}),
    "aud empty": token({"aud": []}),
    "aud longer": token({"aud": "bentofleet2"}),
    "iss missing": token({"iss": "-"}),
    "iss another": token({"iss": "other"}),
    "iss a list": ed_signed(HEAD, {**CLAIMS, "iss": ["bentofleet"]}),
    "sub missing": token({"sub": "-"}),
    "sub empty": token({"sub": ""}),
    "sub too long": token({"sub": "x" * 300}),
    "sub a number": ed_signed(HEAD, {**CLAIMS, "sub": 7}),
    "scope missing": token({"scope": "-"}),
    "scope a list": token({"scope": ["predict"]}),
    "padding behind it": token() + "==",
    "garbage behind it": token() + "!",
    "a comma behind it": token() + ",",
    "a dot behind it": token() + ".",
    "twice": f"{token()}, {token()}",
    "a tab before it": "\t" + token(),
    "a line's end in it": token()[:20] + "\n" + token()[20:],
    "a blank in it": token()[:-5] + " " + token()[-5:],
    "standard base64": token().replace("-", "+").replace("_", "/") + "+",
    "another spelling": another_spelling(token()),
    "another signature": another_signature(token()),
    "two names, the first ours": twice_named("ed", "other"),
    "two names, the last another's": twice_named("ed", "rsa"),
    "unicode": token().replace("e", "\xe9", 1),
    "a zero byte": token() + "\0",
    "five parts, encrypted": raw({"alg": "RSA-OAEP", "enc": "A256GCM", "kid": "rsa"}, CLAIMS)
    + ".AAAA.AAAA",
    "json, not compact": json.dumps({"payload": "e30", "signatures": []}),
    "algorithm a list": ed_signed({**HEAD, "alg": ["EdDSA"]}, CLAIMS),
    "algorithm's case": ed_signed({**HEAD, "alg": "EDDSA"}, CLAIMS),
    "algorithm ed25519": ed_signed({**HEAD, "alg": "Ed25519"}, CLAIMS),
    "kid null": ed_signed({**HEAD, "kid": None}, CLAIMS),
    "kid a list": ed_signed({**HEAD, "kid": ["ed"]}, CLAIMS),
    "kid another case": ed_signed({**HEAD, "kid": "ED"}, CLAIMS),
    "kid a statement": ed_signed({**HEAD, "kid": "ed' OR '1'='1"}, CLAIMS),
    "its keys elsewhere": token(
        key=ED_OTHER, kid="other", jku="http://169.254.169.254/", x5u="http://127.0.0.1:9/"
    ),
    "its chain in the header": token(key=ED_OTHER, x5c=["AAAA"]),
    "payload not encoded, detached": raw({**HEAD, "b64": False, "crit": ["b64"]}, b"")[:-1] + ".AA",
    "crit empty": token(crit=[]),
    "crit no list": ed_signed({**HEAD, "crit": "exp"}, CLAIMS),
    "exp in a list": ed_signed(HEAD, {**CLAIMS, "exp": [NOW + 600]}),
    "exp in milliseconds": token({"exp": (NOW + 600) * 1000}),
    "exp zero": token({"exp": 0}),
    "iat a fraction": token({"iat": NOW - 0.5}),
    "iat true": ed_signed(HEAD, {**CLAIMS, "iat": True}),
    "iat negative": ed_signed(HEAD, {**CLAIMS, "iat": -1}),
    "iat null": ed_signed(HEAD, {**CLAIMS, "iat": None}),
    "iat huge": ed_signed(HEAD, {**CLAIMS, "iat": 10**400}),
    "nbf huge": ed_signed(HEAD, {**CLAIMS, "nbf": 10**400}),
    "nbf null": ed_signed(HEAD, {**CLAIMS, "nbf": None}),
    "nbf a fraction": token({"nbf": NOW - 0.5}),
    "nbf negative": ed_signed(HEAD, {**CLAIMS, "nbf": -1}),
    "aud null": ed_signed(HEAD, {**CLAIMS, "aud": None}),
    "aud an object": ed_signed(HEAD, {**CLAIMS, "aud": {"bentofleet": 1}}),
    "aud with a number": ed_signed(HEAD, {**CLAIMS, "aud": ["bentofleet", 1]}),
    "aud another case": token({"aud": "Bentofleet"}),
    "iss null": ed_signed(HEAD, {**CLAIMS, "iss": None}),
    "iss longer": token({"iss": "bentofleet "}),
    "sub null": ed_signed(HEAD, {**CLAIMS, "sub": None}),
    "scope null": ed_signed(HEAD, {**CLAIMS, "scope": None}),
    "claims nested deep": ed_signed(HEAD, b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"),
    "claims nothing": ed_signed(HEAD, {}),
    "claims not utf-8": ed_signed(HEAD, b"\xff\xfe"),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_every_wrong_token_gets_the_same_answer(check, text):
    with pytest.raises(ProblemError) as caught:
        check(text)
    problem = caught.value
    assert problem.kind.status == 401
    assert problem.headers == ((b"www-authenticate", b'Bearer realm="bentofleet"'),)
    answer = problem.document("id")
    with pytest.raises(ProblemError) as missing:
        check(None)
    assert answer == missing.value.document("id")
    assert problem.reason
    assert not check.gate._cache
    told = str(problem.reason)
    assert not text or not any(text[i : i + 12] in told for i in range(0, len(text) - 12))


def test_there_are_more_than_a_hundred_kinds_of_wrong_token():
    assert len(WRONG) > 100


CHEAP = [
    "nonsense",
    "not base64",
    "header nested deep",
    "algorithm none",
    "hmac with the rsa key",
    "rs256 with the ed kid",
    "rs512",
    "kid missing",
    "kid unknown",
    "own key in the header",
    "padding behind it",
    "five parts, encrypted",
    "its keys elsewhere",
    "too long",
]


@pytest.mark.parametrize("name", CHEAP)
def test_what_names_no_key_of_ours_costs_no_look_at_its_signature(check, monkeypatch, name):
    monkeypatch.setattr(jwt, "decode", lambda *a, **k: pytest.fail("looked at"))
    with pytest.raises(ProblemError):
        check(WRONG[name])


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "ed"}]}'],
    ids=["missing", "empty", "half written", "no key in it", "a shared secret in it"],
)
def test_without_a_key_every_token_is_wrong(tmp_path, content):
    path = tmp_path / "none.json"
    if content is not None:
        path.write_bytes(content)
    gate = auth.Auth(KeySet(path), "bentofleet", "bentofleet", lambda: NOW)
    answers = set()
    for text in (token(), token(key=RSA, algorithm="RS256", kid="rsa"), WRONG["algorithm none"]):
        with pytest.raises(ProblemError) as caught:
            gate.caller(f"Bearer {text}".encode())
        answers.add(caught.value.document("id"))
    assert len(answers) == 1


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Basic dXNlcjpwYXNz", b"Token x", b"Bearerx", b"bearer"]
)
def test_other_schemes_are_refused(check, header):
    with pytest.raises(ProblemError) as caught:
        check.gate.caller(header)
    assert caught.value.kind.status == 401


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER  "])
def test_the_schemes_case_does_not_matter(check, scheme):
    assert check.gate.caller(scheme + token().encode()).subject == "tester"


@pytest.mark.parametrize(
    ("scope", "allowed", "traffic"),
    [
        ("predict", {"energy", "wildlife"}, "user"),
        ("predict:energy", {"energy"}, "user"),
        ("predict:energy predict:wildlife", {"energy", "wildlife"}, "user"),
        ("gate", {"energy", "wildlife"}, "gate"),
        ("predict:energ", set(), "user"),
        ("PREDICT", set(), "user"),
        ("", set(), "user"),
        ("predict:*", set(), "user"),
    ],
)
def test_scopes_say_which_models(check, scope, allowed, traffic):
    caller = check(token({"scope": scope}))
    assert caller.traffic == traffic
    for model in ("energy", "wildlife"):
        if model in allowed:
            caller.require(model)
        else:
            with pytest.raises(ProblemError) as caught:
                caller.require(model)
            assert caught.value.kind.status == 403


def test_a_checked_token_is_not_checked_again(check, monkeypatch):
    text = token()
    first = check(text)
    monkeypatch.setattr(jwt, "decode", lambda *a, **k: pytest.fail("checked twice"))
    assert check(text) is first


def test_a_remembered_token_still_ends(check):
    text = token()
    check(text)
    check(text, NOW + 629)
    with pytest.raises(ProblemError):
        check(text, NOW + 630)


def test_a_wrong_token_is_not_remembered(check):
    for _ in range(2):
        with pytest.raises(ProblemError):
            check(token(kid="other"))
    assert not check.gate._cache


def test_the_memory_is_bounded(check, monkeypatch):
    monkeypatch.setattr(auth, "_MAX_CACHED", 3)
    for number in range(10):
        check(token({"jti": str(number)}))
    assert len(check.gate._cache) == 3


def test_a_rotation_loses_nobody_and_a_withdrawn_key_stops_at_once(check, tmp_path):
    path = tmp_path / "jwks.json"
    old, new = token(), token(key=ED_OTHER, kid="new")
    check(old)
    with pytest.raises(ProblemError):
        check(new)
    write(path, jwk(ED, "ed"), jwk(ED_OTHER, "new"))  # the new one is published
    check(old)
    check(new)
    write(path, jwk(ED_OTHER, "new"))  # the old one is withdrawn
    check(new)
    with pytest.raises(ProblemError):
        check(old)
    write(path)
    with pytest.raises(ProblemError):
        check(new)


def test_a_caller_holds_until_its_end_or_a_change_of_the_keys(check, tmp_path, keys, monkeypatch):
    caller = check(token())
    assert check.gate.holds(caller)
    monkeypatch.setattr(check.gate, "_clock", lambda: NOW + 630)
    assert not check.gate.holds(caller)
    monkeypatch.undo()
    write(tmp_path / "jwks.json", jwk(ED, "ed"))  # the same key, and another one is gone
    keys._looked_at = 0.0  # long ago
    assert not check.gate.holds(caller)
    assert check(token()).generation == caller.generation + 1


def test_the_same_kid_with_another_key_forgets_the_old_ones_tokens(check, tmp_path):
    text = token()
    check(text)
    write(tmp_path / "jwks.json", jwk(ED_OTHER, "ed"))
    with pytest.raises(ProblemError):
        check(text)


def test_a_file_that_is_touched_keeps_its_tokens(check, tmp_path, keys):
    check(token())
    generation = keys.generation
    os.utime(tmp_path / "jwks.json", (time.time() + 5, time.time() + 5))
    check(token())
    assert keys.generation == generation
