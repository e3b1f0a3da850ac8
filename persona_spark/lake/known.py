"""What was known: rows of committed ingests, up to a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.tables import max_of
from persona_spark.schema import EVENTS, INGEST, RETRACTIONS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table


def committed_seq(lake: Lake) -> int:
    """Number of the last committed ingest; 0 when there was none."""
    return max_of(lake.read(INGEST), "ingest_seq")


def known_rows(lake: Lake, table: Table, ingest_seq: int, since: int = 0) -> DataFrame:
    """Rows of `table` brought by ingests after `since` up to `ingest_seq`; what a killed ingest left behind is not among them.

    Args:
        lake: the lake.
        table: a table with a column `ingest_seq`.
        ingest_seq: number of a committed ingest.
        since: number of an earlier one; 0 for all rows.
    """
    seq = F.col("ingest_seq")
    rows = lake.read(table).where(seq <= F.lit(ingest_seq))
    return rows.where(seq > F.lit(since)) if since else rows


def known_events(lake: Lake, ingest_seq: int) -> DataFrame:
    """Events as they were known: what had been taken back by then, or replaced by another version, is left out.

    Returns:
        Columns of `events`; one row a (namespace, event_id).
    """
    events = known_rows(lake, EVENTS, ingest_seq)
    if not lake.exists(RETRACTIONS):
        # Most lakes never take anything back: nothing to join.
        return events
    taken_back = known_rows(lake, RETRACTIONS, ingest_seq).groupBy("namespace", "event_id").agg(F.max("ingest_seq").alias("__gone"))
    joined = events.join(taken_back, ["namespace", "event_id"], "left")
    # A new version comes with the ingest that takes the old one back.
    return joined.where(F.col("__gone").isNull() | (F.col("ingest_seq") >= F.col("__gone"))).select(*events.columns)


def touched_days(lake: Lake, since: int, ingest_seq: int) -> DataFrame:
    """Account-days of which ingests after `since` up to `ingest_seq` brought events or took some back.

    Returns:
        Columns account_id, event_date; with repeats.
    """
    came, gone = (known_rows(lake, table, ingest_seq, since).select("account_id", "event_date") for table in (EVENTS, RETRACTIONS))
    return came.unionByName(gone)
