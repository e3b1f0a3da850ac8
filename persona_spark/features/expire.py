"""Removing old days of `user_features`: releases keep their own rows, so these serve as a base only."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from persona_spark.projection import user_features_table
from persona_spark.schema import FEATURES_STATE

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.lake.tables import Lake


def expire_features(lake: Lake, spec: FeaturesSpec, days: int, keep: Collection[date] = ()) -> list[date]:
    """Remove the days that are more than `days` days older than the newest, unless a day that stays has them as its base.

    What is removed is computed from tiles when it is asked for again.

    Args:
        lake: the lake.
        spec: the definitions.
        days: how many days before the newest stay.
        keep: further days that stay.

    Returns:
        The days removed, sorted.
    """
    table = user_features_table(spec)
    stored = {row.as_of for row in lake.read(table).select("as_of").distinct().collect()}
    if not stored:
        return []
    limit = max(stored) - timedelta(days=days)
    stay = {day for day in stored if day >= limit} | set(keep)
    states = lake.read(FEATURES_STATE).select("as_of", "base_as_of").collect()
    stay |= {row.base_as_of for row in states if row.as_of in stay and row.base_as_of is not None}
    gone = sorted(stored - stay)
    if gone:
        dates = ", ".join(f"DATE'{day}'" for day in gone)
        condition = f"as_of IN ({dates})"
        # Without its state a day is no base: a kill between the two leaves rows that nobody uses and the next upkeep removes.
        lake.delete(FEATURES_STATE, condition)
        lake.delete(table, condition)
    return gone
