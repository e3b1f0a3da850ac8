"""Preferred keys: integer weights that decay by age from the user's own last event, so that they change only when tiles do."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import preferred, top, touch
from persona_spark.config.features_parts import LOGS, family_of, key_column, touched, weighing

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Preference

UNIT = 1_000_000
"""What a weight of age 0 is multiplied by; decayed weights are rounded to whole numbers of it."""
_SECONDS_A_DAY = 86_400
_VALUES = ("key", "weight", "counted", "events", "first", "last")


def decay_table(preference: Preference) -> list[int]:
    """The factor of each age in days, from `UNIT` at age 0; beyond the table it is zero.

    Computed in decimal arithmetic, so it is the same on every machine.
    """
    with localcontext() as context:
        context.prec = 40
        return [
            int((UNIT * Decimal(2) ** (Decimal(-age) / preference.half_life_days)).to_integral_value(ROUND_HALF_UP))
            for age in range(preference.half_life_days * preference.half_lives + 1)
        ]


def preferences(keys: DataFrame, last_events: DataFrame, spec: FeaturesSpec, family: str) -> DataFrame:
    """One row a user that has a key: the stored columns of the preferences of a family.

    Args:
        keys: parts of the family's tile before as_of, with `user_id`.
        last_events: user_id, last_event: the day of the user's last event before as_of.
        spec: the definitions.
        family: its name.
    """
    names = family_of(spec, family)
    dated = keys.repartition("user_id").join(last_events, "user_id", "inner")
    by_key = (
        _a_row_a_preference(dated, spec, names)
        .where(F.col("key").isNotNull() & (F.col("counted") > 0))
        .groupBy("user_id", "preference", "key")
        .agg(
            F.sum("weight").alias("weight"),
            F.sum("events").alias("events"),
            F.min("first").alias("first"),
            F.max("last").alias("last"),
        )
    )
    by_preference = by_key.groupBy("user_id", "preference").agg(*_told(max(spec.preferences[name].top for name in names)))
    told = F.struct(*(F.col(name) for name in by_preference.columns if name not in ("user_id", "preference")))
    users = by_preference.groupBy("user_id").agg(
        *(F.max(F.when(F.col("preference") == place, told)).alias(f"__{name}") for place, name in enumerate(names))
    )
    return users.select("user_id", *(column for name in names for column in _stored(spec, name)))


def _a_row_a_preference(dated: DataFrame, spec: FeaturesSpec, names: tuple[str, ...]) -> DataFrame:
    """Each row of the tile once for every preference: user_id, preference (its place in `names`), and `_VALUES`.

    UNPIVOT copies columns, where exploding an array of structs would make objects of each row.
    """
    age = F.date_diff(F.col("last_event"), F.col("event_date"))
    wide = dated.select(
        "user_id",
        *(column.alias(f"{word}_{place}") for place, name in enumerate(names) for word, column in _values(spec, name, age).items()),
    )
    sides = ", ".join(f"({', '.join(f'{word}_{place}' for word in _VALUES)}) AS `{place}`" for place in range(len(names)))
    sql = f"SELECT * FROM {{wide}} UNPIVOT INCLUDE NULLS (({', '.join(_VALUES)}) FOR preference IN ({sides}))"  # noqa: S608 - our own names
    return dated.sparkSession.sql(sql, wide=wide).withColumn("preference", F.col("preference").cast("int"))


def _values(spec: FeaturesSpec, name: str, age: Column) -> dict[str, Column]:
    """What a row of the tile says of one preference."""
    first = weighing(spec, name)
    table = F.expr(f"array({', '.join(f'{value}L' for value in decay_table(spec.preferences[name]))})")
    factor = F.coalesce(F.get(table, age), F.expr("0L"))
    events = F.col(f"{first}_events")
    moments = [_moment(f"{first}_{which}" if touched(spec, first) else None) for which in ("first", "last")]
    columns = (
        F.col(key_column(spec, name)),
        F.col(f"{first}_weight") * factor,
        events,
        F.when(factor > 0, events).otherwise(F.expr("0L")),
        *moments,
    )
    return dict(zip(_VALUES, columns, strict=True))


def _moment(column: str | None) -> Column:
    if column is None:
        return F.lit(None).cast("bigint")
    return F.unix_date("event_date").cast("bigint") * F.lit(_SECONDS_A_DAY) + F.col(column)


def _told(most: int) -> list[Column]:
    """Of a user's keys: the first ones, and what the shares, the count and the entropy are made of."""
    positive = F.col("weight") > 0
    weight = F.col("weight").cast("double")
    logs = F.round(weight * F.log2(weight) * F.lit(LOGS)).cast("bigint")
    return [
        F.expr(f"min_by(struct(key, weight), struct(-weight as minus, key), {most}) filter (where weight > 0)").alias("top"),
        F.sum(F.when(positive, F.col("weight"))).alias("total"),
        F.sum(F.when(positive, F.col("events"))).alias("events"),
        F.sum(F.when(positive, 1).otherwise(0).cast("bigint")).alias("count"),
        F.sum(F.when(positive, logs)).alias("logs"),
        F.min(F.struct("first", "key")).alias("first"),
        F.min(F.struct((-F.col("last")).alias("minus"), F.col("key"))).alias("last"),
    ]


def _stored(spec: FeaturesSpec, name: str) -> list[Column]:
    preference, told = spec.preferences[name], f"__{name}"
    columns = [
        F.slice(F.col(f"{told}.top"), 1, preference.top).alias(top(name)),
        F.col(f"{told}.total").alias(f"{preferred(name)}_total"),
        F.col(f"{told}.events").alias(f"{preferred(name)}_events"),
        F.col(f"{told}.count").alias(f"{name}_count"),
        F.col(f"{told}.logs").alias(f"{name}_logs"),
    ]
    if preference.touch:
        columns += [F.col(f"{told}.{which}.key").alias(touch(which, name)) for which in ("first", "last")]
    return columns
