"""`persona check --types`: each expression analysed by Spark alone on an empty frame, all faults at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from persona_spark.config.expression import compile_expression
from persona_spark.errors import Fault
from persona_spark.schema import EVENTS, USER_SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.config.expression import Expression
    from persona_spark.config.load import Conf


def check_types(spark: SparkSession, conf: Conf) -> list[Fault]:
    """Every expression of measures, tags and scores that Spark cannot analyse, or that is no condition where one is needed."""
    return sorted({*_measures(spark, conf), *_profile_conditions(spark, conf)})


def _measures(spark: SparkSession, conf: Conf) -> Iterator[Fault]:
    events = spark.createDataFrame([], EVENTS.ddl)
    for name, measure in conf.features.measures.items():
        if measure.where is not None:
            yield from _analyse(events, compile_expression(measure.where), conf.main.features, f"measures.{name}.where")


def _profile_conditions(spark: SparkSession, conf: Conf) -> Iterator[Fault]:
    columns = {column.name: column.type for column in (*conf.features.profile_columns(), *USER_SCORES.columns)}
    columns |= {"user_id": "string", "as_of": "date", "account_ids": "array<string>"}
    profiles = spark.createDataFrame([], ", ".join(f"`{name}` {kind}" for name, kind in columns.items()))
    for name, tag in conf.tags.tags.items():
        yield from _analyse(profiles, tag.condition, conf.main.tags, f"tags.{name}.when")
    for stage in conf.scores.lifecycle:
        if stage.condition is not None:
            yield from _analyse(profiles, stage.condition, conf.main.scores, f"lifecycle.{stage.name}.when")


def _analyse(empty: DataFrame, condition: Expression, file: str, key: str) -> Iterator[Fault]:
    try:
        found = empty.select(F.expr(condition.sql)).schema.fields[0].dataType
    except PySparkException as error:
        yield Fault(file, key, f"Spark cannot analyse {condition.text!r}: {str(error).splitlines()[0]}")
        return
    if not isinstance(found, BooleanType):
        yield Fault(file, key, f"{condition.text!r} is {found.simpleString()}, not a condition", "compare it with something")
