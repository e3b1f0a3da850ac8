"""From events to tiles: what adds up by account and day, by its orders and sessions, and by its keys."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.config.features_check import hours_of
from persona_spark.config.features_parts import (
    SECONDS_A_DAY,
    dates_column,
    events_column,
    families,
    gaps_within,
    groups,
    id_column,
    key_columns,
    measures_of,
    of_items,
    span_columns,
    stored_measure,
    touch_columns,
    touched,
    value_column,
    weighings,
    weight_column,
)
from persona_spark.config.tile_tables import (
    account_day_table,
    account_key_table,
    account_order_table,
    account_session_table,
)

if TYPE_CHECKING:
    from typing import Literal

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Measure
    from persona_spark.schema import Table

PART_SEQ = "part_seq"
"""Column of events that says under which ingest their part of a tile is written: their own, unless the part is made anew later."""
DAY = ("account_id", "event_date", "event_month")
"""What tells an account-day apart, with its partition."""


def tiles_of(events: DataFrame, spec: FeaturesSpec, table: Table) -> DataFrame:
    """The parts that `events` make of the tile `table`.

    Args:
        events: events with `PART_SEQ`.
        spec: the definitions.
        table: one of `config.tile_tables.tile_tables`.
    """
    if table.name == account_day_table(spec).name:
        return _days(events, spec)
    if table.name == account_order_table(spec).name:
        return _counted(events, spec, "orders")
    if table.name == account_session_table(spec).name:
        return _counted(events, spec, "sessions")
    return _keys(events, spec, next(name for name in families(spec) if account_key_table(spec, name).name == table.name))


def _days(events: DataFrame, spec: FeaturesSpec) -> DataFrame:
    sums = [_measure(spec.measures[name]).alias(stored_measure(spec, name)) for name in measures_of(spec, "days")]
    return events.groupBy(*DAY).agg(*sums, F.min("ingest_seq").alias("first_seq"), _last_seq())


def _counted(events: DataFrame, spec: FeaturesSpec, kind: Literal["orders", "sessions"]) -> DataFrame:
    """Orders or sessions on the days on which an event makes them count, under one condition or several."""
    id_name = id_column(kind)
    conditions = {group.flag: _condition(group.where) for group in groups(spec, kind)}
    if not conditions:
        return events.where(F.expr("false")).groupBy(*DAY, id_name).agg(_last_seq())
    rows = events.where(F.col(id_name).isNotNull() & reduce(or_, conditions.values()))
    values: dict[str, Column] = {}
    for group in groups(spec, kind):
        for name in group.measures:
            values |= _values(spec, name)
    return rows.groupBy(*DAY, id_name).agg(
        *(F.max(condition).alias(flag) for flag, condition in conditions.items()),
        *(value.alias(column) for column, value in values.items()),
        _last_seq(),
    )


def _values(spec: FeaturesSpec, name: str) -> dict[str, Column]:
    """What an order or a session keeps of its day for a measure beside that it counts, by column."""
    measure = spec.measures[name]
    if measure.take == "span":
        second = F.when(_condition(measure.where), F.unix_seconds("event_time"))
        return {column: how(second) for how, column in zip((F.min, F.max), span_columns(name), strict=True)}
    return {} if measure.take is None else {value_column(spec, name): _sum(measure)}


def _keys(events: DataFrame, spec: FeaturesSpec, family: str) -> DataFrame:
    """One row a combination of keys; an event counts for the weighings that give its type a weight."""
    keys = {name: F.expr(f"string({compile_expression(spec.preferences[name].key).sql})") for name in key_columns(spec, family)}
    weights = {name: _weight(spec.preferences[name].weights) for name in weighings(spec, family)}
    dates = {dates_column(gap): _condition(spec.measures[spec.gaps[gap].between].where) for gap in gaps_within(spec, family)}
    second = F.unix_seconds("event_time") - F.unix_date("event_date") * F.lit(SECONDS_A_DAY)
    rows = _banded(events, spec).select(
        *DAY,
        PART_SEQ,
        "event_type",
        *(key.alias(name) for name, key in keys.items()),
        *(weight.alias(f"__weight_{name}") for name, weight in weights.items()),
        *(condition.cast("bigint").alias(column) for column, condition in dates.items()),
        second.cast("int").alias("__second"),
    )
    # Asking for the types alone is cheaper than weighing each event twice, here and for its sums.
    weighed = dict.fromkeys(kind for name in weights for kind, weight in spec.preferences[name].weights.items() if weight)
    counts = reduce(or_, [F.col("event_type").isin(*weighed), *(F.col(name) > 0 for name in dates)])
    keyed = reduce(or_, (F.col(name).isNotNull() for name in keys))
    counted = rows.where(counts & keyed)
    if of_items(spec, family):
        # To add up before the shuffle would hash all rows once more to spare few of them. By account and month, each file has the rows
        # of few accounts: it is smaller, and whoever looks accounts up finds them in the processor's cache.
        counted = counted.repartition("account_id", "event_month")
    return counted.groupBy(*DAY, *keys).agg(
        *(column for name in weights for column in _weighed(spec, name)),
        *(F.sum(column).alias(column) for column in dates),
        _last_seq(),
    )


def _weighed(spec: FeaturesSpec, name: str) -> list[Column]:
    weight = F.col(f"__weight_{name}")
    events, total = events_column(name), weight_column(spec, name)
    columns = [F.sum((weight != 0).cast("bigint")).alias(events), *([F.sum(weight).alias(total)] if total != events else [])]
    if touched(spec, name):
        second = F.when(weight != 0, F.col("__second"))
        first, last = touch_columns(name)
        columns += [F.min(second).alias(first), F.max(second).alias(last)]
    return columns


def _banded(events: DataFrame, spec: FeaturesSpec) -> DataFrame:
    bands = {}
    if spec.hour_bands:
        bands["hour_band"] = _hour_band(spec)
    if spec.price_bands:
        # A column of its own is computed once, not for each band that it is held against; decimals are slow.
        events = events.withColumn("__price", F.expr(compile_expression(spec.price_bands.of).sql))
        falling = sorted(spec.price_bands.bands.items(), key=lambda band: -band[1])
        cases = " ".join(f"when __price >= {least} then '{name}'" for name, least in falling)
        bands["price_band"] = F.expr(f"case {cases} end")
    return events.withColumns(bands) if bands else events


def _hour_band(spec: FeaturesSpec) -> Column:
    cases = " ".join(
        f"when event_hour in ({', '.join(map(str, hours_of(start, end)))}) then '{name}'" for name, (start, end) in spec.hour_bands.items()
    )
    return F.expr(f"case {cases} end")


def _weight(weights: dict[str, int]) -> Column:
    cases = " ".join(f"when '{kind}' then {weight}" for kind, weight in weights.items())
    return F.expr(f"bigint(case event_type {cases} else 0 end)")


def _measure(measure: Measure) -> Column:
    if measure.sum is not None:
        return _sum(measure)
    return F.sum(F.when(_condition(measure.where), F.lit(1).cast("bigint")).otherwise(F.lit(0).cast("bigint")))


def _sum(measure: Measure) -> Column:
    sql = compile_expression(measure.sum or "0").sql
    exact = f"cast(try_cast(({sql}) as decimal(18,2)) * 100 as bigint)" if measure.unit == "money" else f"try_cast(({sql}) as bigint)"
    return F.coalesce(F.sum(F.when(_condition(measure.where), F.expr(exact))), F.lit(0).cast("bigint"))


def _condition(where: str | None) -> Column:
    """The condition as true or false; unknown is false."""
    if where is None:
        return F.expr("true")
    return F.coalesce(F.expr(compile_expression(where).sql), F.expr("false"))


def _last_seq() -> Column:
    return F.max(PART_SEQ).alias("ingest_seq")
