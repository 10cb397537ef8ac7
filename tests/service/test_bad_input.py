"""Hostile requests: each gets its exact status and a reason, and the service goes on answering."""

import base64
import io
import json
import re
import struct
import time
import zlib

import jwt
import numpy as np
import pytest
from PIL import Image

from service import contract, tokens

PREDICT = "/v1/adder/predict"
BATCH = "/v1/adder/predict/batch"
SHADE = "/v1/shade/predict"
SHADE_BATCH = "/v1/shade/predict/batch"
ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
JSON = {"content-type": "application/json"}
JPEG = {"content-type": "image/jpeg"}
SMALL = (100, 100)


@pytest.fixture(autouse=True)
def still_answers(service):
    """Whatever a test sends, a good request after it is answered and nothing is held."""
    yield
    assert service.post(PREDICT, json=ROW).json()["sum"] == 5.5
    assert service.application._bodies._held_bytes == 0


def refused(answer, status, slug):
    """The detail of a problem of this kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (document["status"], document["type"]) == (status, f"urn:bentofleet:problem:{slug}")
    assert document["detail"]
    assert "Traceback" not in answer.text
    return document["detail"]


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(kind):
    data = np.random.default_rng(3).integers(0, 255, (90, 120, 3), np.uint8)
    return encoded(Image.fromarray(data), kind)


def chunk(name, content):
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png(size, *chunks, data=b""):
    """A PNG that says and holds what one likes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + chunk(b"IEND", b"")


def jpeg_that_says(width, height):
    data = bytearray(noise("JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def lossless_webp_that_says(side):
    data = bytearray(encoded(Image.new("RGB", (40, 30)), "WEBP", lossless=True))
    start = data.index(b"VP8L") + 9
    data[start : start + 4] = struct.pack("<I", side - 1 | side - 1 << 14)
    return bytes(data)


def webp_that_says(side):
    data = bytearray(encoded(Image.new("RGB", (40, 30)), "WEBP"))
    start = data.index(b"VP8 ") + 14
    data[start : start + 4] = struct.pack("<HH", side, side)
    return bytes(data)


NO_PICTURE = {
    "nothing": b"",
    "words": b"hello",
    "json": json.dumps(ROW).encode(),
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "a zip file": b"PK\x03\x04" + bytes(100),
    "a pickle": b"\x80\x04\x95cos\nsystem\n(S'id'\ntR.",
    "a program": b"\x7fELF" + bytes(100),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "zeros": bytes(10_000),
    "a gif": encoded(Image.new("RGB", (9, 9)), "GIF"),
    "a bmp": encoded(Image.new("RGB", (9, 9)), "BMP"),
    "a tiff": encoded(Image.new("RGB", (9, 9)), "TIFF"),
    "a jpeg's first bytes": noise("JPEG")[:4],
    "a png's first bytes": noise("PNG")[:12],
    "a webp's first bytes": noise("WEBP")[:12],
}


@pytest.mark.parametrize("body", NO_PICTURE.values(), ids=NO_PICTURE)
def test_a_body_that_is_no_picture_is_told_so(service, body):
    answer = service.post(SHADE, content=body, headers=JPEG)
    told = refused(answer, 415, "unsupported-type")
    assert told == "The content is not a JPEG, PNG or WebP picture."
    files = {"files": [("file", ("x.jpg", body, "image/jpeg"))]}
    refused(service.post(SHADE, **files), 415, "unsupported-type")
    (item,) = service.post(SHADE_BATCH, **files).json()["items"]
    assert item["error"]["status"] == 415


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [100, 0.3, 0.6, 0.9, 0.99])
def test_a_picture_that_is_cut_off_is_told_so(service, kind, kept):
    whole = noise(kind)
    cut = whole[: kept if isinstance(kept, int) else int(len(whole) * kept)]
    answer = service.post(SHADE, content=cut, headers={"content-type": f"image/{kind.lower()}"})
    told = refused(answer, 422, "invalid-input")
    assert told == "The picture cannot be decoded: it is cut off or damaged."


TOO_MANY = "file: has {} x {} pixels; at most 1000000 are taken."
DAMAGED = "The picture cannot be decoded: it is cut off or damaged."
ZEROS = bytes(30_000_000)
ROWS = (b"\0" + bytes(300)) * 100
BOMBS = {
    "png of 2.5 gigapixels": (png((50_000, 50_000)), TOO_MANY.format(50_000, 50_000)),
    "png of the largest size": (
        png((2**31 - 1, 2**31 - 1)),
        TOO_MANY.format(2**31 - 1, 2**31 - 1),
    ),
    "png of one long column": (
        png((1, 999_999)),
        "file: has 1 x 999999 pixels; at most 20000 a side are taken.",
    ),
    "jpeg of the largest size": (jpeg_that_says(65_535, 65_535), TOO_MANY.format(65_535, 65_535)),
    "webp of the largest size": (webp_that_says(16_383), TOO_MANY.format(16_383, 16_383)),
    "lossless webp of the largest size": (
        lossless_webp_that_says(16_383),
        TOO_MANY.format(16_383, 16_383),
    ),
    "png with a text that unpacks": (
        png(SMALL, chunk(b"zTXt", b"k\0\0" + zlib.compress(ZEROS)), data=ROWS),
        DAMAGED,
    ),
    "png with an international text that unpacks": (
        png(SMALL, chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(ZEROS)), data=ROWS),
        DAMAGED,
    ),
    "png with a profile that unpacks": (
        png(SMALL, chunk(b"iCCP", b"k\0\0" + zlib.compress(ZEROS)), data=ROWS),
        DAMAGED,
    ),
}


