"""Takes a multipart/form-data body apart, in memory; believes no file name or type in it."""

import logging
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service import contract
from service.api import problems

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MAX_BOUNDARY_BYTES = 70  # RFC 2046
# What is wrong with a body its sender is told; it is no fault of ours that the log should have.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def parts(body: bytes, content_type: bytes, most: int) -> list[bytes]:
    """The contents of the parts named `file`, in order.

    Args:
        body: the whole body.
        content_type: the header, with the boundary.
        most: parts beyond it are the client's error.

    Raises:
        ProblemError: not multipart, cut off, no part, too many, or one of another name.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY_BYTES:
        raise problems.ProblemError(problems.BAD_REQUEST, "Content-Type: the boundary is missing.")
    collector = _Collector(most)
    parser = MultipartParser(boundary, collector.callbacks())
    try:
        parser.write(body)
    except FormParserError as error:
        raise problems.ProblemError(
            problems.BAD_REQUEST, f"The multipart body cannot be read ({error})."
        ) from error
    if not collector.complete:
        raise problems.ProblemError(problems.BAD_REQUEST, "The multipart body is cut off.")
    if not collector.contents:
        raise problems.invalid_field(contract.PHOTO_PART, "is missing")
    return collector.contents


class _Collector:
    """Gathers what the parser tells."""

    def __init__(self, most: int) -> None:
        self.contents: list[bytes] = []
        self.complete = False
        self._most = most
        self._chunks: list[bytes] = []
        self._header = b""
        self._value = b""
        self._name = b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._check_name,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.contents) == self._most:
            raise problems.invalid_field(contract.PHOTO_PART, f"at most {self._most} are taken")
        self._chunks = []
        self._name = b""

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._name = parse_options_header(self._value)[1].get(b"name", b"")
        self._header = self._value = b""

    def _check_name(self) -> None:
        if self._name != contract.PHOTO_PART.encode():
            name = self._name.decode("utf-8", "replace")[:60]
            raise problems.invalid_field(
                name, f"is unknown; send the photo as {contract.PHOTO_PART!r}"
            )

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def _end(self) -> None:
        self.contents.append(b"".join(self._chunks))

    def _finish(self) -> None:
        self.complete = True
