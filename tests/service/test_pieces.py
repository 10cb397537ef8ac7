"""Pictures in more pieces than any encoder writes are refused before a decoder sees them."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from bentos.spec import Photo
from service.api import photos, pieces
from service.api.problems import ProblemError

TAKES = Photo(max_bytes=10_000_000, max_pixels=25_000_000, batch_items=4, examples="unused")
NOISE = Image.fromarray(np.random.default_rng(5).integers(0, 255, (64, 64, 3), np.uint8))
LONE = b"\xff\x01"
EMPTY = b"\xff\xfe\0\2"


def encoded(kind, **options):
    stream = io.BytesIO()
    NOISE.save(stream, kind, **options)
    return stream.getvalue()


PROGRESSIVE = encoded("JPEG", progressive=True)
PNG = encoded("PNG")
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]


def with_scans(more):
    return PROGRESSIVE[:-2] + LAST_SCAN * more + PROGRESSIVE[-2:]


def with_segments(segment, count):
    return PROGRESSIVE[:2] + segment * count + PROGRESSIVE[2:]


def with_chunks(name, content, count):
    """A PNG with more chunks behind its header."""
    check = struct.pack(">I", zlib.crc32(name + content))
    return PNG[:33] + (struct.pack(">I", len(content)) + name + content + check) * count + PNG[33:]


PROFILE = b"k\0\0" + zlib.compress(bytes(1_000_000), 9)
CROWDED = {
    "scans": (with_scans(50), "has more than 50 scans"),
    "very many scans": (with_scans(4_000), "has more than 50 scans"),
    "segments": (with_segments(EMPTY, 1_000), "has more than 1000 segments"),
    "lone markers": (with_segments(LONE, 100_000), "has more than 1000 segments"),
    "profiles": (with_chunks(b"iCCP", PROFILE, 2), "has more than 1 colour profiles"),
    "texts": (with_chunks(b"tEXt", b"k\0v", 1_000), "has more than 1000 chunks beside its pixels"),
    "empty pixels": (with_chunks(b"IDAT", b"", 20_000), "has more than 20000 chunks of pixels"),
}


@pytest.mark.parametrize(("data", "told"), CROWDED.values(), ids=CROWDED)
def test_a_crowded_file_is_refused_unopened(monkeypatch, data, told):
    monkeypatch.setattr(Image, "open", lambda *a, **k: pytest.fail("opened"))
    with pytest.raises(ProblemError) as caught, photos.decode(data, TAKES):
        pass
    assert caught.value.kind.status == 422
    (error,) = caught.value.errors
    assert (error.field, error.message) == ("file", f"{told}; save it anew")


@pytest.mark.parametrize(
    "data",
    [
        PROGRESSIVE,
        with_scans(30),
        with_segments(EMPTY, 900),
        with_segments(b"\xff", 10_000),  # fillers
        with_chunks(b"tEXt", b"k\0v", 900),
        PROGRESSIVE + EMPTY * 5_000 + LAST_SCAN * 100,  # a film behind it, as telephones write them
        with_segments(b"\xff\xe2" + struct.pack(">H", 60_002) + b"\xff\xda" * 30_000, 2),
    ],
    ids=["plain", "scans", "segments", "fillers", "texts", "a tail", "marks inside a segment"],
)
def test_what_an_encoder_may_write_is_taken(data):
    with photos.decode(data, TAKES) as picture:
        assert picture.size == (64, 64)


@pytest.mark.parametrize("data", [PROGRESSIVE, PNG], ids=["JPEG", "PNG"])
def test_a_file_may_end_anywhere(data):
    for end in range(0, len(data), 7):
        pieces.check(data[:end])


def test_other_files_are_not_looked_at():
    pieces.check(b"RIFF" + b"\xff\xda" * 100_000)
    pieces.check(b"")
