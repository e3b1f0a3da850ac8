"""CSV feeds: columns are matched by name in each file, whatever their order there.

Spark applies a given schema to csv by position, so files are grouped by identical header and each group is read with the
header it has.
"""

from __future__ import annotations

import csv
import hashlib
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from persona_spark.errors import FeedError
from persona_spark.sources.feed import BAD, FILE_TIME, PATH, RAW, UNREADABLE, Feed, file_path, file_time, missing_columns, no_reasons
from persona_spark.sources.lines import LINE, first_lines, literal, read_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, SparkSession

    from persona_spark.config.sources import Files, SourceSpec
    from persona_spark.sources.feed import FeedFile

Header = tuple[str, ...]
_BROKEN = "persona__broken"
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "\x01": r"\x01", "^": "^"}
_SAMPLE = 20
UNCLOSED = "unreadable row: a quote is not closed on its line (files.multiline: true reads fields with line breaks)"


def read_csv(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile]) -> Feed:
    """The new files of a csv feed.

    Raises:
        FeedError: when a header lacks a column that the mapping reads, or the delimiter is another.
    """
    groups: dict[Header, list[FeedFile]] = {}
    for file, lines in zip(found, first_lines(spark, spec.files, found, 1 if spec.files.header else _SAMPLE), strict=True):
        groups.setdefault(_header(spec, file, lines), []).append(file)
    parts = [_read_group(spark, spec, header, files) for header, files in groups.items()]
    headers = {file.path: hash_names(header) for header, files in groups.items() for file in files}
    rows = reduce(DataFrame.unionByName, [part[0] for part in parts])
    return Feed(rows, reduce(DataFrame.unionByName, [part[1] for part in parts]), headers, recompute=False)


def hash_names(names: Sequence[str]) -> str:
    """Short hash of column names in their order."""
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest()[:16]


def _header(spec: SourceSpec, file: FeedFile, lines: list[str]) -> Header:
    needed = [path[0] for path in spec.needed()]
    if not lines:
        raise FeedError(f"feed {spec.source}: {file.path} is empty: it has neither a header nor rows")
    if not spec.files.header:
        _check_width(spec, file, lines)
        return spec.files.columns
    header = tuple(name.strip() for name in split_line(lines[0], spec.files))
    missing = [name for name in needed if name not in header]
    if missing:
        raise missing_columns(spec, file.path, missing, header, _hint(spec.files, lines[0], header))
    twice = sorted({name for name in needed if header.count(name) > 1})
    if twice:
        raise FeedError(f"feed {spec.source}: {file.path} has column {twice[0]!r} twice: the mapping reads it and cannot tell which")
    return header


def _check_width(spec: SourceSpec, file: FeedFile, lines: list[str]) -> None:
    widths = [len(split_line(line, spec.files)) for line in lines]
    expected = len(spec.files.columns)
    if expected in widths or spec.files.multiline:
        return
    hint = _hint(spec.files, lines[0], ("",) * widths[0])
    raise FeedError(
        f"feed {spec.source}: the first rows of {file.path} have {widths[0]} field{'s' if widths[0] != 1 else ''}, files.columns names "
        f"{expected}: {', '.join(spec.files.columns)}. {hint} Correct files.columns or files.delimiter."
    )


def split_line(line: str, files: Files) -> list[str]:
    """The fields of one line."""
    if len(files.delimiter) > 1 or not files.quote:
        return [name.strip(files.quote or None) for name in line.split(files.delimiter)]
    return next(csv.reader([line], delimiter=files.delimiter, quotechar=files.quote), [""])


def _hint(files: Files, line: str, header: Header) -> str:
    if "\ufffd" in line:
        return f"The header is not {files.encoding} text: is files.encoding right (GBK, for example)?"
    if len(header) > 1:
        return ""
    other = [name for sign, name in _DELIMITERS.items() if sign in line and sign != files.delimiter]
    return f"The line is not split by {files.delimiter!r} but holds the delimiter {other[0]}: is files.delimiter right?" if other else ""


def _read_group(spark: SparkSession, spec: SourceSpec, header: Header, found: Sequence[FeedFile]) -> tuple[DataFrame, DataFrame]:
    schema = ", ".join([*(f"_c{index} string" for index in range(len(header))), f"{_BROKEN} string"])
    options = _options(spec.files)
    if spec.files.multiline:
        reader = spark.read.schema(schema).options(**options, multiLine="true", header=str(spec.files.header).lower())
        rows = reader.csv([literal(file.path) for file in found]).select("*", file_path(), file_time())
        raw = F.coalesce(F.col(_BROKEN), F.to_json(F.struct(*_named(header))))
        return rows.select(*_wanted(spec, header), PATH, FILE_TIME, raw.alias(RAW), _reasons(F.expr("false"))), rows.select(PATH)
    lines = read_lines(spark, spec.files, found, skip_header=spec.files.header)
    parsed = lines.withColumn("row", F.from_csv(LINE, schema, options)).select("row.*", LINE, PATH, FILE_TIME)
    raw = F.col(LINE).alias(RAW)
    return parsed.select(*_wanted(spec, header), PATH, FILE_TIME, raw, _reasons(_unclosed(spec.files))), lines.select(PATH)


def _options(files: Files) -> dict[str, str]:
    return {
        "sep": files.delimiter,
        "quote": files.quote,
        "escape": files.escape or files.quote or "\\",
        "encoding": files.encoding,
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": _BROKEN,
        # Pruned, the parser would not see that a line is too short or too long.
        "columnPruning": "false",
    }


def _wanted(spec: SourceSpec, header: Header) -> list[Column]:
    return [F.col(f"_c{header.index(path[0])}").alias(path[0]) for path in spec.needed()]


def _named(header: Header) -> list[Column]:
    names = [name if name and header.index(name) == index else f"{name}_{index + 1}" for index, name in enumerate(header)]
    return [F.col(f"_c{index}").alias(name) for index, name in enumerate(names)]


def _reasons(unclosed: Column) -> Column:
    broken = F.when(unclosed, F.lit(UNCLOSED)).when(F.col(_BROKEN).isNotNull(), F.lit(UNREADABLE))
    return broken.otherwise(no_reasons()).alias(BAD)


def _unclosed(files: Files) -> Column:
    """Whether a field opens with a quote that the line does not close: the parser takes the rest of the line for its value."""
    if not files.quote:
        return F.expr("false")
    line = F.col(LINE)
    if files.escape and files.escape != files.quote:
        line = F.replace(line, F.lit(files.escape + files.quote), F.lit(""))
    quotes = F.length(line) - F.length(F.replace(line, F.lit(files.quote), F.lit("")))
    opens = line.startswith(files.quote) | F.contains(line, F.lit(files.delimiter + files.quote))
    return ((quotes % 2) == 1) & opens
