"""Bytes changed at random, the same each time: parsers give a value or a client's error, no other.

The short form runs in `make test`; the long one for FUZZ_MINUTES, all parsers together.
"""

import io
import json
import logging
import os
import struct
import time
import zlib
from collections import Counter
from random import Random

import numpy as np
import pytest
from PIL import Image

from bentos.spec import Choice, Number, Photo, Table, Timestamp
from service import auth, keys, tokens
from service.api import multipart, photos, problems, tables
from service.api.problems import ProblemError

MINUTES = float(os.environ.get("FUZZ_MINUTES", "5"))
SHORT = 5_000  # inputs per parser
PHOTO = Photo(max_bytes=100_000, max_pixels=10_000, batch_items=4, examples="unused")
TABLE = Table(
    columns=(
        Timestamp(name="when", description="Moment.", example="2017-07-14T14:30:00"),
        Number(name="a", unit="m", minimum=-1, maximum=10, description="One.", example=3.5),
        Choice(name="city", values=("Boston", "New York"), description="Where.", example="Boston"),
        Number(name="b", unit="m", minimum=0, maximum=2**53, description="Two.", example=2),
    ),
    batch_items=4,
)
ROWS = tables.Rows(TABLE)
ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "city": "Boston", "b": 2}
ODD_BYTES = (0, 1, 0x7F, 0x80, 0xFE, 0xFF, *b'"\\{}[],:-.eE+;=\r\n')
ODD_NUMBERS = (0, 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)

log = logging.getLogger("mutation")


def encoded(kind, mode="RGB", size=(16, 12), **options):
    noise = np.random.default_rng(9).integers(0, 255, (*size[::-1], 3), np.uint8)
    image = Image.fromarray(noise).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def photo_seeds():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"
    more = {"save_all": True, "append_images": [Image.new("RGB", (16, 12), "red")]}
    return [
        encoded("JPEG", exif=exif.tobytes(), icc_profile=b"p" * 99),
        encoded("JPEG", progressive=True, comment=b"comment"),
        encoded("JPEG", "CMYK"),
        encoded("JPEG", "L", subsampling=0),
        encoded("MPO", **more),
        encoded("PNG", exif=exif.tobytes(), icc_profile=b"p" * 99),
        encoded("PNG", "P", transparency=3),
        encoded("PNG", "RGBA"),
        encoded("PNG", "I;16"),
        encoded("PNG", "1"),
        encoded("PNG", **more),
        encoded("WEBP", exif=exif.tobytes(), icc_profile=b"p" * 99, xmp=b"<x/>"),
        encoded("WEBP", lossless=True),
        encoded("WEBP", "RGBA"),
        encoded("WEBP", **more),
    ]


def part(name, content):
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n'
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + content + b"\r\n"


HEAD = b"multipart/form-data; boundary=x"
MULTIPART_SEEDS = [
    HEAD + b"\0" + part("file", b"data") + b"--x--\r\n",
    HEAD + b"\0" + part("file", b"--x-\r\n-") * 3 + b"--x--\r\nepilogue",
    b'multipart/form-data; boundary="x"; a=b\0preamble\r\n' + part("file", b"") + b"--x--",
    b"multipart/form-data; boundary*=utf-8''x\0" + part("file*", b"\xff") + b"--x--",
]
ROW_SEEDS = [
    json.dumps(row).encode()
    for row in (
        ROW,
        {**ROW, "when": "2017-07-14t14:30:05.25+05:30", "a": -1, "b": 2**53},
        {**ROW, "city": "New York", "a": 1e-7, "more": [{"a": None}]},
        {"items": [ROW, {**ROW, "a": 11}, 3]},
    )
] + [json.dumps(ROW).replace("when", "\\u0077hen").encode()]


def reading_of(read, *given):
    """What a reader makes of it: values with their types, or the problem's own document."""
    try:
        values = read(*given)
    except ProblemError as problem:
        return problem.kind.status, problem.document("")
    return 200, repr(sorted(values.items()))


class Parsers:
    """What is fed, and from which seeds."""

    def __init__(self, folder):
        pem = tokens.new_key(folder).read_text()
        jwks = folder / tokens.JWKS_FILE
        self._auth = auth.Auth(keys.KeySet(jwks), "bentofleet", "bentofleet")
        token = tokens.issue(pem, "predict", 3600, "tester").encode()
        self.seeds = {
            "photos": photo_seeds(),
            "multipart": MULTIPART_SEEDS,
            "rows": ROW_SEEDS,
            "tokens": [b"Bearer " + token, b"bearer  " + token],
            "keys": [jwks.read_bytes()],
        }

    def photos(self, data):
        with photos.decode(data, PHOTO) as picture:
            assert picture.mode == "RGB"
            assert picture.width * picture.height <= PHOTO.max_pixels

    def multipart(self, data):
        head, _, body = data.partition(b"\0")
        assert 1 <= len(multipart.parts(body, head, 4)) <= 4

    def rows(self, data):
        quick = reading_of(ROWS.read, data)
        thorough = reading_of(lambda: tables.check(tables.parse(data), TABLE))
        # With a key twice and another missing one may be told of either.
        assert quick == thorough or {quick[0], thorough[0]} <= {400, 422}
        if quick[0] != 200:
            for item in tables.batch_items(tables.parse(data), TABLE):
                ROWS.check(item)

    def tokens(self, data):
        assert self._auth.caller(data).subject == "tester"

    def keys(self, data):
        try:
            keys.parse(data)
        except ValueError as error:
            raise problems.invalid_field("keys", str(error)) from None


