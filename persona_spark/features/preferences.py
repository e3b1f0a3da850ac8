"""Preferred keys: integer weights that decay by age from the user's own last event, so that they change only when tiles do."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import preferred, top, touch
from persona_spark.config.features_parts import (
    LOGS,
    SECONDS_A_DAY,
    family_of,
    key_column,
    key_columns,
    sharing,
    touched,
    weighing,
    weight_column,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Preference

UNIT = 1_000_000
"""What a weight of age 0 is multiplied by; decayed weights are rounded to whole numbers of it."""
_SUMS = {"counts": F.max, "weight": F.sum, "events": F.sum}
_TOUCHES = {"first": F.min, "last": F.max}
_HOW = {**_SUMS, **_TOUCHES}
"""How what days say becomes what a combination of keys says, and what combinations say becomes what a user's key says."""


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
    shared = [sharing(spec, family, key) for key in key_columns(spec, family)]
    slots = range(max(len(names) for names in shared))
    touches = [slot for slot in slots if any(spec.preferences[names[slot]].touch for names in shared if slot < len(names))]
    # Hashing the few rows of users spares sorting the many of keys.
    dated = keys.repartition("user_id").join(last_events.hint("shuffle_hash"), "user_id", "inner")
    by_key = (
        _a_row_a_key(_combinations(dated, spec, family), spec, shared, touches)
        .where(F.col("key").isNotNull() & reduce(lambda one, other: one | other, (F.col(f"counts_{slot}") for slot in slots)))
        .groupBy("user_id", "place", "key")
        .agg(*(_HOW[word](f"{word}_{slot}").alias(f"{word}_{slot}") for slot in slots for word in _words(touch=slot in touches)))
    )
    told = [column for place, names in enumerate(shared) for slot, name in enumerate(names) for column in _told(spec, name, place, slot)]
    # By the user alone: rows are sorted by one number, which Spark does without comparing them.
    users = by_key.groupBy("user_id").agg(*told)
    return users.select("user_id", *(column for names in shared for name in names for column in _stored(spec, name)))


def _words(*, touch: bool) -> tuple[str, ...]:
    return tuple(_HOW if touch else _SUMS)


def _combinations(dated: DataFrame, spec: FeaturesSpec, family: str) -> DataFrame:
    """One row a user and combination of keys, over all days: what follows looks at each row once for every key of it.

    Users come back to what they like, so there are far fewer combinations than rows of days.
    """
    age = F.date_diff(F.col("last_event"), F.col("event_date"))
    names = dict.fromkeys(_alike(spec, name) for name in family_of(spec, family))
    return dated.groupBy("user_id", *key_columns(spec, family)).agg(
        *(_HOW[word](value).alias(f"__{name}_{word}") for name in names for word, value in _values(spec, name, age).items())
    )


def _alike(spec: FeaturesSpec, preference: str) -> str:
    """The first preference of the family with the same weights and the same decay."""

    def weighs(name: str) -> tuple[object, ...]:
        return weighing(spec, name), spec.preferences[name].half_life_days, spec.preferences[name].half_lives

    return next(name for name in family_of(spec, spec.preferences[preference].family) if weighs(name) == weighs(preference))


def _a_row_a_key(keys: DataFrame, spec: FeaturesSpec, shared: Sequence[tuple[str, ...]], touches: Sequence[int]) -> DataFrame:
    """Each combination once for every key that it has: user_id, place (of the key in `shared`), key, and the values of each slot.

    A cross join copies columns and keeps users where they are; exploding an array would make objects of each row, and UNPIVOT
    would shuffle them again.
    """

    def value(names: tuple[str, ...], slot: int, word: str) -> Column | None:
        told = slot < len(names) and (word in _SUMS or touched(spec, weighing(spec, names[slot])))
        return F.col(f"__{_alike(spec, names[slot])}_{word}") if told else None

    columns = {"key": _of_place([F.col(key_column(spec, names[0])) for names in shared])}
    for slot in range(max(len(names) for names in shared)):
        for word in _words(touch=slot in touches):
            columns[f"{word}_{slot}"] = _of_place([value(names, slot, word) for names in shared])
    places = keys.sparkSession.range(len(shared)).select(F.col("id").cast("int").alias("place"))
    return keys.crossJoin(F.broadcast(places)).select("user_id", "place", *(column.alias(name) for name, column in columns.items()))


