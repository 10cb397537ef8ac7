"""Hundreds of odd pictures: each is answered rightly or told what is wrong with its field.

All of them go to a service in this process one by one, and to one in a process of its own, whose
memory stays bounded meanwhile.
"""

import io
import itertools
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

SHADE = "/v1/shade/predict"
KINDS = ("JPEG", "PNG", "WEBP")
GREY = [0.5, 0.5, 0.5]
MEMORY_BYTES = 64 * 1024 * 1024
FLAT = Image.new("RGB", (64, 48), (128, 128, 128))
NOISE = Image.fromarray(np.random.default_rng(7).integers(0, 255, (90, 120, 3), np.uint8))
ZEROS = bytes(30_000_000)


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(name, content):
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png(size=(64, 48), *extra, depth=8, colour=2, data=None, interlaced=0, late=()):
    """A PNG that says and holds what one likes; by itself a grey one."""
    rows = (b"\0" + b"\x80" * (3 * size[0])) * size[1] if data is None else data
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced))
    body = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"".join((b"\x89PNG\r\n\x1a\n", head, *extra, body, *late, chunk(b"IEND", b"")))


def with_segments(*segments):
    """A grey JPEG with more marker segments right behind its start."""
    data = encoded(FLAT, "JPEG")
    more = b"".join(b"\xff%c" % m + struct.pack(">H", len(c) + 2) + c for m, c in segments)
    return data[:2] + more + data[2:]


def riff(*chunks):
    """A WebP of these chunks."""
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(width, height, flags=0):
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sides


def exif(**tags):
    found = Image.Exif()
    for tag, value in tags.items():
        found[int(tag[1:])] = value
    return found.tobytes()


WEBP = encoded(FLAT, "WEBP", lossless=True)
VP8L = WEBP[20:]
FRAMES = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]


def truncations():
    for kind in KINDS:
        whole = encoded(NOISE, kind)
        places = {*range(0, 40, 3), *(int(len(whole) * part / 24) for part in range(24))}
        for place in sorted({*places, len(whole) - 30}):
            yield f"{kind} cut at {place}", whole[:place], None


def formats():
    Image.init()
    for kind in sorted(set(Image.SAVE) - {"MPO", *KINDS}):
        for mode in ("RGB", "L", "1"):
            try:
                yield f"{kind} in {mode}", encoded(FLAT.convert(mode), kind), 415
                break
            except Exception:  # noqa: S112  needs another mode, or a library that is not there
                continue


