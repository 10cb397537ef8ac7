"""The table in docs/doctor.md, made from what the doctor can find."""

from collections.abc import Iterator
from pathlib import Path

from infra.doctor import examine, expiry, here, line
from infra.doctor.checks import card, clock, driver, engine, kernel, ports, registry, room, system
from infra.doctor.kinds import SEVERITIES, Kind, kinds_in

MODULES = (
    examine,
    line,
    ports,
    system,
    engine,
    room,
    clock,
    registry,
    driver,
    card,
    kernel,
    here,
    expiry,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"
MARK = "<!-- Below: made by `python -m infra.reference`. -->\n"


def page() -> str:
    """The whole page: what stands above the mark is written by hand."""
    return PAGE.read_text().partition(MARK)[0] + MARK + "\n".join(["", *_rows()]) + "\n"


def kinds() -> list[Kind]:
    """Everything that can be found, by its subject and then the worst first."""
    every = [kind for module in MODULES for kind in kinds_in(vars(module))]
    own = {kind.code: kind for kind in every}
    subjects = list(dict.fromkeys(kind.code.partition(".")[0] for kind in own.values()))
    return sorted(
        own.values(),
        key=lambda k: (subjects.index(k.code.partition(".")[0]), SEVERITIES.index(k.severity)),
    )


def _rows() -> Iterator[str]:
    yield "| finding | severity | what | cure |"
    yield "|---|---|---|---|"
    for kind in kinds():
        what = _PASSED_ON.get(kind.code, kind.what)
        cure = kind.cure if kind.code not in _PASSED_ON else "as it says"
        yield f"| `{kind.code}` | {kind.severity} | {_cell(what)} | {_cell(cure)} |"


_PASSED_ON = {
    "ssh.closed": "the host is not reached or lets nobody in; the line is one of "
    "[troubles.md](troubles.md)",
    "image.not-ready": "an image is missing or older than its inputs; the line is one of "
    "[troubles.md](troubles.md)",
    "certificate.faulty": "a file of the certificate or its key is wrong; the line is one of "
    "[troubles.md](troubles.md)",
    "token.keys": "the key set is missing or wrong; the line is one of [troubles.md](troubles.md)",
}
"""Findings that pass on another part's message, cure and all."""


def _cell(text: str) -> str:
    words = text.replace("|", "\\|")
    return words.replace("{cure}", "as the engine's words ask for").replace(
        "{renew}", "another one from your authority, or `make up ARGS=--refresh` if self-signed"
    )