@pytest.mark.parametrize(("bomb", "told"), BOMBS.values(), ids=BOMBS)
def test_a_decompression_bomb_is_refused_and_told_why(service, bomb, told):
    assert len(bomb) < 100_000
    answer = service.post(SHADE, content=bomb, headers=JPEG)
    assert refused(answer, 422, "invalid-input") == told
    files = {"files": [("file", ("x", bomb, "image/png"))] * 4}
    items = service.post(SHADE_BATCH, **files).json()["items"]
    assert [item["error"]["status"] for item in items] == [422] * 4


def test_pixels_that_unpack_to_more_than_the_picture_holds_are_not_unpacked(service):
    answer = service.post(SHADE, content=png(SMALL, data=ROWS + ZEROS), headers=JPEG)
    assert answer.json()["colour"] == [0, 0, 0]


def row(a):
    return f'{{"when": "2017-07-14T14:30:00", "a": {a}, "b": 2}}'.encode()


NO_JSON = {
    "nan": row("NaN"),
    "infinity": row("Infinity"),
    "minus infinity": row("-Infinity"),
    "beyond a double": row("1e999"),
    "below a double": row("-1e999"),
    "400 digits": row("9" * 400),
    "5000 digits": row("9" * 5000),
    "hexadecimal": row("0x10"),
    "a leading zero": row("007"),
    "a plus": row("+1"),
    "no number after the point": row("1."),
    "a comment": row("1 /* one */"),
    "a comma too many": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "two documents": b"{}{}",
    "nothing": b"",
    "blanks": b"  \n",
    "a control character": b'{"a": "\x01"}',
    "10,000 open lists": b"[" * 10_000,
    "2,500 levels of objects": b'{"a":' * 2500 + b"1" + b"}" * 2500,
    "latin-1": b'{"when": "\xe9"}',
    "utf-16": json.dumps(ROW).encode("utf-16"),
    "utf-16 without a mark": json.dumps(ROW).encode("utf-16-le"),
    "utf-32": json.dumps(ROW).encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(ROW).encode(),
    "an overlong slash": b'{"when": "\xc0\xaf"}',
    "half a character": b'{"when": "\xe2\x82"}',
    "a surrogate": b'{"when": "\xed\xa0\x80"}',
    "an escaped surrogate": b'{"when": "\\ud800"}',
    "gzip": zlib.compress(json.dumps(ROW).encode()),
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
@pytest.mark.parametrize("path", [PREDICT, BATCH])
def test_a_body_that_is_no_json_is_told_where(service, path, body):
    told = refused(service.post(path, content=body, headers=JSON), 400, "bad-request")
    assert told.startswith("The body is not JSON: ")
    assert "9999" not in told


@pytest.mark.parametrize(
    "body",
    [b"[" * 10_000 + b"]" * 10_000, b'{"items":' + b"[" * 10_000 + b"]" * 10_000 + b"}"],
    ids=["lists", "in a batch"],
)
def test_ten_thousand_levels_are_told_so(service, body):
    told = refused(service.post(BATCH, content=body, headers=JSON), 400, "bad-request")
    assert told.startswith("The body is not JSON: depth limit exceeded")


def test_a_value_that_is_nested_is_no_number(service):
    answer = service.post(PREDICT, content=row("[" * 100 + "]" * 100), headers=JSON)
    assert refused(answer, 422, "invalid-input") == "a: should be a number in m (got a list)."


@pytest.mark.parametrize("levels", [300, 1000])
def test_a_value_that_is_nested_deep_is_no_number_either(service, levels):
    answer = service.post(PREDICT, content=row("[" * levels + "]" * levels), headers=JSON)
    assert refused(answer, 422, "invalid-input") == "a: should be a number in m (got a list)."


@pytest.mark.parametrize("levels", [300, 1000])
def test_an_escape_that_is_nested_deep_is_told_so(service, levels):
    nested = "[" * levels + '"\\u0061"' + "]" * levels
    answer = service.post(PREDICT, content=row(nested), headers=JSON)
    told = refused(answer, 400, "bad-request")
    assert told == "The body is not JSON: it is nested too deep."


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (str(2**63), str(2**63)),
        (str(2**64), "1.8446744073709552e+19"),
        ("-" + "9" * 100, "-1e+100"),
        ("1e308", "1e+308"),
        ("101", "101"),
        ('"1"', None),
        ("true", None),
        ("null", None),
    ],
)
def test_a_number_that_cannot_be_meant_is_told_with_its_range(service, number, shown):
    answer = service.post(PREDICT, content=row(number), headers=JSON)
    told = refused(answer, 422, "invalid-input")
    if shown is None:
        assert told == f"a: should be a number in m (got {number})."
    else:
        assert told == f"a: should be from -100 to 100 m (got {shown})."


