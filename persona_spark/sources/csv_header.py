"""What the first lines of a csv file tell: its columns, and whether it is written as the mapping says."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from persona_spark.config.base import near_miss
from persona_spark.errors import FeedError
from persona_spark.sources.feed import BLANKS, NO_TEXT, missing_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from persona_spark.config.sources import Files, SourceSpec
    from persona_spark.sources.feed import FeedFile

Header = tuple[str, ...]
SAMPLE = 20
"""Lines of a file that are looked at."""
_ENOUGH = 5
"""Rows under a header that must all be of another width to be a mistake of the mapping rather than broken rows."""
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "\x01": r"\x01", "^": "^"}


def header_of(spec: SourceSpec, file: FeedFile, lines: Sequence[str]) -> Header:
    """The columns of a csv file in their order.

    Args:
        spec: the mapping.
        file: the file.
        lines: its first lines that are not blank.

    Raises:
        FeedError: when the file is empty, lacks a column that the mapping reads or has it twice, or is written with another
            delimiter or encoding than the mapping says.
    """
    if not lines:
        raise FeedError(f"feed {spec.source}: {file.path} is empty: it has neither a header nor rows")
    header = _named(spec, file, lines[0]) if spec.files.header else spec.files.columns
    rows = lines[1:] if spec.files.header else lines
    _check_encoding(spec, file, rows)
    fields = [split_line(row, spec.files) for row in rows]
    if spec.files.multiline or not rows or any(len(row) == len(header) for row in fields):
        return header
    if all(len(row) == len(header) + 1 and not row[-1].strip(BLANKS) for row in fields):
        return (*header, "")
    if not spec.files.header or len(rows) >= _ENOUGH:
        raise _other_width(spec, file, header, rows[0], len(fields[0]))
    return header


def split_line(line: str, files: Files) -> list[str]:
    """The fields of one line."""
    if len(files.delimiter) == 1 and files.quote:
        try:
            return next(csv.reader([line], delimiter=files.delimiter, quotechar=files.quote), [""])
        except csv.Error:
            pass
    return [name.strip(files.quote or None) for name in line.split(files.delimiter)]


def _named(spec: SourceSpec, file: FeedFile, line: str) -> Header:
    needed = [path[0] for path in spec.needed()]
    header = tuple(name.strip(BLANKS) for name in split_line(line, spec.files))
    missing = [name for name in needed if name not in header]
    if missing:
        raise missing_columns(spec, file.path, missing, header, _hint(spec.files, line, header) or _near(missing, header))
    twice = sorted({name for name in needed if header.count(name) > 1})
    if twice:
        raise FeedError(
            f"feed {spec.source}: {file.path} has column {twice[0]!r} twice: the mapping reads it and cannot tell which; "
            f"columns found: {', '.join(header)}. Rename one of them"
        )
    return header


def _near(missing: Sequence[str], header: Header) -> str:
    hints = [(name, near_miss(name, header)) for name in missing]
    return " ".join(f"{name!r}: {hint}" for name, hint in hints if hint.startswith("did you mean"))


def _hint(files: Files, line: str, header: Header) -> str:
    if NO_TEXT in line:
        return f"The header is not {files.encoding} text: is files.encoding right (GBK, for example)?"
    if len(header) > 1:
        return ""
    other = [name for sign, name in _DELIMITERS.items() if sign in line and sign != files.delimiter]
    return f"The line is not split by {files.delimiter!r} but holds the delimiter {other[0]}: is files.delimiter right?" if other else ""


def _check_encoding(spec: SourceSpec, file: FeedFile, rows: Sequence[str]) -> None:
    """Text read in the wrong encoding holds replacement characters in every line that has more than ASCII."""
    beyond_ascii = [row for row in rows if not row.isascii()]
    if beyond_ascii and all(NO_TEXT in row for row in beyond_ascii):
        raise FeedError(
            f"feed {spec.source}: {file.path} is not {spec.files.encoding} text: its first rows hold bytes that mean nothing there. "
            "Is files.encoding right (GBK, for example)?"
        )


def _other_width(spec: SourceSpec, file: FeedFile, header: Header, row: str, width: int) -> FeedError:
    where = "its header has" if spec.files.header else "files.columns names"
    hint = _hint(spec.files, row, ("",) * width)
    keys = "files.delimiter or files.quote" if spec.files.header else "files.columns or files.delimiter"
    return FeedError(
        f"feed {spec.source}: the first rows of {file.path} have {width} field{'s' if width != 1 else ''}, {where} {len(header)}: "
        f"{', '.join(header)}. {hint + ' ' if hint else ''}Correct {keys}."
    )
