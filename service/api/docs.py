"""The page at /docs: Swagger UI, from the files that the bentoml package carries; works offline."""

import importlib.util
import logging
from pathlib import Path

from service import contract
from service.api import static
from service.api.messages import Response
from service.telemetry import LOGGER

_log = logging.getLogger(f"{LOGGER}.docs")

_PAGE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bentofleet API</title>
<link rel="stylesheet" href="{contract.DOCS}/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="page"></div>
<script src="{contract.DOCS}/swagger-ui-bundle.js"></script>
<script src="{contract.DOCS}/page.js"></script>
</body>
</html>
"""
_SCRIPT = (
    f'SwaggerUIBundle({{url: "{contract.OPENAPI}", dom_id: "#page", deepLinking: true, '
    "validatorUrl: null});\n"
)
_ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js")
# Nothing from elsewhere, ever; Swagger UI sets styles and draws its icons inline.
_POLICY = (
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def pages() -> dict[str, Response | Path]:
    """What is served under /docs, by path; a `Path` is read when it is asked for."""
    folder = _assets_folder()
    missing = [name for name in _ASSETS if not (folder / name).is_file()]
    if missing:
        _log.warning("%s: %s missing in %s.", contract.DOCS, " and ".join(missing), folder)
    return {
        contract.DOCS: static.respond(_PAGE.encode(), ".html", _POLICY),
        f"{contract.DOCS}/page.js": static.respond(_SCRIPT.encode(), ".js", _POLICY),
        **{f"{contract.DOCS}/{name}": folder / name for name in _ASSETS if name not in missing},
    }


def asset(path: Path) -> Response:
    """The answer with one of Swagger UI's files."""
    return static.respond(path.read_bytes(), path.suffix, _POLICY, kept=True)


def _assets_folder() -> Path:
    # Found without importing bentoml, which the container's process does without.
    package = importlib.util.find_spec("bentoml")
    places = list(package.submodule_search_locations or []) if package else []
    base = Path(places[0]) if places else Path()
    return base / "_internal" / "server" / "static_content"
