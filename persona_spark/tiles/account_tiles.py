"""From events to tiles: what adds up by account and day, by its keys, and by its orders and sessions."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.config.features_check import hours_of
from persona_spark.config.features_columns import stored_measure
from persona_spark.config.tile_tables import ACCOUNT_DAY_KEY, account_day_table, account_order_table, account_session_table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec, Preference
    from persona_spark.config.features import Measure as MeasureSpec
    from persona_spark.schema import Table

PART_SEQ = "part_seq"
"""Column of events that says under which ingest their part of a tile is written: their own, unless the part is made anew later."""
_DAY = ("account_id", "event_date", "event_month")


def tile_tables(spec: FeaturesSpec) -> tuple[Table, ...]:
    """The tables of tiles."""
    return (account_day_table(spec), ACCOUNT_DAY_KEY, account_order_table(spec), account_session_table(spec))


def tiles_of(events: DataFrame, spec: FeaturesSpec, table: Table) -> DataFrame:
    """The parts that `events` make of the tile `table`.

    Args:
        events: events with `PART_SEQ`.
        spec: the definitions.
        table: one of `tile_tables`.
    """
    if table.name == ACCOUNT_DAY_KEY.name:
        return _day_keys(events, spec)
    if table.name == "account_day":
        return _days(events, spec)
    return _counted(events, spec, table, "orders" if table.name == "account_order" else "sessions")


def _days(events: DataFrame, spec: FeaturesSpec) -> DataFrame:
    sums = [_measure(measure).alias(stored_measure(spec, name)) for name, measure in spec.measures.items() if measure.in_day_tile]
    return events.groupBy(*_DAY).agg(*sums, F.min("ingest_seq").alias("first_seq"), F.max(PART_SEQ).alias("ingest_seq"))


def _day_keys(events: DataFrame, spec: FeaturesSpec) -> DataFrame:
    banded = events.withColumn("hour_band", _hour_band(spec)) if spec.hour_bands else events
    keys = F.array(*(_key(name, preference) for name, preference in spec.preferences.items()))
    weighted = banded.select(*_DAY, PART_SEQ, F.inline(keys)).where(F.col("key").isNotNull() & (F.col("weight") != 0))
    summed = weighted.groupBy(*_DAY, "dimension", "key").agg(F.sum("weight").alias("weight"), F.max(PART_SEQ).alias("ingest_seq"))
    return summed.where(F.col("weight") != 0)


def _counted(events: DataFrame, spec: FeaturesSpec, table: Table, kind: str) -> DataFrame:
    """Orders or sessions on the days on which an event makes them count, under one measure or several."""
    id_name = table.key[2]
    flags = {name: _condition(measure.where) for name, measure in spec.measures.items() if measure.distinct == kind}
    counts = reduce(lambda one, other: one | other, flags.values(), F.expr("false"))
    rows = events.where(F.col(id_name).isNotNull() & counts)
    return rows.groupBy(*_DAY, id_name).agg(
        *(F.max(condition).alias(name) for name, condition in flags.items()),
        F.max(PART_SEQ).alias("ingest_seq"),
    )


def _measure(measure: MeasureSpec) -> Column:
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
