"""Gaps between dates and runs of days, from the dates themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


PARTS = ("number", "sum", "squares")
"""What is kept of gaps."""


def gaps(dates: DataFrame, name: str) -> DataFrame:
    """One row a user: how many gaps there are between following dates, their sum in days and the sum of their squares.

    Args:
        dates: user_id, event_date; each date once.
        name: of the gap feature.

    Returns:
        user_id, `<name>_number`, `<name>_sum`, `<name>_squares`.
    """
    return _between(dates, "user_id").select("user_id", *(F.col(part).alias(f"{name}_{part}") for part in PARTS))


def gaps_by_key(dates: DataFrame) -> DataFrame:
    """One row a user: the gaps between dates of each key, so that one key's can be told when the preferred one is known.

    Args:
        dates: user_id, key, event_date; each date of a key once.

    Returns:
        user_id, gaps: map of a key to its number, sum and squares.
    """
    told = F.struct(F.col("key"), F.struct(*PARTS).alias("gaps"))
    return _between(dates, "user_id", "key").groupBy("user_id").agg(F.map_from_entries(F.collect_list(told)).alias("gaps"))


def _between(dates: DataFrame, *of: str) -> DataFrame:
    in_order = Window.partitionBy(*of).orderBy("event_date")
    gap = F.date_diff(F.col("event_date"), F.lag("event_date").over(in_order)).cast("bigint")
    number, total, squares = F.count("gap"), F.sum("gap"), F.sum(F.col("gap") * F.col("gap"))
    sums = [F.coalesce(part, F.lit(0).cast("bigint")).alias(name) for name, part in zip(PARTS, (number, total, squares), strict=True)]
    return dates.select(*of, gap.alias("gap")).groupBy(*of).agg(*sums)


def streaks(dates: DataFrame, wanted: dict[str, str]) -> DataFrame:
    """One row a user: runs of days on end.

    Args:
        dates: user_id, event_date; each date once.
        wanted: feature to what it takes, `longest` or `last`.

    Returns:
        user_id and the features: the length of the run in days.
    """
    # Days on end are as far from their number in order: the difference names the run.
    run = F.date_sub(F.col("event_date"), F.row_number().over(Window.partitionBy("user_id").orderBy("event_date")))
    runs = dates.select("user_id", run.alias("run")).groupBy("user_id", "run").agg(F.count("*").alias("days"))
    how = {"longest": F.max("days"), "last": F.max_by("days", "run")}
    return runs.groupBy("user_id").agg(*(how[take].alias(name) for name, take in wanted.items()))
