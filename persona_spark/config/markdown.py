"""Pieces of generated pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def code(text: str | None) -> str:
    """Text set as code, on one line; nothing for none."""
    return "" if not text else f"`{' '.join(text.split())}`"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a table, and an empty one after it."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def page(lines: Iterable[str]) -> str:
    """The page, with one newline at its end."""
    return "\n".join(lines).rstrip() + "\n"