def mutated(rng, seeds):
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        rng.choice(CHANGES)(rng, data, seeds)
    if data.startswith(b"\x89PNG") and rng.random() < 0.8:
        mend_checksums(data)
    return bytes(data)


def mend_checksums(data):
    """Else most changes would be found by their checksums alone."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[position + 4 : end]))
        position = end + 4


def place(rng, data):
    return rng.randrange(len(data) + 1)


def flip(rng, data, seeds):
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def put_odd(rng, data, seeds):
    if data:
        data[rng.randrange(len(data))] = rng.choice(ODD_BYTES)


def put_number(rng, data, seeds):
    form = rng.choice((">I", "<I", ">H", "<H"))
    size = struct.calcsize(form)
    if len(data) >= size:
        at = rng.randrange(len(data) - size + 1)
        struct.pack_into(form, data, at, rng.choice(ODD_NUMBERS) % 2 ** (8 * size))


def cut_out(rng, data, seeds):
    at = place(rng, data)
    del data[at : at + rng.choice((1, 2, 4, 30))]


def cut_off(rng, data, seeds):
    del data[place(rng, data) :]


def repeat(rng, data, seeds):
    at, length = place(rng, data), rng.choice((1, 4, 40, 200))
    data[at:at] = data[at : at + length] * rng.choice((1, 2, 20))


def insert(rng, data, seeds):
    at = place(rng, data)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 8)))


def join(rng, data, seeds):
    other = rng.choice(seeds)
    data[place(rng, data) :] = other[rng.randrange(len(other)) :]


CHANGES = (flip, flip, put_odd, put_number, cut_out, cut_off, repeat, insert, join)


def feed(parsers, name, number):
    """One input, told by its number alone; what became of it."""
    data = mutated(Random(f"{name} {number}"), parsers.seeds[name])  # noqa: S311  no secret
    try:
        getattr(parsers, name)(data)
    except ProblemError as problem:
        return "refused" if problem.kind.status < 500 else pytest.fail(f"{name} {number}")
    except BaseException as error:
        pytest.fail(f"{name} {number}: {error!r} on {data[:200].hex()}")
    return "taken"


@pytest.fixture
def parsers(tmp_path):
    return Parsers(tmp_path / "keys")


NAMES = ("photos", "multipart", "rows", "tokens", "keys")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_changed_input_breaks_a_parser(parsers, name):
    outcomes = Counter(feed(parsers, name, number) for number in range(SHORT))
    assert outcomes["refused"] > SHORT / 10
    assert outcomes["taken"] or name in ("tokens", "keys")
    assert len(parsers._auth._cache) <= 2


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_changed_input_breaks_a_parser_in_all_the_time_there_is(parsers, name):
    outcomes = Counter()
    started = time.monotonic()
    end = started + MINUTES * 60 / len(NAMES)
    number = SHORT
    while time.monotonic() < end:
        outcomes.update(feed(parsers, name, number + i) for i in range(500))
        number += 500
    log.info(
        "%s: %d inputs in %d s, %s", name, number - SHORT, time.monotonic() - started, outcomes
    )


VALUES = (
    *(
        "2017-07-14T14:30",
        "2017-07-14 14:30:05Z",
        "2017-02-29T00:00",
        "1969-12-31T23:59",
        "now",
        "",
    ),
    *(-1, 10, 10.0000001, -0.0, 0, True, False, None, 2**53, 2**53 + 1, 2**63, 1e308, 5e-324),
    *(float("nan"), float("inf"), "3", "Boston", "boston", "New York", [], {}, [3], {"a": 3}),
)


def test_the_quick_and_the_thorough_check_agree_on_every_row():
    rng = Random(11)  # noqa: S311  no secret
    told = Counter()
    for _ in range(20_000):
        row = dict(ROW)
        for _ in range(rng.randrange(4)):
            row[rng.choice((*ROW, "c"))] = rng.choice(VALUES)
        for name in rng.sample(list(row), rng.choice((0, 0, 0, 1))):
            del row[name]
        quick = reading_of(ROWS.check, row)
        assert quick == reading_of(tables.check, row, TABLE), row
        told[quick[0]] += 1
    assert min(told[200], told[422]) > 1_000
