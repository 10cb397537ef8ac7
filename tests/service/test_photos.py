"""Photos: what is taken, and why others are not."""

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from bentos.spec import Photo
from service.api import photos
from service.api.problems import ProblemError

TAKES = Photo(max_bytes=500_000, max_pixels=100_000, batch_items=4, examples="unused")
RED = (250, 5, 5)


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(kind="JPEG", mode="RGB", colour=RED, size=(40, 30), **options):
    return encoded(Image.new(mode, size, colour), kind, **options)


def png(width, height, data=b"", depth=8):
    """A PNG with a head that says what one likes."""

    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def decoded(data):
    with photos.decode(data, TAKES) as image:
        return image.copy()


def refusal(data):
    with pytest.raises(ProblemError) as caught:
        decoded(data)
    return caught.value


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_are_taken_by_content(kind):
    image = decoded(picture(kind))
    assert (image.mode, image.size) == ("RGB", (40, 30))
    assert np.abs(np.asarray(image)[5, 5].astype(int) - RED).max() < 12


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO", "PDF", "TGA", "JPEG2000"])
def test_other_formats_are_not(kind):
    assert refusal(picture(kind)).kind.status == 415


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"https://example.org/photo.jpg",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bytes(1000),
        b"\x80\x04\x95cos\nsystem\n.",
    ],
)
def test_what_is_no_picture_is_not_taken(data):
    assert refusal(data).kind.status == 415


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_picture_that_is_cut_off_is_invalid(kind, kept):
    noise = np.random.default_rng(3).integers(0, 255, (90, 120, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert refusal(data[: int(len(data) * kept)]).kind.status in (415, 422)


def test_damage_inside_is_invalid():
    data = bytearray(picture("PNG", size=(120, 90)))
    data[60:90] = bytes(30)
    assert refusal(bytes(data)).kind.status == 422


def test_too_many_pixels_are_refused_from_the_header_alone():
    problem = refusal(png(1000, 101))  # holds no pixel at all
    assert problem.kind.status == 422
    assert problem.errors[0].message == "has 1000 x 101 pixels; at most 100000 are taken"


def test_a_picture_of_very_many_rows_is_refused():
    assert "20000 a side" in refusal(png(1, 20_001)).errors[0].message
    assert "20000 a side" in refusal(png(20_001, 1)).errors[0].message


def test_large_pictures_wait_for_each_other():
    room = photos.Room(100)
    inside, most = set(), []

    def work(number):
        with room.take((60, 1000, 40)[number % 3]):
            inside.add(number)
            most.append(sum((60, 100, 40)[n % 3] for n in list(inside)))
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(300)))
    assert max(most) <= 100
    assert len(most) == 300


def turned(kind, mode="RGB"):
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.new(mode, (40, 30)), kind, exif=exif.tobytes())


@pytest.mark.parametrize(
    ("data", "bytes_per_pixel"),
    [
        (picture("JPEG"), 4),
        (picture("JPEG", "CMYK", (0, 0, 0, 0)), 8),
        (turned("JPEG"), 8),
        (picture("PNG"), 13),
        (turned("PNG", "RGBA"), 13),
        (picture("WEBP"), 20),
    ],
    ids=["plain", "four colours", "turned", "PNG", "PNG, turned", "WebP"],
)
def test_a_picture_takes_the_room_that_its_decoder_needs(data, bytes_per_pixel):
    free = photos._room._free
    with photos.decode(data, TAKES):
        assert free - photos._room._free == 40 * 30 * bytes_per_pixel
    assert photos._room._free == free


def test_a_broken_picture_gives_its_room_back():
    free = photos._room._free
    refusal(picture("PNG", size=(120, 90))[:200])
    assert photos._room._free == free


@pytest.mark.parametrize(("width", "height"), [(2**31 - 1, 2**31 - 1), (65535, 65535), (0, 5)])
def test_bombs_and_empty_pictures_are_refused(width, height):
    assert refusal(png(width, height)).kind.status in (415, 422)


def test_too_many_bytes_are_too_large():
    assert refusal(picture() + bytes(TAKES.max_bytes)).kind.status == 413


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animated_picture_is_refused(kind):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert "animated" in refusal(data).errors[0].message


def test_the_first_picture_of_a_telephones_jpeg_counts():
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, "blue")]
    image = decoded(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert np.abs(np.asarray(image)[5, 5].astype(int) - RED).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_in_the_metadata_is_applied(kind, orientation):
    upright = Image.new("RGB", (60, 40), "black")
    upright.paste((255, 255, 255), (0, 0, 20, 10))  # a light corner at the top left
    back = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if back is None else upright.transpose(back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decoded(encoded(stored, kind, exif=exif.tobytes()))
    assert image.size == (60, 40)
    assert image.getpixel((5, 4))[0] > 200
    assert image.getpixel((50, 35))[0] < 60


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_metadata_does_not_break_a_picture():
    data = picture(exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert decoded(data).size == (40, 30)


@pytest.mark.parametrize(
    ("kind", "mode", "colour", "expected"),
    [
        ("JPEG", "L", 200, (200, 200, 200)),
        ("JPEG", "CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("PNG", "1", 1, (255, 255, 255)),
        ("PNG", "LA", (10, 0), (255, 255, 255)),
        ("PNG", "RGBA", (*RED, 255), RED),
        ("PNG", "RGBA", (*RED, 0), (255, 255, 255)),
        ("PNG", "I;16", 40000, (156, 156, 156)),
        ("WEBP", "RGBA", (*RED, 0), (255, 255, 255)),
    ],
)
def test_every_mode_becomes_rgb_on_white(kind, mode, colour, expected):
    image = decoded(picture(kind, mode, colour))
    assert image.mode == "RGB"
    assert np.abs(np.array(image.getpixel((5, 5))) - expected).max() < 8


def test_a_palette_with_transparency_becomes_white():
    image = Image.new("P", (20, 20), 0)
    image.putpalette([*RED, 0, 0, 255])
    assert decoded(encoded(image, "PNG", transparency=0)).getpixel((3, 3)) == (
        255,
        255,
        255,
    )
