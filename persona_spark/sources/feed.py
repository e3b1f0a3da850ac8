"""What a feed's rows look like between reading and mapping, whatever their format."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.sources import ColumnPath, SourceSpec

PATH = "persona__path"
"""File that the row came from."""
FILE_TIME = "persona__file_time"
"""When that file was last modified; decides which of two versions in one ingest is newer."""
RAW = "persona__raw"
"""The record as read, for quarantine."""
BAD = "persona__bad"
"""Reasons found while reading, joined by `BETWEEN`; empty text when there are none."""

BLANKS = " \t\r\n\u00a0\u3000\ufeff"
"""What is cut off both ends of a text: blanks of all kinds, as hand-made files have them."""

MARKS = (PATH, FILE_TIME, RAW, BAD)
UNREADABLE = "unreadable row"
NO_TEXT = "\ufffd"
"""What stands for bytes that mean nothing in a file's encoding."""
BETWEEN = "\x1e"
"""Stands between two reasons: text, because Spark compiles it where it would interpret the functions of arrays."""


@dataclass(frozen=True, order=True)
class FeedFile:
    """A file of a feed; of a Delta feed, a version of its table.

    Attributes:
        path: full path, as the file system writes it.
        size: bytes.
        modified: modification time, microseconds since 1970.
        version: the Delta version; None for files.
    """

    path: str
    size: int
    modified: int
    version: int | None = None


@dataclass(frozen=True)
class Feed:
    """The rows of a feed's new files.

    Attributes:
        rows: the columns that the mapping needs, and `MARKS`.
        records: one row a record with its `PATH`, read apart from `rows`, to check that none got lost.
        headers: hash of the column names found, by path.
        recompute: whether reading again is cheap; text is parsed once and kept.
    """

    rows: DataFrame
    records: DataFrame
    headers: Mapping[str, str] = field(default_factory=dict)
    recompute: bool = True


def file_path() -> Column:
    """Path of the file that a row is read from, written as the listing of files writes it."""
    return F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B"))).alias(PATH)


def file_time() -> Column:
    """Modification time of the file that a row is read from."""
    return F.col("_metadata.file_modification_time").alias(FILE_TIME)


def no_reasons() -> Column:
    """No reasons."""
    return F.lit("").alias(BAD)


def stripped(value: Column) -> Column:
    """Text without blanks around it; null when nothing else is there."""
    return F.nullif(F.btrim(value, F.lit(BLANKS)), F.lit(""))


def quoted(name: str) -> str:
    """`name` as part of a column expression."""
    return "`" + name.replace("`", "``") + "`"


def column_at(path: ColumnPath) -> Column:
    """The column, or the field inside a column, that a path names."""
    return F.col(".".join(quoted(part) for part in path))


def put_at(columns: Mapping[str, Column], path: ColumnPath, value: Column) -> Column:
    """The outermost column of a path with `value` at its end; what `columns` has for it already is kept beside that."""
    root = columns.get(path[0], F.col(quoted(path[0])))
    return value if len(path) == 1 else root.withField(".".join(quoted(part) for part in path[1:]), value)


def hash_names(names: Sequence[str]) -> str:
    """Short hash of column names in their order."""
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest()[:16]


def dotted(path: ColumnPath) -> str:
    """A column path as people write it."""
    return ".".join(path)


def missing_columns(spec: SourceSpec, path: str, missing: Iterable[str], found: Iterable[str], hint: str = "") -> FeedError:
    """The error for a file that lacks columns which the mapping reads."""
    names = ", ".join(repr(name) for name in missing)
    shown = [name[:40] for name in found]
    listed = ", ".join(shown[:30]) + (f", ... ({len(shown)} in all)" if len(shown) > 30 else "")  # noqa: PLR2004 - enough to recognise the file
    return FeedError(
        f"feed {spec.source}: {path} has no column {names}, which the mapping reads; columns found: {listed or 'none'}."
        f"{' ' + hint if hint else ''} Correct the mapping's expressions or files, or the file."
    )
