"""Turns a client's bytes into a picture, or says why not; runs in a thread, never in the loop.

JPEG, PNG and WebP by content alone; sizes are checked from the header, before anything is decoded.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from typing import Final

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from bentos.spec import Photo
from service import contract
from service.api import pieces, problems

_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_ORIENTATION_TAG: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BACKGROUND: Final = (255, 255, 255)
# The most that decoding takes, measured: WebP's own decoder keeps two pictures beside the result,
# transparency and 16 bits need one or two more, and so does turning.
_BYTES_PER_PIXEL: Final = {"JPEG": 8, "MPO": 8, "PNG": 13, "WEBP": 20}
_PLAIN_BYTES: Final = 4  # per pixel of a JPEG that is as it should be

# Each model has its own limit, checked below; Pillow's is one for the process and only warns.
Image.MAX_IMAGE_PIXELS = None
# Texts in a PNG, unpacked and kept: nobody reads them.
PngImagePlugin.MAX_TEXT_MEMORY = 4 * 1024 * 1024
# Damaged metadata is the client's affair; Python would remember each such warning for ever.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes, takes: Photo) -> AbstractContextManager[Image.Image]:
    """The picture, upright and RGB, for as long as the context lasts.

    Waits for other photos in memory to go where all together would be too large.

    Raises:
        ProblemError: not one of the formats, too large, in too many pieces, animated, or broken.
    """
    if len(data) > takes.max_bytes:
        raise problems.too_large(contract.PHOTO_PART, takes.max_bytes)
    pieces.check(data)
    picture = _open(data)
    _check(picture, takes)
    return _decoded(picture)


@contextmanager
def _decoded(picture: Image.Image) -> Iterator[Image.Image]:
    with _room.take(_needed_bytes(picture)):
        try:
            yield _loaded(picture)
        finally:
            picture.close()  # an error that is kept for a while keeps it too, but not its pixels


def _loaded(picture: Image.Image) -> Image.Image:
    try:
        picture.load()
        return _rgb(_upright(picture))
    except Exception as error:  # Pillow's decoders raise a dozen types on hostile bytes
        raise _broken(error) from error


class Room:
    """A number of bytes that threads share."""

    def __init__(self, size: int) -> None:
        """All of it is free."""
        self._size = size
        self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Waits until so many are free; a picture that is larger than all waits for all."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


_room = Room(contract.DECODED_BYTES)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise problems.ProblemError(
            problems.UNSUPPORTED,
            "The content is not a JPEG, PNG or WebP picture.",
            errors=[problems.FieldError(contract.PHOTO_PART, "is not JPEG, PNG or WebP")],
        ) from None
    except Exception as error:  # as above
        raise _broken(error) from error


def _check(picture: Image.Image, takes: Photo) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise problems.invalid_field(contract.PHOTO_PART, "has no pixels")
    if width * height > takes.max_pixels:
        raise problems.invalid_field(
            contract.PHOTO_PART,
            f"has {width} x {height} pixels; at most {takes.max_pixels} are taken",
        )
    if max(width, height) > contract.PHOTO_SIDE_PIXELS:
        raise problems.invalid_field(
            contract.PHOTO_PART,
            f"has {width} x {height} pixels; at most {contract.PHOTO_SIDE_PIXELS} a side are taken",
        )
    # Telephones write JPEGs with more pictures behind the first (depth, light): that one counts.
    if picture.format in ("PNG", "WEBP") and getattr(picture, "n_frames", 1) > 1:
        raise problems.invalid_field(contract.PHOTO_PART, "is animated; send a still picture")


def _needed_bytes(picture: Image.Image) -> int:
    kind = str(picture.format)
    # Only a JPEG tells all of it before it is decoded.
    is_plain = kind in ("JPEG", "MPO") and picture.mode == "RGB" and _turn(picture) is None
    each = _PLAIN_BYTES if is_plain else _BYTES_PER_PIXEL[kind]
    return picture.width * picture.height * each


def _turn(picture: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # broken metadata does not make a broken picture
        return None


def _upright(picture: Image.Image) -> Image.Image:
    turn = _turn(picture)
    return picture if turn is None else picture.transpose(turn)


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel
        picture = picture.convert("I").point(lambda level: level / 256).convert("L")
    if picture.has_transparency_data:
        if picture.mode != "RGBA":
            picture = picture.convert("RGBA")
        canvas = Image.new("RGB", picture.size, _BACKGROUND)
        canvas.paste(picture, mask=picture.getchannel("A"))
        return canvas
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _broken(error: Exception) -> problems.ProblemError:
    return problems.ProblemError(
        problems.INVALID,
        "The picture cannot be decoded: it is cut off or damaged.",
        errors=[problems.FieldError(contract.PHOTO_PART, "is cut off or damaged")],
        reason=f"{type(error).__name__}: {error}"[:200],
    )
