"""The page at /ui: static files without any data; it asks for a token and calls the API itself."""

from pathlib import Path

from service import contract
from service.api import static
from service.api.messages import Response

_FOLDER = Path(__file__).resolve().parents[1] / "ui"
_INDEX = "index.html"
# All of it comes from here: no inline script or style, no string that becomes markup or code.
# Photos are shown from the browser's own memory (blob:).
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    b"require-trusted-types-for 'script'"
)


def pages() -> dict[str, Response]:
    """What is served under /ui, by path; read once, it is small."""
    files = static.folder(_FOLDER)
    index = files.pop(_INDEX)
    return {
        contract.UI: static.respond(index, ".html", _POLICY),
        **{
            f"{contract.UI}/{name}": static.respond(content, Path(name).suffix, _POLICY)
            for name, content in files.items()
        },
    }
