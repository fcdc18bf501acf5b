"""Plain tables: the first column to the left, figures to the right."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["render", "verdict"]


def render(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A title, a header, the rows and what has to be said about them, as lines of text."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [title, "", _line(header, widths), "  ".join("-" * width for width in widths)]
    lines.extend(_line(row, widths) for row in rows)
    lines.extend(("", *notes) if notes else ())
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *rest)).rstrip()


def verdict(measured: float, target: float) -> str:
    """Whether a target was met, a target being an upper bound."""
    return "yes" if measured <= target else "NO"
