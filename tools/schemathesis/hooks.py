"""What schemathesis cannot know of this API: what a picture is, and where a batch tells errors."""

import random
import struct
import zlib
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.file_samples import MEDIA_TYPE_FILE_SAMPLES
from schemathesis.core.parameters import ParameterLocation

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by PNG's colour type: grey, RGB, and both with alpha
_BATCH = "/predict/batch"


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """A PNG of any small size, colour type and content."""
    width, height = draw(st.integers(1, 48)), draw(st.integers(1, 48))
    colour, channels = draw(st.sampled_from(sorted(_CHANNELS.items())))
    row = b"\0" + draw(st.binary(min_size=width * channels, max_size=width * channels))
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


schemathesis.openapi.format("binary", pictures())


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Wrong photos are half a picture or a picture's head and noise, not only other types."""
    sample = MEDIA_TYPE_FILE_SAMPLES.get(case.media_type)
    if sample is None or not _is_wrong(case):
        return
    chance = random.Random(repr(case.body))  # noqa: S311  the same case, the same picture
    if chance.random() < 0.5:
        case.body = sample[: chance.randrange(len(sample) // 2)]
    else:
        case.body = sample[: chance.randrange(4, 40)] + chance.randbytes(chance.randrange(400))


@schemathesis.check
def wrong_items_are_told(ctx: Any, response: Any, case: Any) -> None:
    """A batch with something wrong that is answered at all has an error in its place."""
    is_batch = case.operation.path.endswith(_BATCH)
    if is_batch and _is_wrong(case) and response.status_code == 200:
        items = response.json()["items"]
        if not any("error" in item for item in items):
            raise AssertionError("every item of a wrong batch has an answer")


def _is_wrong(case: Any) -> bool:
    return case.meta is not None and case.meta.is_negative_at(ParameterLocation.BODY)