def _of_place(values: Sequence[Column | None]) -> Column:
    """The value of the row's place; null where there is none."""
    chosen = F.lit(None)
    for place, value in enumerate(values):
        if value is not None:
            chosen = F.when(F.col("place") == place, value).otherwise(chosen)
    return chosen


def _values(spec: FeaturesSpec, name: str, age: Column) -> dict[str, Column]:
    """What a row of the tile says of one preference; events too old to weigh anything are not among its events."""
    first = weighing(spec, name)
    table = F.expr(f"array({', '.join(f'{value}L' for value in decay_table(spec.preferences[name]))})")
    factor = F.coalesce(F.get(table, age), F.expr("0L"))
    events = F.col(f"{first}_events")
    values = {
        "counts": events > 0,
        "weight": F.col(weight_column(spec, first)) * factor,
        "events": F.when(factor > 0, events).otherwise(F.expr("0L")),
    }
    if touched(spec, first):
        day = F.unix_date("event_date").cast("bigint") * F.lit(SECONDS_A_DAY)
        values |= {word: day + F.col(f"{first}_{word}") for word in _TOUCHES}
    return values


def _told(spec: FeaturesSpec, name: str, place: int, slot: int) -> list[Column]:
    """Of a user's keys: the first ones, and what the shares, the count and the entropy are made of."""
    preference, mine = spec.preferences[name], F.col("place") == place
    exact = F.col(f"weight_{slot}")
    positive = mine & (exact > 0)
    weight = exact.cast("double")
    # Adding a half and flooring rounds as well as F.round, which goes through decimals.
    logs = F.floor(weight * F.log2(weight) * F.lit(LOGS) + F.lit(0.5)).cast("bigint")
    top_keys = f"min_by(struct(key, weight_{slot} as weight), struct(-weight_{slot} as minus, key), {preference.top})"
    columns = {
        "counts": F.max(F.when(mine, F.col(f"counts_{slot}"))),
        "top": F.expr(f"{top_keys} filter (where place = {place} and weight_{slot} > 0)"),
        "total": F.sum(F.when(positive, exact)),
        "events": F.sum(F.when(positive, F.col(f"events_{slot}"))),
        "count": F.count(F.when(positive, 1)),
        "logs": F.sum(F.when(positive, logs)),
    }
    if preference.touch:
        first, last = F.col(f"first_{slot}"), F.col(f"last_{slot}")
        columns["first"] = F.min(F.when(mine & first.isNotNull(), F.struct(first.alias("at"), F.col("key"))))
        columns["last"] = F.min(F.when(mine & last.isNotNull(), F.struct((-last).alias("minus"), F.col("key"))))
    return [column.alias(f"__{name}_{word}") for word, column in columns.items()]


def _stored(spec: FeaturesSpec, name: str) -> list[Column]:
    preference = spec.preferences[name]
    columns = [
        F.when(F.col(f"__{name}_counts"), F.col(f"__{name}_top")).alias(top(name)),
        F.col(f"__{name}_total").alias(f"{preferred(name)}_total"),
        F.col(f"__{name}_events").alias(f"{preferred(name)}_events"),
        F.col(f"__{name}_count").alias(f"{name}_count"),
        F.col(f"__{name}_logs").alias(f"{name}_logs"),
    ]
    if preference.touch:
        columns += [F.col(f"__{name}_{which}.key").alias(touch(which, name)) for which in ("first", "last")]
    return columns
