"""The stored form of the definitions: which numbers of a measure are kept, and which columns tiles and `user_features` have.

Names are computed here and nowhere else; what fills a column and what reads it ask the same function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from persona_spark.config.expression import compile_expression
from persona_spark.config.features_columns import preferred

if TYPE_CHECKING:
    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Kind
    from persona_spark.time import Window

SECONDS_A_DAY = 86_400
"""Touches are kept as seconds from 00:00 UTC of their local day, which may be below zero or beyond the day."""
LOGS = 1_000
"""Weights times their logarithms are kept as whole numbers of 1 / LOGS, so that their sum is exact."""
_OF_ITEMS = {"item_id", "category", "brand"}
"""Columns of events of which each item has its own value, or one among many."""


@dataclass(frozen=True)
class Part:
    """A number that is kept of a measure.

    Attributes:
        column: its name in user-days; with a window's label behind it, in `user_features`.
        type: Spark SQL type.
        combine: how the numbers of two days become one.
    """

    column: str
    type: str = "bigint"
    combine: Literal["sum", "max"] = "sum"

    def over(self, window: Window) -> str:
        """Its column in `user_features`."""
        return f"{self.column}_{window.label}"


@dataclass(frozen=True)
class Group:
    """Measures of one kind under one condition: they count an order or a session on the same day.

    Attributes:
        flag: the tile's column that says whether an event of the day meets the condition.
        where: the condition.
        measures: their names.
    """

    flag: str
    where: str | None
    measures: tuple[str, ...]


def stored_measure(spec: FeaturesSpec, name: str) -> str:
    """Name of a measure in tiles and features: money carries `_minor`, since it is kept in minor units."""
    return f"{name}_minor" if spec.measures[name].unit == "money" else name


def parts(spec: FeaturesSpec, name: str) -> tuple[Part, ...]:
    """The numbers kept of a measure; a spread is made of the number, the sum and the squares."""
    stored, take = stored_measure(spec, name), spec.measures[name].take
    if take == "spread":
        number, total, squares = sums_columns(stored)
        return (Part(number), Part(total), Part(squares, "decimal(38,0)"))
    return (Part(stored, combine="max"),) if take == "largest" else (Part(stored),)


def sums_columns(name: str) -> tuple[str, str, str]:
    """The columns from which the mean and the spread of a measure's values or of a gap are told: number, sum, sum of the squares."""
    return f"{name}_number", f"{name}_sum", f"{name}_squares"


def measures_of(spec: FeaturesSpec, kind: Kind) -> tuple[str, ...]:
    """Names of the measures of a kind."""
    return tuple(name for name, measure in spec.measures.items() if measure.kind == kind)


def groups(spec: FeaturesSpec, kind: Literal["orders", "sessions"]) -> tuple[Group, ...]:
    """The measures of orders or of sessions by their conditions; a group is called by its first measure."""
    found: dict[str | None, list[str]] = {}
    for name in measures_of(spec, kind):
        found.setdefault(spec.measures[name].where, []).append(name)
    return tuple(Group(f"{names[0]}_counts", where, tuple(names)) for where, names in found.items())


def id_column(kind: Literal["orders", "sessions"]) -> str:
    """The column of events and tiles that says of which order or session they speak."""
    return {"orders": "order_id", "sessions": "session_id"}[kind]


def value_column(spec: FeaturesSpec, measure: str) -> str:
    """The tile's column with the sum of an order or session of which something is taken: shared by measures of the same sum."""
    mine = spec.measures[measure]

    def sums_alike(name: str) -> bool:
        other = spec.measures[name]
        return (other.of, other.where, other.sum) == (mine.of, mine.where, mine.sum)

    return f"{next(name for name in spec.measures if sums_alike(name))}_value"


def span_columns(measure: str) -> tuple[str, str]:
    """The tile's columns with the first and the last event of a session, in seconds since 1970."""
    return f"{measure}_from", f"{measure}_to"


def families(spec: FeaturesSpec) -> tuple[str, ...]:
    """Families of preferences, in the order in which they first stand in the file."""
    return tuple(dict.fromkeys(preference.family for preference in spec.preferences.values()))


def family_of(spec: FeaturesSpec, family: str) -> tuple[str, ...]:
    """The preferences of a family."""
    return tuple(name for name, preference in spec.preferences.items() if preference.family == family)


def key_column(spec: FeaturesSpec, preference: str) -> str:
    """The tile's column with the keys of a preference: shared by those of its family with the same expression."""
    mine = spec.preferences[preference]
    return next(name for name in family_of(spec, mine.family) if spec.preferences[name].key == mine.key)


def weighing(spec: FeaturesSpec, preference: str) -> str:
    """The first preference of the family that weighs events alike; the tile's columns of both are the same."""
    mine = spec.preferences[preference]
    return next(name for name in family_of(spec, mine.family) if spec.preferences[name].weights == mine.weights)


def key_columns(spec: FeaturesSpec, family: str) -> tuple[str, ...]:
    """The key columns of a family's tile."""
    return tuple(dict.fromkeys(key_column(spec, name) for name in family_of(spec, family)))


def of_items(spec: FeaturesSpec, family: str) -> bool:
    """Whether a key of the family tells items apart: then hardly two events of an account's day have all keys in common."""
    keys = (compile_expression(spec.preferences[name].key) for name in key_columns(spec, family))
    return any(not _OF_ITEMS.isdisjoint(key.columns) for key in keys)


def sharing(spec: FeaturesSpec, family: str, key: str) -> tuple[str, ...]:
    """The preferences of a family whose keys are in the column `key`, those with touches first."""
    names = (name for name in family_of(spec, family) if key_column(spec, name) == key)
    return tuple(sorted(names, key=lambda name: not spec.preferences[name].touch))


def weighings(spec: FeaturesSpec, family: str) -> tuple[str, ...]:
    """The preferences of a family that weigh events each in their own way."""
    return tuple(dict.fromkeys(weighing(spec, name) for name in family_of(spec, family)))


def events_column(first: str) -> str:
    """The tile's column with the number of events that the weighing `first` counts."""
    return f"{first}_events"


def weight_column(spec: FeaturesSpec, first: str) -> str:
    """The tile's column with the weights of the weighing `first`: that of its events when each weighs one."""
    weights = {weight for weight in spec.preferences[first].weights.values() if weight}
    return events_column(first) if weights == {1} else f"{first}_weight"


def touch_columns(first: str) -> tuple[str, str]:
    """The tile's columns with the first and the last of those events, in seconds from 00:00 UTC of their local day."""
    return f"{first}_first", f"{first}_last"


def touched(spec: FeaturesSpec, first: str) -> bool:
    """Whether the first and last events are kept of those that count for the weighing `first`."""
    family = family_of(spec, spec.preferences[first].family)
    return any(weighing(spec, name) == first and spec.preferences[name].touch for name in family)


def preference_columns(name: str) -> dict[str, str]:
    """The columns of `user_features` with what a preference adds up over its keys, by what that is."""
    return {"total": f"{preferred(name)}_total", "events": f"{preferred(name)}_events", "count": f"{name}_count", "logs": f"{name}_logs"}


def gaps_within(spec: FeaturesSpec, family: str) -> tuple[str, ...]:
    """The gaps that are told within a preference of a family."""
    inside = family_of(spec, family)
    return tuple(name for name, gap in spec.gaps.items() if gap.within in inside)


def dates_column(gap: str) -> str:
    """The tile's column that says how many events of a day and key make it a date of the gap."""
    return f"{gap}_events"
