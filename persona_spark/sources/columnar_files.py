"""Parquet and Delta feeds: columns by name, with the types that the files state."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType, StructType

from persona_spark.errors import FeedError
from persona_spark.sources.feed import (
    FILE_TIME,
    PATH,
    RAW,
    Feed,
    dotted,
    file_path,
    file_time,
    hash_names,
    missing_columns,
    no_reasons,
    quoted,
)
from persona_spark.sources.lines import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

    from persona_spark.config.sources import ColumnPath, SourceSpec
    from persona_spark.sources.feed import FeedFile

_SPARK_PART = re.compile(r"part-\d+-([0-9a-f-]{36})")
_PARALLEL = 4


def read_parquet(spark: SparkSession, spec: SourceSpec, found: Sequence[FeedFile], place: str) -> Feed:
    """The new files of a Parquet feed; files of different schemas are read apart and joined by name.

    Raises:
        FeedError: when a file lacks a column that the mapping reads.
    """
    writers: dict[str, list[FeedFile]] = {}
    for file in found:
        writers.setdefault(_writer(file.path), []).append(file)
    # Only a folder can have columns in the names of its folders.
    options = {} if any(file.path.endswith(place) for file in found) or re.search(r"[*?\[{]", place) else {"basePath": place}

    def schema_of(files: list[FeedFile]) -> StructType:
        return spark.read.options(**options).parquet(literal(files[0].path)).schema

    with ThreadPoolExecutor(_PARALLEL) as pool:
        schemas = list(pool.map(schema_of, writers.values()))
    groups: dict[str, tuple[StructType, list[FeedFile]]] = {}
    for schema, files in zip(schemas, writers.values(), strict=True):
        check_columns(spec, files[0].path, schema)
        groups.setdefault(schema.simpleString(), (schema, []))[1].extend(files)
    _check_types(spec, [(files[0].path, schema) for schema, files in groups.values()])
    parts = [spark.read.options(**options).parquet(*(literal(file.path) for file in files)) for _, files in groups.values()]
    rows = reduce(lambda left, right: left.unionByName(right), [_rows(spec, part) for part in parts])
    records = reduce(DataFrame.unionByName, [part.select(file_path()) for part in parts])
    headers = {file.path: hash_names(schema.names) for schema, files in groups.values() for file in files}
    return Feed(rows, records, headers)


def read_delta(spark: SparkSession, spec: SourceSpec, version: FeedFile) -> Feed:
    """A version of a Delta table.

    Raises:
        FeedError: when the table lacks a column that the mapping reads.
    """
    table = spark.read.format("delta").option("versionAsOf", str(version.version)).load(version.path)
    check_columns(spec, version.path, table.schema)
    raw = F.to_json(F.struct(*(F.col(quoted(name)) for name in table.columns)))
    marks = (F.lit(version.path).alias(PATH), F.timestamp_micros(F.lit(version.modified)).alias(FILE_TIME))
    rows = table.select(*_roots(spec), *marks, raw.alias(RAW), no_reasons())
    return Feed(rows, table.select(marks[0]), {version.path: hash_names(table.columns)})


def _rows(spec: SourceSpec, part: DataFrame) -> DataFrame:
    raw = F.to_json(F.struct(*(F.col(quoted(name)) for name in part.columns)))
    return part.select(*_roots(spec), file_path(), file_time(), raw.alias(RAW), no_reasons())


def _roots(spec: SourceSpec) -> list[str]:
    return [quoted(name) for name in sorted({path[0] for path in spec.needed()})]


def _writer(path: str) -> str:
    """Files that one Spark job wrote into one folder have one schema, so one of them is looked at."""
    folder, _, name = path.rpartition("/")
    match = _SPARK_PART.match(name)
    return f"{folder}/{match.group(1)}" if match else path


def check_columns(spec: SourceSpec, path: str, schema: StructType) -> None:
    """Compare the columns found with those that the mapping reads.

    Raises:
        FeedError: naming the columns that are missing and those that exist.
    """
    missing = [dotted(column) for column in spec.needed() if not _has(schema, column)]
    if missing:
        raise missing_columns(spec, path, missing, schema.names)


def _has(schema: StructType, column: ColumnPath) -> bool:
    field = next((field for field in schema.fields if field.name == column[0]), None)
    if field is None or len(column) == 1:
        return field is not None
    return isinstance(field.dataType, StructType) and _has(field.dataType, column[1:])


def _check_types(spec: SourceSpec, schemas: Sequence[tuple[str, StructType]]) -> None:
    """Numbers of several types become the widest; anything else that differs between files has no common meaning."""
    first_path, first = schemas[0]
    for path, schema in schemas[1:]:
        for name in sorted({column[0] for column in spec.needed()}):
            here, there = first[name].dataType, schema[name].dataType
            if here != there and not (isinstance(here, NumericType) and isinstance(there, NumericType)):
                raise FeedError(
                    f"feed {spec.source}: column {name!r} is {here.simpleString()} in {first_path} and {there.simpleString()} in {path}: "
                    "write the files with one type, or give each kind of file a feed of its own"
                )
