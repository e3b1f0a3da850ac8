"""Gaps between dates and runs of days, from the dates themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.window import WindowSpec


def _in_order() -> WindowSpec:
    return Window.partitionBy("user_id").orderBy("event_date")


def gaps(dates: DataFrame, name: str) -> DataFrame:
    """One row a user: how many gaps there are between following dates, their sum in days and the sum of their squares.

    Args:
        dates: user_id, event_date; each date once.
        name: of the gap feature.

    Returns:
        user_id, `<name>_number`, `<name>_sum`, `<name>_squares`.
    """
    gap = F.date_diff(F.col("event_date"), F.lag("event_date").over(_in_order())).cast("bigint")
    found = dates.select("user_id", gap.alias("gap"))
    return found.groupBy("user_id").agg(
        F.count("gap").alias(f"{name}_number"),
        F.coalesce(F.sum("gap"), F.lit(0).cast("bigint")).alias(f"{name}_sum"),
        F.coalesce(F.sum(F.col("gap") * F.col("gap")), F.lit(0).cast("bigint")).alias(f"{name}_squares"),
    )


def streaks(dates: DataFrame, wanted: dict[str, str]) -> DataFrame:
    """One row a user: runs of days on end.

    Args:
        dates: user_id, event_date; each date once.
        wanted: feature to what it takes, `longest` or `last`.

    Returns:
        user_id and the features: the length of the run in days.
    """
    # Days on end are as far from their number in order: the difference names the run.
    run = F.date_sub(F.col("event_date"), F.row_number().over(_in_order()))
    runs = dates.select("user_id", run.alias("run")).groupBy("user_id", "run").agg(F.count("*").alias("days"))
    how = {"longest": F.max("days"), "last": F.max_by("days", "run")}
    return runs.groupBy("user_id").agg(*(how[take].alias(name) for name, take in wanted.items()))
