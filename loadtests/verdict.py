"""The files of a verdict: verdict.json, junit.xml and the folder they lie in.

Judges nothing and runs nothing. Standard library only. `verdict.schema.json` describes the file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from loadtests import junit
from loadtests.attempts import LATEST, attempt_dir, link_latest
from loadtests.evidence import (
    CanaryEvidence,
    Cost,
    Figures,
    Latency,
    SideFigures,
    Step,
    TimelinePoint,
    Verdict,
)
from loadtests.files import write_atomically
from loadtests.slo import SloRow

__all__ = [
    "FILE",
    "JUNIT_FILE",
    "LATEST",
    "CanaryEvidence",
    "Cost",
    "Figures",
    "SideFigures",
    "Step",
    "TimelinePoint",
    "Verdict",
    "attempt_dir",
    "link_latest",
    "load",
    "to_json",
    "write",
]

SCHEMA_VERSION = 1
FILE = "verdict.json"
JUNIT_FILE = "junit.xml"

_BEFORE_FIGURES = (
    "verdict", "reasons", "stack", "target", "release", "attempt", "image", "bento", "models",
    "accelerator", "profile", "runner", "language", "started_at", "duration_s",
)  # fmt: skip
_AFTER_FIGURES = ("slo", "steps", "canary", "timeline", "notes", "cost", "cost_reason")


def to_json(verdict: Verdict) -> dict[str, object]:
    """The verdict as verdict.json holds it."""
    told = asdict(verdict)
    return {
        "schema_version": SCHEMA_VERSION,
        **{k: told[k] for k in _BEFORE_FIGURES},
        **told["figures"],
        **{k: told[k] for k in _AFTER_FIGURES},
    }


def write(folder: Path, verdict: Verdict) -> Path:
    """Writes junit.xml and then, as the last, verdict.json; the path of the latter."""
    write_atomically(folder / JUNIT_FILE, junit.document(verdict))
    text = json.dumps(to_json(verdict), allow_nan=False, ensure_ascii=False, indent=2)
    write_atomically(folder / FILE, text + "\n")
    return folder / FILE


def load(path: Path) -> Verdict:
    """The verdict in a file that `write` made; fields that it does not know are left out.

    Raises:
        ValueError: with one line: the file is missing, broken or of another schema version.
    """
    told = _read(path)
    version = told.get("schema_version")
    if version != SCHEMA_VERSION:
        msg = (
            f"{path}: has schema_version {version} (known: {SCHEMA_VERSION}). "
            "Read it with the version that wrote it."
        )
        raise ValueError(msg)
    try:
        return _from_json(told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_verdict(path, error) from error


def _read(path: Path) -> Mapping[str, Any]:
    try:
        told: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}). Give the folder of an attempt."
        raise ValueError(msg) from error
    except ValueError as error:
        raise _no_verdict(path, error) from error
    return told if isinstance(told, Mapping) else {}


def _no_verdict(path: Path, error: Exception) -> ValueError:
    why = f"{type(error).__name__}: {error}"
    return ValueError(f"{path}: holds no verdict ({why}). Release again to get one.")


def _from_json(told: Mapping[str, Any]) -> Verdict:
    plain = {k: told[k] for k in (*_BEFORE_FIGURES, "cost_reason")}
    by_model = told["latency_ms_by_model"]
    numbers = ("requests", "rps", "saturation_rps", "error_ratio", "client_cpu_ratio")
    return Verdict(
        **{**plain, "reasons": tuple(told["reasons"])},
        figures=Figures(
            **{k: told[k] for k in numbers},
            latency_ms=Latency(**_known(Latency, told["latency_ms"])),
            latency_ms_by_model={n: Latency(**_known(Latency, ms)) for n, ms in by_model.items()},
        ),
        slo=tuple(SloRow(**_known(SloRow, row)) for row in told["slo"]),
        steps=tuple(Step(**_known(Step, step)) for step in told["steps"]),
        cost=Cost(**_known(Cost, told["cost"])) if told["cost"] else None,
        # an older version wrote none of these
        canary=tuple(_canary(step) for step in told.get("canary", ())),
        timeline=tuple(
            TimelinePoint(**_known(TimelinePoint, point)) for point in told.get("timeline", ())
        ),
        notes=tuple(told.get("notes", ())),
    )


def _canary(told: Mapping[str, Any]) -> CanaryEvidence:
    sides = {name: SideFigures(**_known(SideFigures, told[name])) for name in ("live", "candidate")}
    checks = tuple(SloRow(**_known(SloRow, row)) for row in told["checks"])
    known = _known(CanaryEvidence, told)
    return CanaryEvidence(**{**known, **sides, "checks": checks, "notes": tuple(told["notes"])})


def _known(kind: type, told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `kind`: a later version may add others."""
    return {f.name: told[f.name] for f in fields(kind)}
