"""Everything that is not a good answer: RFC 9457 problems, one kind per cause."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from service import contract

_TYPE_PREFIX = "urn:bentofleet:problem:"
_MAX_ERRORS = 64
_MAX_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of problem; its `type` and `title` never change."""

    slug: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The problem's `type`, a name and not an address."""
        return _TYPE_PREFIX + self.slug


BAD_REQUEST = Kind(slug="bad-request", status=400, title="The request cannot be read")
UNAUTHORIZED = Kind(slug="unauthorized", status=401, title="A valid token is needed")
FORBIDDEN = Kind(slug="forbidden", status=403, title="The token does not allow this")
NOT_FOUND = Kind(slug="not-found", status=404, title="There is nothing here")
METHOD = Kind(slug="method-not-allowed", status=405, title="Not with this method")
TOO_LARGE = Kind(slug="too-large", status=413, title="The request is too large")
UNSUPPORTED = Kind(slug="unsupported-type", status=415, title="This type of content is not taken")
INVALID = Kind(slug="invalid-input", status=422, title="The input is not valid")
INTERNAL = Kind(slug="internal", status=500, title="The service failed")
TOO_MANY = Kind(slug="too-many", status=429, title="Too much at a time for one caller")
BUSY = Kind(slug="busy", status=503, title="Not now")
TIMED_OUT = Kind(slug="timed-out", status=504, title="No answer in time")
KINDS = (
    BAD_REQUEST,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD,
    TOO_LARGE,
    UNSUPPORTED,
    INVALID,
    TOO_MANY,
    INTERNAL,
    BUSY,
    TIMED_OUT,
)

_RETRY = ((b"retry-after", str(contract.RETRY_AFTER_S).encode()),)

# The same for every cause, so that the answer does not help to guess a token.
_UNAUTHORIZED_DETAIL = "Send a valid token: `Authorization: Bearer <token>`."


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; the whole body has the empty name."""

    field: str
    message: str


class ProblemError(Exception):
    """Ends a request, or one item of a batch, with a problem."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: tuple[tuple[bytes, bytes], ...] = (),
        reason: str | None = None,
    ) -> None:
        """All of it but `reason` reaches the client.

        Args:
            kind: of the problem.
            detail: what happened and what to do, one sentence or two.
            errors: where fields are wrong.
            headers: for the answer.
            reason: for the log alone.
        """
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors[:_MAX_ERRORS]
        self.headers = headers
        self.reason = reason

    def document(self, request_id: str) -> bytes:
        """The body of the answer."""
        document: dict[str, object] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [_plain(error) for error in self.errors]
        return orjson.dumps(document)

    def as_item(self) -> dict[str, object]:
        """The error of one item in a batch."""
        item: dict[str, object] = {
            "status": self.kind.status,
            "title": self.kind.title,
            "detail": self.detail,
            "field": self.errors[0].field if self.errors else None,
        }
        if self.errors:
            item["errors"] = [_plain(error) for error in self.errors]
        return item


def unauthorized(reason: str) -> ProblemError:
    """No valid token; `reason` goes to the log, the client learns nothing of it."""
    return ProblemError(
        UNAUTHORIZED,
        _UNAUTHORIZED_DETAIL,
        headers=((b"www-authenticate", b'Bearer realm="bentofleet"'),),
        reason=reason,
    )


def invalid(errors: Sequence[FieldError]) -> ProblemError:
    """Wrong fields, all of them named in the detail too."""
    named = "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors[:5])
    more = f"; and {len(errors) - 5} more" if len(errors) > 5 else ""
    return ProblemError(INVALID, f"{named}{more}.", errors=errors)


def invalid_field(field: str, message: str) -> ProblemError:
    """One wrong field."""
    return invalid([FieldError(field, message)])


def too_large(what: str, limit_bytes: int) -> ProblemError:
    """More bytes than the route takes."""
    return ProblemError(TOO_LARGE, f"{what}: at most {limit_bytes} bytes are taken.")


def busy(detail: str) -> ProblemError:
    """Try again later."""
    return ProblemError(BUSY, detail, headers=_RETRY)


def too_many(what: str) -> ProblemError:
    """The caller's own share is used up, while there is still room for others."""
    detail = f"Your requests in progress hold too many {what}. Wait for their answers."
    return ProblemError(TOO_MANY, detail, headers=_RETRY)


def shown(value: object) -> str:
    """A client's value, short enough to be told back."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _plain(error: FieldError) -> dict[str, str]:
    return {"field": error.field, "message": error.message}
