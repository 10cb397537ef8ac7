"""Makes a photo ready: a thumbnail for the page, and a smaller copy where a model takes less."""

import base64
import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from bentos.spec import Photo

THUMBNAIL_PX = 128
"""Longest side: 1.5 to 2.5 KB, so that 10,000 of them make a page of some 25 MB."""

_FORMATS = ("JPEG", "PNG", "WEBP")
_THUMBNAIL_QUALITY = 50
_REDUCED_PX, _REDUCED_QUALITY = 3000, 90
_MAX_PIXELS = 200_000_000  # 600 MB when decoded
_WHITE = (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A photo that can be sent.

    Attributes:
        data: the file, or a smaller copy of it.
        thumbnail: WebP in base64.
    """

    data: bytes
    reduced: bool
    thumbnail: str


def make_ready(data: bytes, takes: Photo) -> Ready:
    """Checks a photo, and makes what is sent and shown of it.

    Args:
        data: a file's bytes.
        takes: limits of the model.

    Raises:
        ValueError: no photo, or a damaged one; the reason in words.
    """
    if not data:
        raise ValueError("is empty")
    picture = _open(data)
    pixels = picture.width * picture.height
    if pixels > _MAX_PIXELS:
        raise ValueError(
            f"has {picture.width} x {picture.height} pixels; at most {_MAX_PIXELS} are taken"
        )
    large = pixels > takes.max_pixels or len(data) > takes.max_bytes
    sent = _encoded(_upright(picture, _REDUCED_PX), "JPEG", _REDUCED_QUALITY) if large else data
    small = _upright(_open(data), THUMBNAIL_PX)
    shown = base64.b64encode(_encoded(small, "WEBP", _THUMBNAIL_QUALITY)).decode()
    return Ready(data=sent, reduced=large, thumbnail=shown)


def _open(data: bytes) -> Image.Image:
    # Pillow's own limit is one for the process; here each photo's header is looked at.
    Image.MAX_IMAGE_PIXELS = None
    try:
        return Image.open(BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise ValueError("is not a JPEG, PNG or WebP picture") from None
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged bytes
        raise ValueError("is cut off or damaged") from error


def _upright(picture: Image.Image, side: int) -> Image.Image:
    """In RGB, as it was held, its longer side at most `side`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata
            picture.draft("RGB", (side, side))  # JPEG: decodes an eighth of it, eight times faster
            picture.load()
            picture.thumbnail((side, side))
            return _rgb(_turned(picture))
    except Exception as error:  # as above
        raise ValueError("is cut off or damaged") from error


def _turned(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # broken metadata does not make a broken picture
        return picture


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel
        return picture.convert("I").point(lambda level: level / 256).convert("L").convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    canvas = Image.new("RGB", picture.size, _WHITE)
    canvas.paste(picture, mask=picture.getchannel("A"))
    return canvas


def _encoded(picture: Image.Image, form: str, quality: int) -> bytes:
    out = BytesIO()
    picture.save(out, form, quality=quality)
    return out.getvalue()
