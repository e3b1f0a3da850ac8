"""Preferred keys: integer weights that decay by age from the user's own last event, so that they change only when tiles do."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import top, touch
from persona_spark.config.features_parts import (
    LOGS,
    SECONDS_A_DAY,
    events_column,
    family_of,
    key_column,
    key_columns,
    preference_columns,
    sharing,
    touch_columns,
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
_SUMS = {"has_events": F.max, "weight": F.sum, "events": F.sum}
_TOUCHES = {"first": F.min, "last": F.max}
_HOW = {**_SUMS, **_TOUCHES}
"""How what days say becomes what a combination of keys says, and what combinations say becomes what a user's key says."""


@dataclass(frozen=True)
class _Layout:
    """How the preferences of a family stand side by side, so that each combination of keys is looked at once for every key of it.

    A *place* is one of the family's key columns: a row of a combination becomes one row for each place. A *slot* is one of the
    columns that follow one another in such a row: slot s of a row of place p has the values of the preference `places[p][s]`.

    Attributes:
        places: of each key column the preferences that have it as their key, those with touches first.
        touches: slots in which some place has a preference with touches.
    """

    places: tuple[tuple[str, ...], ...]
    touches: frozenset[int]

    @classmethod
    def of(cls, spec: FeaturesSpec, family: str) -> _Layout:
        places = tuple(sharing(spec, family, key) for key in key_columns(spec, family))
        return cls(places, frozenset(slot for names in places for slot, name in enumerate(names) if spec.preferences[name].touch))

    @property
    def slots(self) -> range:
        return range(max(len(names) for names in self.places))

    @property
    def values(self) -> list[tuple[str, int]]:
        """What a row has beside its key: a word of `_HOW` and the slot that it is said of."""
        return [(word, slot) for slot in self.slots for word in (_HOW if slot in self.touches else _SUMS)]


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
        keys: parts of the family's tile before as_of, with `user_number`.
        last_events: user_number, last_event: the day of the user's last event before as_of.
        spec: the definitions.
        family: its name.
    """
    layout = _Layout.of(spec, family)
    # Hashing the few rows of users spares sorting the many of keys.
    dated = keys.repartition("user_number").join(last_events.hint("shuffle_hash"), "user_number", "inner")
    by_key = (
        _a_row_a_key(_combinations(dated, spec, family), spec, layout)
        .where(F.col("key").isNotNull() & reduce(or_, (F.col(f"has_events_{slot}") for slot in layout.slots)))
        .groupBy("user_number", "place", "key")
        .agg(*(_HOW[word](f"{word}_{slot}").alias(f"{word}_{slot}") for word, slot in layout.values))
    )
    told = [
        column for place, names in enumerate(layout.places) for slot, name in enumerate(names) for column in _told(spec, name, place, slot)
    ]
    # By the user alone: rows are sorted by one number, which Spark does without comparing them.
    users = by_key.groupBy("user_number").agg(*told)
    return users.select("user_number", *(column for names in layout.places for name in names for column in _stored(spec, name)))


def _combinations(dated: DataFrame, spec: FeaturesSpec, family: str) -> DataFrame:
    """One row a user and combination of keys, over all days: what follows looks at each row once for every key of it.

    Users come back to what they like, so there are far fewer combinations than rows of days.
    """
    age = F.date_diff(F.col("last_event"), F.col("event_date"))
    names = dict.fromkeys(_alike(spec, name) for name in family_of(spec, family))
    return dated.groupBy("user_number", *key_columns(spec, family)).agg(
        *(_HOW[word](value).alias(f"__{name}_{word}") for name in names for word, value in _values(spec, name, age).items())
    )


def _alike(spec: FeaturesSpec, preference: str) -> str:
    """The first preference of the family with the same weights and the same decay."""

    def weighs(name: str) -> tuple[object, ...]:
        return weighing(spec, name), spec.preferences[name].half_life_days, spec.preferences[name].half_lives

    return next(name for name in family_of(spec, spec.preferences[preference].family) if weighs(name) == weighs(preference))


def _a_row_a_key(keys: DataFrame, spec: FeaturesSpec, layout: _Layout) -> DataFrame:
    """Each combination once for every place: user_number, place, key (null without one), and `<word>_<slot>` for the layout's values.

    A cross join copies columns and keeps users where they are; exploding an array would make objects of each row, and UNPIVOT
    would shuffle them again.
    """

    def value(names: tuple[str, ...], slot: int, word: str) -> Column | None:
        told = slot < len(names) and (word in _SUMS or touched(spec, weighing(spec, names[slot])))
        return F.col(f"__{_alike(spec, names[slot])}_{word}") if told else None

    key = _of_place([F.col(key_column(spec, names[0])) for names in layout.places])
    values = [_of_place([value(names, slot, word) for names in layout.places]).alias(f"{word}_{slot}") for word, slot in layout.values]
    places = keys.sparkSession.range(len(layout.places)).select(F.col("id").cast("int").alias("place"))
    return keys.crossJoin(F.broadcast(places)).select("user_number", "place", key.alias("key"), *values)


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
    events = F.col(events_column(first))
    values = {
        "has_events": events > 0,
        "weight": F.col(weight_column(spec, first)) * factor,
        "events": F.when(factor > 0, events).otherwise(F.expr("0L")),
    }
    if touched(spec, first):
        day = F.unix_date("event_date").cast("bigint") * F.lit(SECONDS_A_DAY)
        values |= {word: day + F.col(column) for word, column in zip(_TOUCHES, touch_columns(first), strict=True)}
    return values


def _told(spec: FeaturesSpec, name: str, place: int, slot: int) -> list[Column]:
    """What one preference says of a user's keys: the first ones, and what the shares, the count and the entropy are made of."""
    preference, mine = spec.preferences[name], F.col("place") == place
    exact = F.col(f"weight_{slot}")
    positive = mine & (exact > 0)
    weight = exact.cast("double")
    # Adding a half and flooring rounds as well as F.round, which goes through decimals.
    logs = F.floor(weight * F.log2(weight) * F.lit(LOGS) + F.lit(0.5)).cast("bigint")
    top_keys = f"min_by(struct(key, weight_{slot} as weight), struct(-weight_{slot} as minus, key), {preference.top})"
    columns = {
        "has_events": F.max(F.when(mine, F.col(f"has_events_{slot}"))),
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
    first_keys = F.when(F.col(f"__{name}_has_events"), F.col(f"__{name}_top")).alias(top(name))
    columns = [first_keys, *(F.col(f"__{name}_{word}").alias(column) for word, column in preference_columns(name).items())]
    if preference.touch:
        columns += [F.col(f"__{name}_{which}.key").alias(touch(which, name)) for which in ("first", "last")]
    return columns
