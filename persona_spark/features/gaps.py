"""Gaps between dates and runs of days, from the dates themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from persona_spark.config.features_parts import sums_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def gaps(dates: DataFrame, name: str) -> DataFrame:
    """One row a user: how many gaps there are between following dates, their sum in days and the sum of their squares.

    Args:
        dates: user_number, event_date; each date once.
        name: of the gap feature.

    Returns:
        user_number and `sums_columns` of the feature.
    """
    return _between(dates, name, "user_number")


def gaps_by_key(dates: DataFrame, name: str) -> DataFrame:
    """One row a user: the gaps between dates of each key, so that one key's can be told when the preferred one is known.

    Args:
        dates: user_number, key, event_date; each date of a key once.
        name: of the gap feature.

    Returns:
        user_number, gaps: map of a key to the `sums_columns` of the feature.
    """
    told = F.struct(F.col("key"), F.struct(*sums_columns(name)).alias("gaps"))
    by_key = _between(dates, name, "user_number", "key")
    return by_key.groupBy("user_number").agg(F.map_from_entries(F.collect_list(told)).alias("gaps"))


def _between(dates: DataFrame, name: str, *of: str) -> DataFrame:
    in_order = Window.partitionBy(*of).orderBy("event_date")
    gap = F.date_diff(F.col("event_date"), F.lag("event_date").over(in_order)).cast("bigint")
    sums = (F.count("gap"), F.sum("gap"), F.sum(F.col("gap") * F.col("gap")))
    told = [F.coalesce(total, F.lit(0).cast("bigint")).alias(column) for column, total in zip(sums_columns(name), sums, strict=True)]
    return dates.select(*of, gap.alias("gap")).groupBy(*of).agg(*told)


def streaks(dates: DataFrame, wanted: dict[str, str]) -> DataFrame:
    """One row a user: runs of days on end.

    Args:
        dates: user_number, event_date; each date once.
        wanted: feature to what it takes, `longest` or `last`.

    Returns:
        user_number and the features: the length of the run in days.
    """
    # Days on end are as far from their number in order: the difference names the run.
    run = F.date_sub(F.col("event_date"), F.row_number().over(Window.partitionBy("user_number").orderBy("event_date")))
    runs = dates.select("user_number", run.alias("run")).groupBy("user_number", "run").agg(F.count("*").alias("days"))
    how = {"longest": F.max("days"), "last": F.max_by("days", "run")}
    return runs.groupBy("user_number").agg(*(how[take].alias(name) for name, take in wanted.items()))
