"""JSON feeds: one object a line, or whole arrays; values are read as text, fields inside objects by dotted names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from persona_spark.errors import FeedError
from persona_spark.sources.feed import (
    BAD,
    FILE_TIME,
    PATH,
    RAW,
    UNREADABLE,
    Feed,
    column_at,
    dotted,
    file_path,
    file_time,
    hash_names,
    missing_columns,
    no_reasons,
    quoted,
)  # fmt: skip
from persona_spark.sources.lines import LINE, literal, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.config.sources import ColumnPath, SourceSpec
    from persona_spark.sources.feed import FeedFile

_BROKEN = "persona__broken"
_SAMPLE = 1000


def read_json(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile], *, first: bool) -> Feed:
    """The new files of a JSON feed.

    Args:
        spark: the session.
        spec: the mapping.
        found: the new files.
        first: whether nothing of the feed has been taken in yet.

    Raises:
        FeedError: when a file holds no object, or the files never name a column that the mapping reads.
    """
    schema = struct_for(spec.needed())
    columns = [F.col(quoted(name)) for name in schema.names]
    if spec.files.multiline:
        parsed = _read_arrays(spark, spec, found, schema)
        records = parsed.select(PATH)
    else:
        lines = read_lines(spark, spec.files, found, skip_header=False)
        parsed = _parse_lines(lines, schema)
        records = lines.select(PATH)
    reasons = F.when(F.col(_BROKEN).isNotNull(), F.lit(UNREADABLE)).otherwise(no_reasons()).alias(BAD)
    rows = parsed.select(*columns, PATH, FILE_TIME, RAW, reasons)
    _check_present(spec, rows, first=first)
    header = hash_names([dotted(path) for path in spec.needed()])
    return Feed(rows, records, {file.path: header for file in found}, recompute=False)


def _read_arrays(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile], schema: StructType) -> DataFrame:
    options = {"multiLine": "true", "encoding": spec.files.encoding, "columnNameOfCorruptRecord": _BROKEN}
    whole = StructType([*schema.fields, StructField(_BROKEN, StringType())])
    parsed = spark.read.schema(whole).options(**options).json([literal(file.path) for file in found]).select("*", file_path(), file_time())
    seen = F.to_json(F.struct(*(F.col(quoted(name)) for name in schema.names)))
    return parsed.withColumn(RAW, F.coalesce(F.col(_BROKEN), seen))


def _parse_lines(lines: DataFrame, schema: StructType) -> DataFrame:
    """Each line as the one element of an array, because after one object the parser does not look at the rest of the line."""
    every = F.from_json(F.concat(F.lit("["), LINE, F.lit("]")), ArrayType(schema), {"mode": "PERMISSIVE"})
    only = lines.withColumn("every", every).withColumn("row", F.when(F.size("every") == 1, F.get("every", F.lit(0))))
    broken = F.when(F.col("row").isNull(), F.col(LINE)).alias(_BROKEN)
    return only.select("row.*", PATH, FILE_TIME, F.col(LINE).alias(RAW), broken)


def struct_for(paths: Iterable[ColumnPath]) -> StructType:
    """A schema with text at the end of each path."""
    children: dict[str, list[ColumnPath]] = {}
    for path in paths:
        children.setdefault(path[0], []).append(path[1:])
    fields = [StructField(name, StringType() if rest == [()] else struct_for(rest)) for name, rest in children.items()]
    return StructType(fields)


def _check_present(spec: SourceSpec, rows: DataFrame, *, first: bool) -> None:
    """A column is there when a row has a value for it or names it with null.

    Objects leave out what they have no value for, so only a feed's first files must name every column; later ones may lack
    those without which a row still means the same.
    """
    required = set(spec.needed()) if first else spec.essential()
    needed = sorted(required)
    named = [F.max(column_at(path).isNotNull() | F.contains(RAW, F.lit(f'"{path[-1]}"'))) for path in needed]
    readable = F.count_if(F.col(BAD) == "").alias("readable")
    files = rows.groupBy(PATH).agg(readable, *(column.alias(f"c{index}") for index, column in enumerate(named))).collect()
    for row in files:
        if not row.readable:
            raise FeedError(
                f"feed {spec.source}: {row[PATH]} holds no JSON object that can be read: is files.format right? Without "
                "files.multiline each line must be one object, with it the file is read as a whole"
            )
    missing = [dotted(path) for index, path in enumerate(needed) if not any(row[f"c{index}"] for row in files)]
    if missing and files:
        raise missing_columns(spec, files[0][PATH], missing, _found(rows, files[0][PATH]))


def _found(rows: DataFrame, path: str) -> list[str]:
    sample = rows.where((F.col(PATH) == F.lit(path)) & (F.col(BAD) == "")).limit(_SAMPLE)
    return sorted(row[0] for row in sample.select(F.explode(F.json_object_keys(RAW))).distinct().collect())
