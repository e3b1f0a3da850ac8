"""Holding frames to the contracts of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StructField, StructType

from persona_spark.errors import ContractError, LakeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType

    from persona_spark.schema import Table


def enforce(df: DataFrame, table: Table) -> DataFrame:
    """`df` with exactly the columns of `table`, in its order, carrying their comments.

    Raises:
        ContractError: when a column is missing or too many, or has another type; all differences at once.
    """
    found = {field.name: field.dataType.simpleString() for field in df.schema.fields}
    problems = [f"column {name} is not part of the table" for name in found if name not in table.names]
    for column in table.columns:
        if column.name not in found:
            problems.append(f"column {column.name} ({column.type}) is missing")
        elif found[column.name] != column.type:
            problems.append(f"column {column.name} is {found[column.name]}, the table has {column.type}")
    if problems:
        raise ContractError(f"frame does not fit table {table.name}: " + "; ".join(problems))
    return df.select(*(F.col(f"`{c.name}`").alias(c.name, metadata={"comment": c.comment}) for c in table.columns))


def check_stored(stored: StructType, table: Table) -> None:
    """Hold the schema of a stored table to the types of its contract, which no write can change; only structs can get fields at their end.

    Raises:
        LakeError: when columns have other types; all of them at once.
    """
    found, wanted = ({field.name: field.dataType for field in struct.fields} for struct in (stored, struct_of(table)))
    problems = [
        f"column {column.name} is stored as {found[column.name].simpleString()}, the definitions say {column.type}"
        for column in table.columns
        if column.name in found and not _can_become(found[column.name], wanted[column.name])
    ]
    if problems:
        raise LakeError(
            f"table {table.name}: {'; '.join(problems)}. A column keeps its type, for those who read it and for days that are stored: "
            "give what changed a new name, or the type that it had"
        )


def _can_become(stored: DataType, wanted: DataType) -> bool:
    if isinstance(stored, ArrayType) and isinstance(wanted, ArrayType):
        return _can_become(stored.elementType, wanted.elementType)
    if isinstance(stored, StructType) and isinstance(wanted, StructType):
        # Delta puts fields that are new at the end.
        pairs = list(zip(stored.fields, wanted.fields, strict=False))
        return len(pairs) == len(stored.fields) and all(a.name == b.name and _can_become(a.dataType, b.dataType) for a, b in pairs)
    return stored.simpleString() == wanted.simpleString()


def frame_of(spark: SparkSession, table: Table, rows: Iterable[Mapping[str, Any]] = ()) -> DataFrame:
    """A few rows of `table`, given by column; columns that a row leaves out are null."""
    return spark.createDataFrame([tuple(row.get(name) for name in table.names) for row in rows], struct_of(table))


def struct_of(table: Table) -> StructType:
    """The Spark schema of `table`, with comments and nullability."""
    fields = cast("StructType", StructType.fromDDL(table.ddl))
    return StructType(
        [
            StructField(field.name, field.dataType, table.may_be_null(column), {"comment": column.comment})
            for field, column in zip(fields.fields, table.columns, strict=True)
        ]
    )