TWICE = 'The body is not JSON: the key "a" stands twice in one object.'


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PREDICT, b'{"when": "2017-07-14T14:30:00", "a": 1, "b": 2, "a": 1}'),
        (PREDICT, b'{"when": "2017-07-14T14:30:00", "a": 1, "b": 2, "\\u0061": 3}'),
        (PREDICT, b'{"when": "\\u0022\\u0022", "a": 1, "b": 2, "a": 3}'),
        (BATCH, b'{"items": [{"a": 1}, {"a": 1, "a": 2}]}'),
        (BATCH, b'{"items": [{"x": {"a": 1, "a": ' + b"9" * 300 + b"}}]}"),
    ],
    ids=["plain", "escaped", "with quotes to make up for it", "in a batch", "deep down"],
)
def test_a_key_that_stands_twice_is_told(service, path, body):
    answer = service.post(path, content=body, headers=JSON)
    assert refused(answer, 400, "bad-request") == TWICE


def test_a_batch_with_its_items_twice_is_told(service):
    body = b'{"items": [], "items": [1]}'
    told = refused(service.post(BATCH, content=body, headers=JSON), 400, "bad-request")
    assert told == 'The body is not JSON: the key "items" stands twice in one object.'


def test_escapes_alone_are_taken(service):
    body = json.dumps(ROW).replace("when", "\\u0077hen").encode()
    assert service.post(PREDICT, content=body, headers=JSON).json()["sum"] == 5.5


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=latin-1",
        'application/json; charset="utf-16"',
        "application/json; charset=utf-8; charset=utf-16",
        "application/json;charset=utf-16;charset=utf-8",
        "application/json, text/plain",
        "application/jsonp",
        "application/json2",
        "application/ json",
        "text/json",
        "text/plain; application/json",
        "*/*",
        ";",
        "x" * 10_000,
        None,
    ],
)
def test_a_content_type_that_is_not_taken_is_told_which_are(service, content_type):
    headers = {"content-type": content_type} if content_type else {}
    answer = service.post(PREDICT, content=json.dumps(ROW), headers=headers)
    told = refused(answer, 415, "unsupported-type")
    assert told == "Content-Type: should be application/json."


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=utf-8", 'application/json; charset="UTF-8"']
)
def test_the_charset_that_json_has_is_taken(service, content_type):
    answer = service.post(PREDICT, content=json.dumps(ROW), headers={"content-type": content_type})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "method"),
    [(PREDICT, "POST"), (BATCH, "POST"), (SHADE, "POST"), ("/v1/models", "GET")],
)
def test_a_token_that_is_not_valid_is_refused_over_http(service, key_dir, path, method):
    pem = (key_dir / tokens.KEY_FILE).read_text()
    good = tokens.issue(pem, "predict", 600, "tester")
    head, body, signature = good.split(".")
    now = int(time.time())
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]

    def signed(**changes):
        return jwt.encode({**claims, **changes}, pem, algorithm="EdDSA", headers={"kid": kid})

    gate = base64.urlsafe_b64encode(json.dumps({**claims, "scope": "gate"}).encode()).rstrip(b"=")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": kid}).encode()).rstrip(b"=")
    wrong = {
        "forged claims": f"{head}.{gate.decode()}.{signature}",
        "no signature": f"{none.decode()}.{body}.",
        "signature cut off": good[:-4],
        "expired": signed(iat=now - 700, exp=now - 60),
        "issued in the future": signed(iat=now + 3600, exp=now + 7200),
        "not valid yet": signed(nbf=now + 3600),
        "valid for a year": signed(exp=now + 365 * 86400),
        "for another service": signed(aud="other"),
        "oversize": signed(pad="x" * contract.MAX_TOKEN_BYTES),
    }
    told = {
        name: refused(
            service.request(method, path, headers={"authorization": f"Bearer {token}"}),
            401,
            "unauthorized",
        )
        for name, token in wrong.items()
    }
    assert set(told.values()) == {"Send a valid token: `Authorization: Bearer <token>`."}
    for name, reason in {"expired": "expired", "oversize": "token too long"}.items():
        assert reason not in told[name]  # the log knows, the client does not


def test_a_multipart_body_of_very_many_parts_is_told_how_many_are_taken(service):
    part = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n\r\n'
    body = part * 3000 + b"--x--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=x"}
    told = refused(service.post(SHADE_BATCH, content=body, headers=headers), 422, "invalid-input")
    assert told == "file: at most 4 are taken."


def test_a_multipart_body_whose_part_headers_have_no_end_is_told(service):
    body = b"--x\r\n" + b"X-Line: " + b"x" * 100_000
    headers = {"content-type": "multipart/form-data; boundary=x"}
    told = refused(service.post(SHADE, content=body, headers=headers), 400, "bad-request")
    assert re.match("The multipart body (cannot be read|is cut off)", told)
