"""Counts the pieces that a picture's file is made of; decodes none.

For each piece a decoder does work that its bytes do not show: one more scan of a JPEG is 40 bytes
and a pass over all pixels, one more profile of a PNG a kilobyte and a megabyte to unpack.
"""

import re
import struct
from typing import Final

from service import contract
from service.api import problems

MAX_SCANS: Final = 50  # encoders write up to 20
MAX_PIECES: Final = 1000  # segments of a JPEG, chunks of a PNG beside its pixels; cameras write 30
MAX_PIXEL_CHUNKS: Final = 20_000  # of a PNG; usually 8 KB each
MAX_PROFILES: Final = 1  # as PNG has it

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# What a decoder stops at: all but escaped bytes, fillers and the marks between a scan's parts.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_SCAN, _END, _LONE = 0xDA, 0xD9, 0x01
_PIXELS = (b"IDAT", b"fdAT")
_PROFILE = b"iCCP"


def check(data: bytes) -> None:
    """Stops a file with more pieces than any encoder writes.

    Raises:
        ProblemError: 422, names the pieces.
    """
    if data.startswith(_JPEG):
        _check_jpeg(data)
    elif data.startswith(_PNG):
        _check_png(data)


def _check_jpeg(data: bytes) -> None:
    scans = segments = 0
    position = 2
    while (found := _MARKER.search(data, position)) is not None:
        kind, position = found[1][0], found.end()
        if kind == _END:
            return
        scans += kind == _SCAN
        segments += 1
        _refuse_above(MAX_SCANS, scans, "scans")
        _refuse_above(MAX_PIECES, segments, "segments")
        if kind == _LONE:
            continue
        if position + 2 > len(data):
            return
        position += struct.unpack_from(">H", data, position)[0]


def _check_png(data: bytes) -> None:
    chunks = pixels = profiles = 0
    position = len(_PNG)
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        position += length + 12
        profiles += name == _PROFILE
        if name in _PIXELS:
            pixels += 1
        else:
            chunks += 1
        _refuse_above(MAX_PROFILES, profiles, "colour profiles")
        _refuse_above(MAX_PIECES, chunks, "chunks beside its pixels")
        _refuse_above(MAX_PIXEL_CHUNKS, pixels, "chunks of pixels")


def _refuse_above(most: int, count: int, pieces: str) -> None:
    if count > most:
        raise problems.invalid_field(
            contract.PHOTO_PART, f"has more than {most} {pieces}; save it anew"
        )
