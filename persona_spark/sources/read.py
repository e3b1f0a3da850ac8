"""From a feed's new files to rows that expressions can work on: read, personal columns hashed, columns typed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from persona_spark.config.sources_check import used_as_numbers
from persona_spark.errors import ConfigError, Fault
from persona_spark.sources.columnar_files import read_delta, read_parquet
from persona_spark.sources.csv_files import read_csv
from persona_spark.sources.feed import BAD, BETWEEN, RAW, column_at, dotted, put_at, stripped
from persona_spark.sources.json_files import read_json
from persona_spark.sources.personal import hash_personal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

    from persona_spark.config.sources import ColumnPath, SourceSpec
    from persona_spark.sources.feed import Feed, FeedFile


def read_feed(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile], place: str, *, first: bool = True) -> Feed:
    """The rows of a feed's new files, ready for the mapping's expressions.

    Args:
        spark: the session.
        spec: the mapping.
        found: the new files.
        place: where the feed is.
        first: whether nothing of the feed has been taken in yet.

    Raises:
        FeedError: when the feed is wrong as a whole.
        ConfigError: when an expression takes a text column for a number.
        SetupError: when personal columns are to be hashed and no key is set.
    """
    feed = _read(spark, spec, found, place, first=first)
    _check_numbers(spec, feed.rows)
    rows = hash_personal(spec, _without_placeholders(spec, feed.rows))
    return replace(feed, rows=_typed(spec, rows.withColumn(RAW, F.coalesce(F.col(RAW), F.lit("")))))


def _read(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile], place: str, *, first: bool) -> Feed:
    if spec.files.format == "csv":
        return read_csv(spark, spec, found)
    if spec.files.format == "json":
        return read_json(spark, spec, found, first=first)
    if spec.files.format == "parquet":
        return read_parquet(spark, spec, found, place)
    return read_delta(spark, spec, found[0])


def _check_numbers(spec: SourceSpec, rows: DataFrame) -> None:
    """Text compared with a number would stop the run at the first value that is none."""
    numeric = {spec.path_of(name) for name, type_ in spec.types.items() if type_ not in ("string", "boolean", "date")}
    faults = [
        Fault(
            spec.source,
            key,
            f"column {dotted(path)!r} is text in {spec.files.path} but used as a number",
            f"types: {{{dotted(path)}: bigint}}",
        )
        for key, text in spec.expressions()
        for path in used_as_numbers(text, numeric)
        if path not in numeric and is_text(rows, path)
    ]
    if faults:
        raise ConfigError(faults)


def _without_placeholders(spec: SourceSpec, rows: DataFrame) -> DataFrame:
    """Columns in which the texts of `files.nulls` are null."""
    if not spec.files.nulls:
        return rows
    columns: dict[str, Column] = {}
    for path in spec.needed():
        value = F.when(~stripped(column_at(path)).isin(*spec.files.nulls), column_at(path))
        columns[path[0]] = put_at(columns, path, value)
    return rows.withColumns(columns)


def is_text(rows: DataFrame, path: ColumnPath) -> bool:
    """Whether the column holds text."""
    return isinstance(rows.select(column_at(path)).schema[0].dataType, StringType)


def _typed(spec: SourceSpec, rows: DataFrame) -> DataFrame:
    """Columns with the types that the mapping states; a value that does not fit is null and a reason."""
    if not spec.types:
        return rows
    reasons = []
    columns: dict[str, Column] = {}
    for name, type_ in spec.types.items():
        path = spec.path_of(name)
        said = stripped(column_at(path)) if is_text(rows, path) else column_at(path)
        fitting = said.try_cast(type_)
        reasons.append(F.when(said.isNotNull() & fitting.isNull(), F.lit(f"unparsable value of column {name}")))
        columns[path[0]] = put_at(columns, path, fitting)
    found = F.when(F.col(BAD) == "", F.concat_ws(BETWEEN, *reasons)).otherwise(F.col(BAD))
    return rows.withColumns({**columns, BAD: found})
