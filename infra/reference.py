"""Writes docs/configuration.md, docs/stack.schema.json and the table in docs/doctor.md."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.config import Stack
from infra.doctor import page as doctor

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"
SCHEMA = ROOT / "docs" / "stack.schema.json"

HEAD = """\
# Configuration of a stack

<!-- Made by `python -m infra.reference`; `make check` fails when it is out of date. -->

A stack's file, `Pulumi.<stack>.yaml`, holds everything under the key `bentofleet:stack`.
Unknown keys are refused, and every fault of a file is named at once, a line each.
`docs/stack.schema.json` describes the same for editors.

| key | takes | default | meaning |
|---|---|---|---|
"""

TAIL = "\n".join(
    (
        "",
        "Beside it stand five keys of their own:",
        "",
        "| key | meaning |",
        "|---|---|",
        "| `bentofleet:tokens-jwks` | the public keys that tokens are checked with, as a JWK set; "
        "changing it is no release; a private key in it is refused |",
        "| `bentofleet:tokens-key` | secret; the private key (PEM) that signs a token with the "
        "scope `gate` for each load test; its public key stands in the set; not needed with "
        "`service.auth: off` |",
        "| `bentofleet:edge-certificate` | with `edge.tls.certificate: own`: the certificate and "
        "its chain (PEM), the server's own first; changing it is no release |",
        "| `bentofleet:edge-key` | secret; its private key (PEM, unencrypted) |",
        "| `bentofleet:registry-password` | secret; the password of `images.user` |",
        "",
    )
)


def page() -> str:
    """The page: one row per key."""
    schema = Stack.model_json_schema()
    return HEAD + "\n".join(_rows(schema, schema, "")) + "\n" + TAIL


def schema_text() -> str:
    """The JSON schema."""
    return json.dumps(Stack.model_json_schema(), indent=2) + "\n"


def _rows(schema: dict[str, Any], root: dict[str, Any], prefix: str) -> Iterator[str]:
    required = set(schema.get("required", []))
    for name, given in schema["properties"].items():
        field = _resolved(given, root)
        key = f"{prefix}{name}"
        items = _resolved(field.get("items", {}), root)
        if "properties" in field:
            yield from _rows(field, root, f"{key}.")
        elif "properties" in items:
            yield f"| `{key}` | list | required | {field.get('description', '')} |"
            yield from _rows(items, root, f"{key}[].")
        else:
            default = "required" if name in required else _default(name, field)
            yield f"| `{key}` | {_takes(field)} | {default} | {field.get('description', '')} |"


def _resolved(field: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    for part in field.get("anyOf", ()):  # one of them is null, and the default
        if part.get("type") != "null":
            return _resolved({**part, **field, "anyOf": ()}, root)
    reference = field.get("$ref")
    if reference is None:
        return field
    target: dict[str, Any] = root["$defs"][reference.rpartition("/")[2]]
    return {**target, **field}


def _default(name: str, field: dict[str, Any]) -> str:
    if "default" in field:
        return f"`{json.dumps(field['default'])}`"
    return "all in the catalog" if name == "models" else "none"


def _takes(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("type", "any"))
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum")
    if low is None and high is None:
        return f"{kind} `{field['pattern']}`" if "pattern" in field else kind
    above = "above " if "exclusiveMinimum" in field else ""
    return f"{kind}, {above}{low} to {high}" if high is not None else f"{kind}, {above}{low}"


def main() -> int:
    """Writes the files; with `--check` only says whether they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m infra.reference", description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    wanted = {PAGE: page(), SCHEMA: schema_text(), doctor.PAGE: doctor.page()}
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    if check:
        for path in stale:
            sys.stderr.write(f"{path.name}: is out of date. Run `python -m infra.reference`.\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
