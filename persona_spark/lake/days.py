"""Removing old days of tables that have rows of each as_of.

Releases keep their own rows, so old days serve nobody but a run that goes back in time, and that computes again what it needs.
`expired_day` says which days there were: the history of tags and of user ids is told from one day to the next.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import user_features_table
from persona_spark.lake.dates import on_days
from persona_spark.lake.day_state import MARKED, begun_days, forget_days
from persona_spark.lake.tables import latest_day
from persona_spark.schema import EXPIRED_DAY, FEATURES_STATE, IDENTITY, USER_TAGS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table


_TOLD = (IDENTITY, USER_TAGS)
"""Tables of which a history is told from one day to the next."""


def day_tables(spec: FeaturesSpec) -> tuple[Table, ...]:
    """The tables whose days are computed again when they are asked for, in the order in which a day leaves them.

    Without its state a day of `user_features` is no base: a kill after that leaves rows that nobody uses and the next upkeep removes.
    """
    return (FEATURES_STATE, user_features_table(spec), *MARKED)


def expire_days(lake: Lake, spec: FeaturesSpec, days: int, serving: date | None = None) -> dict[str, tuple[date, ...]]:
    """Remove the days that are more than `days` days older than the newest of `user_features`, from all tables alike.

    Bases of days that stay do too. Days after the serving one do not count as the newest: a mistyped one would remove all others.

    Args:
        lake: the lake.
        spec: the definitions.
        days: how many days before the newest stay.
        serving: the day of the serving release, which stays; None when nothing is served.

    Returns:
        The days removed, sorted, by table.
    """
    newest = latest_day(lake.read(user_features_table(spec)))
    if newest is None:
        return {}
    limit = min(newest, serving or newest) - timedelta(days=days)
    states = lake.read(FEATURES_STATE).select("as_of", "base_as_of").collect()
    stay = {row.base_as_of for row in states if row.base_as_of and (row.as_of >= limit or row.as_of == serving)}
    if serving is not None:
        stay.add(serving)
    return {table.name: _remove(lake, table, limit, stay) for table in day_tables(spec)}


def expired_days(lake: Lake, table: Table) -> DataFrame:
    """Days that were once removed from a table, though some may have been computed again: as_of, ingest_seq."""
    return lake.read(EXPIRED_DAY).where(F.col("table_name") == F.lit(table.name)).select("as_of", "ingest_seq")


def last_before(days: Sequence[date], day: date) -> date | None:
    """The last of some sorted days that lies before a day; None when none does."""
    return next((one for one in reversed(days) if one < day), None)


def next_after(days: Sequence[date], day: date) -> date | None:
    """The first of some sorted days that lies after a day; None when none does."""
    return next((one for one in days if one > day), None)


def _remove(lake: Lake, table: Table, limit: date, stay: Collection[date]) -> tuple[date, ...]:
    stored = lake.read(table).where(F.col("as_of") < F.lit(limit)).select("as_of").distinct().collect()
    if table in _TOLD:
        # What follows from a day whose run did not end is told by the next run of its stage, from its rows.
        stay = {*stay, *begun_days(lake, table)}
    gone = tuple(sorted(row.as_of for row in stored if row.as_of not in stay))
    if table in MARKED:
        forget_days(lake, table, limit, stay)
    if gone:
        condition = on_days(gone)
        if table in _TOLD:
            # Written down first: of a day that is there, nobody asks whether it expired.
            record = _recorded(lake.read(table).where(condition), table)
            lake.replace_where(record, EXPIRED_DAY, f"table_name = '{table.name}' AND {condition}")
        lake.delete(table, condition)
    return gone


def _recorded(rows: DataFrame, table: Table) -> DataFrame:
    seq = F.max("ingest_seq") if "ingest_seq" in table.names else F.lit(None)
    return rows.groupBy("as_of").agg(seq.cast("bigint").alias("ingest_seq")).withColumn("table_name", F.lit(table.name))
