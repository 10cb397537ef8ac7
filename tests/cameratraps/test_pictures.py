"""What is sent and shown of a photo."""

import base64
import io
from dataclasses import replace

import pytest
from PIL import Image

from cameratraps import pictures

from .conftest import SPEC, make_photo

TAKES = SPEC.takes


def shown(ready):
    return Image.open(io.BytesIO(base64.b64decode(ready.thumbnail)))


def test_a_photo_goes_as_it_is_with_a_small_thumbnail(tmp_path):
    data = make_photo(tmp_path / "a.jpg", size=(2000, 1000)).read_bytes()
    ready = pictures.make_ready(data, TAKES)
    assert (ready.data, ready.reduced) == (data, False)
    assert shown(ready).size == (128, 64)


def test_the_thumbnail_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = make_photo(tmp_path / "a.jpg", size=(400, 200), exif=exif).read_bytes()
    assert shown(pictures.make_ready(data, TAKES)).size == (64, 128)


@pytest.mark.parametrize(
    "limits", [{"max_pixels": 5_000_000}, {"max_bytes": 60_000}], ids=["pixels", "bytes"]
)
def test_a_photo_beyond_the_models_limits_is_made_smaller(tmp_path, limits):
    data = make_photo(tmp_path / "a.jpg", size=(4000, 3000)).read_bytes()
    ready = pictures.make_ready(data, replace(TAKES, **limits))
    assert ready.reduced
    assert Image.open(io.BytesIO(ready.data)).size == (3000, 2250)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGBA", "png"), ("P", "png"), ("L", "jpeg"), ("I;16", "png"), ("CMYK", "jpeg")],
)
def test_every_kind_of_pixels_gets_a_thumbnail(mode, kind):
    out = io.BytesIO()
    Image.new(mode, (40, 30)).save(out, kind)
    assert shown(pictures.make_ready(out.getvalue(), TAKES)).mode == "RGB"


def damaged():
    out = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(out, "JPEG")
    return out.getvalue()[:2000]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"hello", "is not a JPEG, PNG or WebP picture"),
        (b"GIF89a" + bytes(100), "is not a JPEG, PNG or WebP picture"),
        (damaged(), "is cut off or damaged"),
    ],
    ids=["empty", "text", "gif", "cut"],
)
def test_what_is_no_photo_is_told_in_words(data, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        pictures.make_ready(data, TAKES)


def test_a_bomb_is_refused_by_its_header(monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "_MAX_PIXELS", 100)
    data = make_photo(tmp_path / "a.png", size=(20, 20)).read_bytes()
    with pytest.raises(ValueError, match="has 20 x 20 pixels; at most 100"):
        pictures.make_ready(data, TAKES)
