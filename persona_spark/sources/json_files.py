"""JSON feeds: one object a line, or whole arrays; values are read as text, fields inside objects by dotted names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from persona_spark.sources.csv_files import hash_names
from persona_spark.sources.feed import (
    BAD,
    FILE_TIME,
    PATH,
    RAW,
    UNREADABLE,
    Feed,
    dotted,
    file_path,
    file_time,
    missing_columns,
    no_reasons,
    quoted,
)  # fmt: skip
from persona_spark.sources.lines import LINE, literal, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

    from persona_spark.config.sources import ColumnPath, SourceSpec
    from persona_spark.sources.feed import FeedFile

_BROKEN = "persona__broken"
_SAMPLE = 1000


def read_json(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile]) -> Feed:
    """The new files of a JSON feed.

    Raises:
        FeedError: when no row of a file has a column that the mapping reads.
    """
    schema = StructType([*struct_for(spec.needed()).fields, StructField(_BROKEN, StringType())])
    if spec.files.multiline:
        reader = spark.read.schema(schema).options(multiLine="true", encoding=spec.files.encoding, columnNameOfCorruptRecord=_BROKEN)
        parsed = reader.json([literal(file.path) for file in found]).select("*", file_path(), file_time())
        columns = [F.col(quoted(field.name)) for field in schema.fields[:-1]]
        parsed = parsed.withColumn(RAW, F.coalesce(F.col(_BROKEN), F.to_json(F.struct(*columns))))
        records = parsed.select(PATH)
    else:
        lines = read_lines(spark, spec.files, found, skip_header=False)
        row = F.from_json(LINE, schema, {"columnNameOfCorruptRecord": _BROKEN, "mode": "PERMISSIVE"})
        parsed = lines.withColumn("row", row).select("row.*", F.col(LINE).alias(RAW), PATH, FILE_TIME)
        records = lines.select(PATH)
    reasons = F.when(F.col(_BROKEN).isNotNull(), F.lit(UNREADABLE)).otherwise(no_reasons()).alias(BAD)
    rows = parsed.select(*(F.col(quoted(field.name)) for field in schema.fields[:-1]), PATH, FILE_TIME, RAW, reasons)
    _check_present(spec, rows)
    header = hash_names([dotted(path) for path in spec.needed()])
    return Feed(rows, records, {file.path: header for file in found}, recompute=False)


def struct_for(paths: Iterable[ColumnPath]) -> StructType:
    """A schema with text at the end of each path."""
    children: dict[str, list[ColumnPath]] = {}
    for path in paths:
        children.setdefault(path[0], []).append(path[1:])
    fields = [StructField(name, StringType() if rest == [()] else struct_for(rest)) for name, rest in children.items()]
    return StructType(fields)


def column_at(path: ColumnPath) -> Column:
    """The column, or the field inside a column, that a path names."""
    return F.col(".".join(quoted(part) for part in path))


def _check_present(spec: SourceSpec, rows: DataFrame) -> None:
    """A column is there when a row of the file has a value for it or names it with null."""
    needed = spec.needed()
    named = [F.max(column_at(path).isNotNull() | F.contains(RAW, F.lit(f'"{path[-1]}"'))) for path in needed]
    readable = F.count_if(F.col(BAD) == "").alias("readable")
    for row in rows.groupBy(PATH).agg(readable, *(column.alias(f"c{index}") for index, column in enumerate(named))).collect():
        missing = [dotted(path) for index, path in enumerate(needed) if not row[f"c{index}"]]
        if missing and row.readable:
            raise missing_columns(spec, row[PATH], missing, _found(rows, row[PATH]))


def _found(rows: DataFrame, path: str) -> list[str]:
    sample = rows.where(F.col(PATH) == F.lit(path)).limit(_SAMPLE)
    return sorted(row[0] for row in sample.select(F.explode(F.json_object_keys(RAW))).distinct().collect())