def modes():
    for kind, mode in itertools.product(
        KINDS, ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")
    ):
        try:
            data = encoded(FLAT.convert(mode), kind)
        except (OSError, ValueError):
            continue
        yield f"{kind} in {mode}", data, None if mode in ("1", "CMYK", "I;16") else GREY
    for depth, colour in (
        (1, 0),
        (2, 0),
        (4, 0),
        (8, 0),
        (16, 0),
        (16, 2),
        (8, 4),
        (16, 4),
        (16, 6),
    ):
        samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
        rows = (b"\0" + bytes((64 * samples * depth + 7) // 8)) * 48
        data = png(depth=depth, colour=colour, data=rows)
        yield f"PNG of depth {depth}, colour {colour}", data, [1] * 3 if colour > 2 else [0] * 3
    yield "PNG interlaced", png(interlaced=1, data=bytes(64 * 48 * 4)), [0, 0, 0]
    for options in ({"progressive": True}, {"optimize": True}, {"subsampling": 0}, {"quality": 1}):
        yield f"JPEG {options}", encoded(FLAT, "JPEG", **options), GREY
    for depth, colour in ((3, 2), (8, 1), (1, 2), (255, 2), (8, 7), (16, 3), (0, 0)):
        yield f"PNG of no depth {depth}, colour {colour}", png(depth=depth, colour=colour), 4


def sizes():
    for side in itertools.product((0, 1, 20_001, 65_535, 2**31 - 1, 2**31, 2**32 - 1), repeat=2):
        if side != (1, 1):
            yield f"PNG of {side}", png(side, data=b""), 4
    for width, height in ((0, 0), (0, 40), (40, 0), (65_535, 65_535), (65_535, 1), (1, 65_535)):
        data = bytearray(encoded(NOISE, "JPEG"))
        start = data.index(b"\xff\xc0") + 5
        data[start : start + 4] = struct.pack(">HH", height, width)
        yield f"JPEG of {width} x {height}", bytes(data), 4
    for width, height in ((1, 2**24), (2**24, 1), (2**24, 2**24), (16_384, 16_384), (63, 48)):
        yield f"WebP of {width} x {height}", riff(extended(width, height), (b"VP8L", VP8L)), 4
    yield "one pixel", encoded(FLAT.resize((1, 1)), "PNG"), GREY
    for size in ((20_000, 1), (1, 20_000)):
        yield f"PNG of {size}", png(size), GREY


def bombs():
    for name, head in ((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"k\0\0")):
        packed = chunk(name, head + zlib.compress(ZEROS, 9))
        for count in (1, 5):
            yield f"{count} {name} before", png((64, 48), *[packed] * count), 422
        yield f"{name} behind", png(late=[packed]), None
        small = chunk(name, head + zlib.compress(ZEROS[:1_000_000], 9))
        yield f"100 small {name}", png((64, 48), *[small] * 100), 422
        yield f"{name} that is no zlib", png((64, 48), chunk(name, head + b"\xff" * 50)), None
    yield "10,000 texts", png((64, 48), *[chunk(b"tEXt", b"k\0v")] * 10_000), 422
    yield "a long text", png((64, 48), chunk(b"tEXt", b"k\0" + b"v" * 150_000)), GREY
    yield "more pixels than it says", png(data=(b"\0" + bytes(192)) * 48 + ZEROS), [0, 0, 0]
    # Whole by its own checksums: what is not there is black, as decoders have it.
    yield "fewer pixels than it says", png(data=b"\0" + b"\xff" * 192), [1 / 48] * 3
    yield "a million pixels", png((1000, 1000), data=(b"\0" + bytes(3000)) * 1000), [0, 0, 0]
    yield "a pixel more", png((1000, 1001), data=b""), 422
    yield (
        "a chunk that says 2 GB",
        png()[:33] + struct.pack(">I", 2**31 - 1) + b"tEXt" + bytes(99),
        4,
    )
    for marker in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE, 0xDB, 0xC4, 0xDD):
        yield f"a JPEG with 64 KB of {marker:x}", with_segments((marker, bytes(65_533))), None
        yield f"a JPEG with 500 of {marker:x}", with_segments(*[(marker, bytes(4))] * 500), None
    for name in (b"ICC_PROFILE\0\1\xff", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"MPF\0"):
        filled = (0xE1 if name[:1] in b"Eh" else 0xE2, name + bytes(60_000))
        yield f"a JPEG with two of {name[:4]}", with_segments(filled, filled), None
    yield "a JPEG of 200 scans", jpeg_of_scans(200), 422


def jpeg_of_scans(count):
    """The last scan of a progressive picture, again and again."""
    data = encoded(NOISE.resize((32, 32)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def polyglots():
    others = {
        "zip": b"PK\x03\x04" + bytes(60),
        "html": b"<script>alert(1)</script>",
        "pdf": b"%PDF-1.7\n%%EOF",
        "php": b"<?php system('id'); ?>",
        "gif": encoded(FLAT, "GIF"),
        "elf": b"\x7fELF" + bytes(60),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for (name, other), kind in itertools.product(others.items(), KINDS):
        yield f"{kind}, then {name}", encoded(FLAT, kind) + other, GREY
        yield f"{name}, then {kind}", other + encoded(FLAT, kind), 415
    for name, other in others.items():
        yield f"{name} in a JPEG", with_segments((0xFE, other)), GREY
        yield f"{name} in a PNG", png((64, 48), chunk(b"tEXt", b"k\0" + other)), GREY
    for first, second in itertools.permutations(KINDS, 2):
        yield f"{first} and {second}", encoded(FLAT, first) + encoded(NOISE, second), GREY


def metadata():
    odd = {
        "orientation 0": exif(t274=0),
        "orientation 9": exif(t274=9),
        "orientation 65535": exif(t274=65_535),
        "orientation a text": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\2\0\4\0\0\0six\0\0\0\0\0",
        "nothing": b"Exif\0\0",
        "no header": b"II*\0",
        "cut off": exif(t274=6)[:-6],
        "far away": b"Exif\0\0II*\0\xff\xff\xff\xff",
        "round in circles": b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0",
        "65535 entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\1\3\0\1\0\0\0\6\0\0\0" * 99,
        "a count of 4 billion": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\xff\xff\xff\xff\0\6\0\0",
        "noise": b"Exif\0\0" + bytes(range(256)) * 20,
        "a long text": exif(t270="x" * 30_000),
    }
    for (name, content), kind in itertools.product(odd.items(), KINDS):
        yield f"{kind}, EXIF: {name}", encoded(FLAT, kind, exif=content), GREY
    for kind in KINDS:
        yield f"{kind}, a wrong profile", encoded(FLAT, kind, icc_profile=b"no profile" * 99), GREY
        yield f"{kind}, XMP that is none", encoded(FLAT, kind, xmp=b"<x:xmpmeta" * 99), GREY
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 9\nnot hexadecimal")
    yield "PNG, EXIF as a text that is none", encoded(FLAT, "PNG", pnginfo=info), GREY


def frames():
    for kind in ("PNG", "WEBP"):
        whole = encoded(FRAMES[0], kind, save_all=True, append_images=FRAMES[1:], duration=50)
        yield f"{kind} animated", whole, 422
        yield f"{kind} animated, cut off", whole[: len(whole) // 2], 4
    yield (
        "PNG that says a billion frames",
        png((64, 48), chunk(b"acTL", b"\x3b\x9a\xca\0" * 2)),
        422,
    )
    for told in (0, 1):
        yield (
            f"PNG that says {told} frames",
            png((64, 48), chunk(b"acTL", bytes([0, 0, 0, told] * 2))),
            None,
        )
    yield "MPO", encoded(FLAT, "MPO", save_all=True, append_images=FRAMES), GREY
    frame = (
        bytes(6) + b"\x3f\0\0\x2f\0\0" + bytes(4) + b"VP8L" + struct.pack("<I", len(VP8L)) + VP8L
    )
    many = [extended(64, 48, 2), (b"ANIM", bytes(6)), *[(b"ANMF", frame)] * 500]
    yield "WebP of 500 frames", riff(*many), 4
    yield "WebP extended", riff(extended(64, 48), (b"VP8L", VP8L)), GREY
    for name in (b"EXIF", b"XMP ", b"ICCP", b"ALPH", b"JUNK"):
        more = (name, b"\xff" * 50_000)
        yield f"WebP with a wrong {name}", riff(extended(64, 48, 0x3C), more, (b"VP8L", VP8L)), None
        yield f"WebP with a late {name}", riff(extended(64, 48, 0), (b"VP8L", VP8L), more), None
    for flags in (0xFF, 0x02, 0x10):
        yield f"WebP of flags {flags:x}", riff(extended(64, 48, flags), (b"VP8L", VP8L)), None
    for options in ({"quality": 1}, {"quality": 100}, {"method": 6}, {"exact": True}):
        yield f"WebP {options}", encoded(FLAT, "WEBP", **options), GREY
    for length in (0, 4, 2**31, 2**32 - 1):
        yield (
            f"WebP that says {length} bytes",
            WEBP[:4] + struct.pack("<I", length) + WEBP[8:],
            None,
        )


GROUPS = (truncations, formats, modes, sizes, bombs, polyglots, metadata, frames)


@pytest.fixture(scope="module")
def corpus():
    """Group to its files: name, bytes, and what has to come.

    That is a colour, a status, 4 for any refusal, or None for either.
    """
    return {group.__name__: list(group()) for group in GROUPS}


def test_there_are_more_than_three_hundred_pictures(corpus):
    names = [name for files in corpus.values() for name, _, _ in files]
    assert len(set(names)) == len(names) > 300
    assert len(corpus["formats"]) >= 15
    assert features.check("webp")
    assert all(len(data) <= 200_000 for files in corpus.values() for _, data, _ in files)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("group", [group.__name__ for group in GROUPS])
def test_each_is_answered_rightly_or_told_what_is_wrong(service, corpus, group):
    wrong = {}
    for name, data, expected in corpus[group]:
        answer = service.post(SHADE, content=data, headers={"content-type": "image/png"})
        if not is_right(answer.status_code, answer.json(), expected):
            wrong[name] = (expected, answer.status_code, answer.text[:300])
    assert not wrong


def is_right(status, document, expected):
    if status == 200:
        colour = document["colour"]
        near = isinstance(expected, list) and np.abs(np.subtract(colour, expected)).max() < 0.02
        return near or (expected is None and all(0 <= part <= 1 for part in colour))
    if status not in (415, 422) or isinstance(expected, list) or expected not in (None, 4, status):
        return False
    (error,) = document["errors"]
    return error["field"] == "file" and bool(error["message"])


def test_a_cut_off_picture_is_never_answered(service, corpus):
    for _, data, _ in corpus["truncations"][:-1]:
        if not data.endswith((b"\xff\xd9", b"IEND\xaeB`\x82")):
            answer = service.post(SHADE, content=data, headers={"content-type": "image/png"})
            assert answer.status_code in (415, 422)


def memory_bytes(service):
    text = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)[1]) * 1024


def test_all_of_them_need_little_memory_and_nothing_breaks(run, corpus):
    running = run()
    running.wait()
    files = [data for group in corpus.values() for _, data, _ in group]
    plain = png((1000, 1000))

    client = httpx.Client(base_url=running.url, headers={"content-type": "image/png"}, timeout=60)

    def send(data):
        return client.post(SHADE, content=data).status_code

    with client, ThreadPoolExecutor(2) as pool:
        assert set(pool.map(send, [plain] * 8)) == {200}  # what the largest good ones need
        before = memory_bytes(running)
        statuses = list(pool.map(send, files))
    assert set(statuses) <= {200, 415, 422}
    assert memory_bytes(running) - before < MEMORY_BYTES
    assert "Traceback" not in running.log()
    assert '"level":"error"' not in running.log()
