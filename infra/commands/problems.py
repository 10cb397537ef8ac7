"""The edge's own answers: problem documents (RFC 9457) as they stand in HAProxy's configuration."""

import json

REQUEST_ID = "%[var(txn.request_id),json(utf8s)]"
"""Of the request that is answered: a log format."""


def quoted(status: int, title: str, detail: str, request_id: str | None = None) -> str:
    """A problem document as it stands between quotes; `request_id` is a log format, in quotes."""
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    text = json.dumps(problem, separators=(",", ":"))
    if request_id is not None:
        text = f'{text[:-1]},"request_id":"{request_id}"}}'
    return text.replace("\\", "\\\\").replace('"', '\\"')


def rules() -> list[str]:
    """What stands for HAProxy's own error pages."""
    told = (
        (400, "Bad Request", "The edge cannot read this as HTTP/1.1."),
        (408, "Request Timeout", "The request did not arrive in time."),
        (502, "Bad Gateway", "The replica broke off its answer."),
        (503, "Service Unavailable", "No replica took the request in time."),
        (504, "Gateway Timeout", "The replica did not answer in time."),
    )
    return [
        f"http-error status {status} content-type application/problem+json "
        f'string "{quoted(status, title, detail)}"{" hdr Retry-After 2" if status == 503 else ""}'
        for status, title, detail in told
    ]
