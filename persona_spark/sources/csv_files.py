"""CSV feeds: columns are matched by name in each file, whatever their order there.

Spark applies a given schema to csv by position, so files are grouped by identical header and each group is read with the
header it has.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from persona_spark.sources.csv_header import SAMPLE, header_of
from persona_spark.sources.feed import BAD, FILE_TIME, PATH, RAW, UNREADABLE, Feed, file_path, file_time, hash_names, no_reasons
from persona_spark.sources.lines import LINE, first_lines, literal, read_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, SparkSession

    from persona_spark.config.sources import Files, SourceSpec
    from persona_spark.sources.csv_header import Header
    from persona_spark.sources.feed import FeedFile

_BROKEN = "persona__broken"
UNCLOSED = "unreadable row: a quote is not closed on its line (files.multiline: true reads fields with line breaks)"


def read_csv(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile]) -> Feed:
    """The new files of a csv feed.

    Raises:
        FeedError: when a header lacks a column that the mapping reads, or the delimiter is another.
    """
    groups: dict[Header, list[FeedFile]] = {}
    for file, lines in zip(found, first_lines(spark, spec.files, found, SAMPLE), strict=True):
        groups.setdefault(header_of(spec, file, lines), []).append(file)
    parts = [_read_group(spark, spec, header, files) for header, files in groups.items()]
    headers = {file.path: hash_names(header) for header, files in groups.items() for file in files}
    rows = reduce(DataFrame.unionByName, [part[0] for part in parts])
    return Feed(rows, reduce(DataFrame.unionByName, [part[1] for part in parts]), headers, recompute=False)


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
