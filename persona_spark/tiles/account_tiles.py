"""From events to tiles: what adds up by account and day, and the first days of orders and sessions."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.config.features_check import hours_of
from persona_spark.config.features_columns import stored_measure
from persona_spark.lake.contract import enforce

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec, Measure, Preference
    from persona_spark.schema import Table

_DAY = ("account_id", "event_date", "event_month")


def account_days(events: DataFrame, spec: FeaturesSpec) -> DataFrame:
    """One row an account and local day with the sums of all measures that add up, and the counts of days' events."""
    sums = [_measure(measure).alias(stored_measure(spec, name)) for name, measure in spec.measures.items() if measure.in_day_tile]
    return events.groupBy(*_DAY).agg(*sums, F.max("ingest_seq").alias("ingest_seq"))


def account_day_keys(events: DataFrame, spec: FeaturesSpec) -> DataFrame:
    """One row an account, local day, dimension and key with the sum of the events' weights, where it is not zero."""
    banded = events.withColumn("hour_band", _hour_band(spec)) if spec.hour_bands else events
    keys = F.array(*(_key(name, preference) for name, preference in spec.preferences.items()))
    weighted = banded.select(*_DAY, "ingest_seq", F.inline(keys)).where(F.col("key").isNotNull() & (F.col("weight") != 0))
    summed = weighted.groupBy(*_DAY, "dimension", "key").agg(
        F.sum("weight").alias("weight"),
        F.max("ingest_seq").alias("ingest_seq"),
    )
    return summed.where(F.col("weight") != 0)


def first_days(events: DataFrame, spec: FeaturesSpec, table: Table, kind: str, old: DataFrame | None = None) -> DataFrame:
    """One row an account and order (or session) with the first local date for each measure of the kind.

    Args:
        events: all events, or those that `old` does not know yet.
        spec: the definitions.
        table: contract of the tile.
        kind: `orders` or `sessions`.
        old: the tile so far; a minimum of minima is the minimum of all, so what was read once need not be read again.
    """
    _, id_name = table.key
    dated = {measure.dated_by: _condition(measure.where) for measure in spec.measures.values() if measure.distinct == kind}
    counts = reduce(lambda one, other: one | other, dated.values(), F.expr("false"))
    dates = [F.when(condition, F.col("event_date")).alias(name) for name, condition in dated.items()]
    new = events.where(F.col(id_name).isNotNull() & counts).select("account_id", id_name, *dates, "ingest_seq")
    rows = new if old is None else new.unionByName(enforce(old, table))
    return rows.groupBy("account_id", id_name).agg(
        *(F.min(name).alias(name) for name in dated),
        F.max("ingest_seq").alias("ingest_seq"),
    )


def _measure(measure: Measure) -> Column:
    condition = _condition(measure.where)
    if measure.sum is None:
        return F.sum(F.when(condition, F.lit(1).cast("bigint")).otherwise(F.lit(0).cast("bigint")))
    sql = compile_expression(measure.sum).sql
    exact = f"cast(try_cast(({sql}) as decimal(18,2)) * 100 as bigint)" if measure.unit == "money" else f"try_cast(({sql}) as bigint)"
    return F.coalesce(F.sum(F.when(condition, F.expr(exact))), F.lit(0).cast("bigint"))


def _condition(where: str | None) -> Column:
    """The condition as true or false; unknown is false."""
    if where is None:
        return F.expr("true")
    return F.coalesce(F.expr(compile_expression(where).sql), F.expr("false"))


def _key(name: str, preference: Preference) -> Column:
    cases = " ".join(f"when '{kind}' then {weight}" for kind, weight in preference.weights.items())
    weight = F.expr(f"bigint(case event_type {cases} else 0 end)")
    key = F.expr(f"string({compile_expression(preference.key).sql})")
    return F.struct(F.lit(name).alias("dimension"), key.alias("key"), weight.alias("weight"))


def _hour_band(spec: FeaturesSpec) -> Column:
    cases = " ".join(
        f"when event_hour in ({', '.join(map(str, hours_of(start, end)))}) then '{name}'" for name, (start, end) in spec.hour_bands.items()
    )
    return F.expr(f"case {cases} end")
