"""What the mapping's expressions say, as text, money, whole numbers, each with the reasons why it cannot be taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StringType

from persona_spark.config.expression import compile_expression
from persona_spark.errors import FeedError
from persona_spark.schema import MONEY
from persona_spark.sources.failure import reason_of
from persona_spark.sources.feed import BAD, BETWEEN, FILE_TIME, MARKS, NO_TEXT, PATH, RAW, UNREADABLE, quoted, stripped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

    from persona_spark.config.sources import Fields, SourceSpec

REASONS = "persona__reasons"
"""Why a mapped row goes to quarantine, joined by `BETWEEN`; empty text for a good row."""
_EXACT = "decimal(24,10)"
_RATE = "decimal(13,8)"


@dataclass(frozen=True)
class Value:
    """A column and the reasons (each null when it does not hold) why its row cannot be taken."""

    column: Column
    reasons: tuple[Column, ...] = ()


def evaluate(spec: SourceSpec, rows: DataFrame, expressions: Mapping[str, str], further: Sequence[Column] = ()) -> DataFrame:
    """The values of expressions over a feed's columns, each under its name, with the row's marks.

    Raises:
        FeedError: when an expression does not fit the types of the columns.
    """
    columns = {name: F.expr(compile_expression(text).sql).alias(name) for name, text in expressions.items()}
    try:
        return rows.select(*columns.values(), *further, *MARKS)
    except AnalysisException as error:
        for name, column in columns.items():
            try:
                rows.select(column)
            except AnalysisException as fault:
                raise FeedError(
                    f"feed {spec.source}: {name}: {expressions[name]!r} does not fit the feed's columns: {reason_of(fault)}"
                ) from fault
        raise FeedError(f"feed {spec.source}: {reason_of(error)}") from error


def text(column: Column, type_: DataType) -> Column:
    """Trimmed text, null when blank; whole numbers that a file keeps as floating point carry no `.0`."""
    said = column.cast("string")
    if isinstance(type_, DoubleType | FloatType):
        said = F.coalesce(F.when(F.rint(column) == column, column.try_cast("decimal(38,0)").cast("string")), said)
    return stripped(said)


def stated_text(said: DataFrame, name: str) -> Column:
    """What the mapping says under a name, as text; null when it does not say it."""
    return text(F.col(quoted(name)), said.schema[name].dataType) if name in said.columns else F.lit(None).cast("string")


def native_id(namespace: str, value: Column) -> Column:
    """`<namespace>:<native id>`; null of null."""
    return F.concat(F.lit(f"{namespace}:"), value)


def identifier(spec: SourceSpec, name: str, value: Column) -> Value:
    """The id of an account or item, which must be there and must not have lost characters to a wrong encoding."""
    reasons = [F.when(value.isNull(), F.lit(f"missing {name}"))]
    if spec.files.format in ("csv", "json"):
        garbled = F.contains(value, F.lit(NO_TEXT))
        reasons.append(F.when(garbled, F.lit(f"{name} is not {spec.files.encoding} text")))
    return Value(native_id(spec.namespace, value), tuple(reasons))


def money(name: str, column: Column, type_: DataType, rate: Decimal, largest: Decimal) -> tuple[Value, Column]:
    """Money in the lake's currency, rounded half up once, with its reasons; and in the feed's currency."""
    exact = _exact(column, type_)
    converted = exact if rate == 1 else exact * F.lit(rate).cast(_RATE)
    unfit = "absurd" if isinstance(type_, DoubleType | FloatType) else "unparsable"
    reasons = (
        F.when(_stated(column, type_) & exact.isNull(), F.lit(f"{unfit} {name}")),
        F.when(exact < 0, F.lit(f"negative {name}")),
        F.when(converted > F.lit(largest), F.lit(f"absurd {name}")),
    )
    return Value(F.round(converted, 2).try_cast(MONEY), reasons), F.round(exact, 2).try_cast(MONEY)


def whole(name: str, column: Column, type_: DataType, *, bounds: tuple[int, int] | None = None, cut: bool = False) -> Value:
    """A whole number >= 0.

    Args:
        name: name of the canonical column.
        column: what the mapping says.
        type_: its type.
        bounds: smallest and largest value allowed, instead of 0 and no limit.
        cut: whether a fraction is cut off rather than refused.
    """
    exact = _exact(column, type_)
    reasons = [F.when(_stated(column, type_) & exact.isNull(), F.lit(f"unparsable {name}"))]
    if bounds is None:
        reasons.append(F.when(exact < 0, F.lit(f"negative {name}")))
    else:
        reasons.append(F.when(~exact.between(*bounds), F.lit(f"{name} outside {bounds[0]}-{bounds[1]}")))
    if not cut:
        reasons.append(F.when(exact != F.floor(exact), F.lit(f"{name} is not a whole number")))
    return Value(F.floor(exact).try_cast("bigint"), tuple(reasons))


def attributes(fields: Fields, said: DataFrame) -> Column:
    """The mapping's attributes as a map of text without nulls; null when the mapping has none."""
    if not fields.attributes:
        return F.lit(None).cast("map<string,string>")
    values = {name: text(F.col(attribute(name)), said.schema[attribute(name)].dataType) for name in sorted(fields.attributes)}
    none = F.array().cast("array<struct<key: string, value: string>>")
    entries = [
        F.when(value.isNotNull(), F.array(F.struct(F.lit(name).alias("key"), value.alias("value")))).otherwise(none)
        for name, value in values.items()
    ]
    return F.map_from_entries(F.concat(*entries))


def attribute(name: str) -> str:
    """Name under which the value of an attribute's expression stands."""
    return f"attribute {name}"


def expressions_of(spec: SourceSpec) -> dict[str, str]:
    """The expressions of canonical columns and attributes by the name that `evaluate` gives them."""
    return spec.fields_.stated() | {attribute(name): expression for name, expression in spec.fields_.attributes.items()}


def mapped(said: DataFrame, values: Mapping[str, Value], types: Mapping[str, str]) -> DataFrame:
    """The values under their names and with their types, `PATH`, `FILE_TIME`, `REASONS`, and of bad rows the record as read (`RAW`)."""
    columns = [value.column.cast(types[name]).alias(name) for name, value in values.items()]
    reasons = _reasons_of([reason for value in values.values() for reason in value.reasons])
    return said.select(*columns, PATH, FILE_TIME, RAW, reasons).withColumn(RAW, F.when(F.col(REASONS) != "", F.col(RAW)))


def _reasons_of(found: Sequence[Column]) -> Column:
    """All reasons of a row; of a row that could not be read only that."""
    every = F.concat_ws(BETWEEN, F.nullif(F.col(BAD), F.lit("")), *found)
    return F.when(F.startswith(F.col(BAD), F.lit(UNREADABLE)), F.col(BAD)).otherwise(every).alias(REASONS)


def list_of_reasons() -> Column:
    """The reasons of a row, each once, sorted."""
    return F.array_sort(F.array_distinct(F.split(REASONS, BETWEEN)))


def _stated(column: Column, type_: DataType) -> Column:
    return text(column, type_).isNotNull() if isinstance(type_, StringType) else column.isNotNull()


def _exact(column: Column, type_: DataType) -> Column:
    """As an exact decimal; floating point through its shortest text, so that 3.99 stays 3.99."""
    return (text(column, type_) if isinstance(type_, StringType) else column).try_cast(_EXACT)
