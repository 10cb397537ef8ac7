"""Values and tables in Markdown, always the same for the same input."""

from collections.abc import Iterable, Sequence

_WHOLE_FROM = 1000.0
"""Numbers from here on are shown without decimals."""


def shown(value: object) -> str:
    """A value for a cell."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= _WHOLE_FROM else f"{value:.4g}"
    return " ".join(str(value).split()).replace("|", r"\|")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers stand as `shown` has them."""
    lines = [header, ["---"] * len(header), *([shown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
