"""The page on which a person looks at the photos that the model is not sure of."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from string import Template

from PIL import Image

from bentos.octagon import examples, labelled

PAGE_FILE = "octagon-review.html"

_THUMBNAIL_PX = 240


def write(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Writes the page: one file with everything in it.

    Args:
        folder: of the photos.
        rows: of the review file.
    """
    template = Template(Path(__file__).with_name("review.html").read_text(encoding="utf-8"))
    shown = [{**row, "thumbnail": _thumbnail(folder / row["path"])} for row in rows]
    page = template.substitute(
        count=len(rows),
        folder=html.escape(str(folder)),
        file=labelled.REVIEW_FILE,
        columns=json.dumps(labelled.REVIEW_COLUMNS),
        rows=json.dumps(shown).replace("<", "\\u003c"),
    )
    labelled.replace(folder / PAGE_FILE, page)


def _thumbnail(path: Path) -> str:
    picture = examples.picture(path.read_bytes())
    picture.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BILINEAR)
    file = BytesIO()
    picture.save(file, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
