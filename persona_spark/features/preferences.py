"""Preferred keys: integer weights that decay by age from the user's own last event, so that they change only when tiles do."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import preferred

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec, Preference

UNIT = 1_000_000
"""What a weight of age 0 is multiplied by; decayed weights are rounded to whole numbers of it."""


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


def preferences(keys: DataFrame, last_events: DataFrame, spec: FeaturesSpec) -> DataFrame:
    """One row a user that has a key: preferred key, its weight and the total of positive weights, for each dimension.

    Args:
        keys: `account_day_key` before as_of with `user_id`.
        last_events: user_id, last_event: the day of the user's last event before as_of.
        spec: the definitions.
    """
    age = F.date_diff(F.col("last_event"), F.col("event_date"))
    decayed = (
        keys.join(last_events, "user_id", "inner")
        .select("user_id", "dimension", "key", (F.col("weight") * _factor(spec, age)).alias("weight"))
        .groupBy("user_id", "dimension", "key")
        .agg(F.sum("weight").alias("weight"))
        .where(F.col("weight") > 0)
    )
    best = [column for name in spec.preferences for column in _best(name)]
    return decayed.groupBy("user_id").agg(*best).select("user_id", *(column for name in spec.preferences for column in _published(name)))


def _factor(spec: FeaturesSpec, age: Column) -> Column:
    factor = F.lit(0).cast("bigint")
    for name, preference in spec.preferences.items():
        table = F.expr(f"array({', '.join(f'{value}L' for value in decay_table(preference))})")
        factor = F.when(F.col("dimension") == name, F.coalesce(F.get(table, age), F.expr("0L"))).otherwise(factor)
    return factor


def _best(name: str) -> list[Column]:
    mine = F.col("dimension") == name
    ranked = F.struct((-F.col("weight")).alias("minus"), F.col("key"))
    return [
        F.min(F.when(mine, ranked)).alias(f"__best_{name}"),
        F.sum(F.when(mine, F.col("weight"))).alias(f"{preferred(name)}_total"),
    ]


def _published(name: str) -> list[Column]:
    return [
        F.col(f"__best_{name}.key").alias(preferred(name)),
        (-F.col(f"__best_{name}.minus")).alias(f"{preferred(name)}_weight"),
        F.col(f"{preferred(name)}_total"),
    ]
