"""`persona check --types`: each expression analysed by Spark alone on an empty frame, then evaluated on odd values, all faults at once."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from pyspark.sql.types import AtomicType, BooleanType, DateType, IntegralType, NumericType

from persona_spark.config.typed_expressions import CONDITION, DAY, NUMBER, WHOLE, TypedExpression, frames, typed_expressions
from persona_spark.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType

    from persona_spark.config.load import Conf, Draft

_KINDS: dict[str, tuple[type[DataType], str, str]] = {
    CONDITION: (BooleanType, "a condition", "compare it with something"),
    NUMBER: (NumericType, "a number", "calculate one, or try_cast it"),
    WHOLE: (
        IntegralType,
        "a whole number",
        "round it, or give it a unit with fractions: money, or number where it is derived",
    ),
    DAY: (DateType, "a date", "calculate one with date_add, or try_cast it"),
}
_ANY = (AtomicType, "a single value", "take one element, or one field")
_ODD_VALUES = {
    "string": ("'x'", "''", "'3+'", "'12'", "null"),
    "boolean": ("true", "false", "null"),
    "int": ("0", "1", "-1", "40", "null", "2147483647"),
    "bigint": ("0", "1", "-1", "40", "null", "9223372036854775807"),
    "double": ("0D", "1D", "double('NaN')", "1e300D", "null"),
    "date": ("date'2026-01-31'", "date'1970-01-01'", "null"),
    "timestamp": ("timestamp'2026-01-31 23:59:59'", "null"),
}
_ROWS = 12


def check_types(spark: SparkSession, conf: Conf | Draft, known: Collection[Fault] = ()) -> list[Fault]:
    """Every expression that Spark cannot analyse, that gives another type than its place needs, or that raises on odd values.

    Measures, preferences, attributes, derived features, lifecycle rules, tags and segments are looked at.

    Args:
        spark: the session.
        conf: a configuration, or what could be read of one.
        known: faults found before; their expressions are left out.
    """
    if conf.main is None or conf.features is None:
        return []
    places = {(fault.file, fault.key) for fault in known}
    items = [item for item in typed_expressions(conf) if (item.file, item.key) not in places]
    with _silent_spark():
        odd = {name: _odd_rows(spark, columns) for name, columns in frames(conf.features).items()}
        # Spark analyses a plan again with each expression, so it had better be a short one.
        empty = {name: spark.createDataFrame([], rows.schema) for name, rows in odd.items()}
        faults = {item: fault for item in items if (fault := _analysed(empty[item.frame], item))}
        right = [item for item in items if item not in faults]
        return sorted({*faults.values(), *_raising(odd, right)})


@contextmanager
def _silent_spark() -> Iterator[None]:
    """Spark's own log of the errors that are reported here."""
    logger = logging.getLogger("SQLQueryContextLogger")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _analysed(empty: DataFrame, item: TypedExpression) -> Fault | None:
    kind, words, hint = _KINDS.get(item.wanted, _ANY)
    try:
        found = empty.select(F.expr(item.sql)).schema.fields[0].dataType
    except (PySparkException, Py4JError) as error:
        return Fault(item.file, item.key, f"Spark cannot analyse {item.text!r}: {_first_line(error)}")
    if not isinstance(found, kind):
        return Fault(item.file, item.key, f"{item.text!r} is {found.simpleString()}, not {words}", hint)
    return None


def _raising(odd: Mapping[str, DataFrame], items: list[TypedExpression]) -> Iterator[Fault]:
    """All expressions of a frame are evaluated together, and one by one only when that raises."""
    for name, rows in odd.items():
        inside = [item for item in items if item.frame == name]
        if inside and _error(rows, inside) is not None:
            for item in inside:
                error = _error(rows, [item])
                if error is not None:
                    yield Fault(item.file, item.key, f"{item.text!r} fails on some values: {error}", "write try_cast where types differ")


def _error(rows: DataFrame, items: list[TypedExpression]) -> str | None:
    try:
        rows.select(*(F.expr(item.sql).alias(f"_{place}") for place, item in enumerate(items))).write.format("noop").mode(
            "overwrite"
        ).save()
    except (PySparkException, Py4JError) as error:
        return _first_line(error)
    return None


def _odd_rows(spark: SparkSession, columns: Mapping[str, str]) -> DataFrame:
    """A dozen rows of zeros, nulls, empty text, text that is no number, and the largest values."""
    cases = (_odd(_literals(kind), kind).alias(name) for name, kind in columns.items())
    return spark.range(0, _ROWS, 1, 1).select(*cases)


def _odd(values: tuple[str, ...], kind: str) -> Column:
    cases = " ".join(f"when id % {len(values)} = {at} then {value}" for at, value in enumerate(values))
    return F.expr(f"cast(case {cases} end as {kind})")


def _literals(kind: str) -> tuple[str, ...]:
    if kind.startswith("decimal"):
        return ("0", "0.01", "99.99", "null", "1e15BD")
    if kind.startswith("array<struct"):
        return ("array()", "null")
    if kind.startswith("array"):
        return ("array()", "array('x')", "null")
    if kind.startswith("map"):
        return ("map()", "map('x', 'y')", "null")
    return _ODD_VALUES[kind]


def _first_line(error: Exception) -> str:
    """What is wrong, without the trace: of an error that Spark does not translate, the last cause."""
    lines = str(error).strip().splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return causes[-1] if causes and isinstance(error, Py4JError) else lines[0]
