"""One pass over a mapped batch that tells what the next steps must do: most batches need neither quarantine nor a search for repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.sources.events import AMBIGUOUS, NONEXISTENT

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Tally:
    """Counts of a mapped batch.

    Attributes:
        bad: rows for quarantine.
        ambiguous: good rows whose local time occurs twice.
        nonexistent: good rows whose local time does not exist.
        repeated: whether two good rows may have one id. Ids are compared by a hash of 64 bits, so among hundreds of
            millions it may be said of a batch without repeats; never the other way round.
        days: first and last event_date of the good rows; None for targets without events and when there are no good rows.
    """

    bad: int = 0
    ambiguous: int = 0
    nonexistent: int = 0
    repeated: bool = False
    days: tuple[date, date] | None = None


def take_tally(mapped: DataFrame, good: Column) -> Tally:
    """Count what is bad, odd and possibly repeated.

    Args:
        mapped: rows of any target as the mapping made them.
        good: whether a row can be taken.
    """
    if "event_id" not in mapped.columns:
        return Tally(mapped.where(~good).count())
    odd = [F.count_if(good & F.col(name)).alias(name) for name in (AMBIGUOUS, NONEXISTENT)]
    ends = [F.min("event_date").alias("first"), F.max("event_date").alias("last")]
    by_id = mapped.groupBy(F.when(good, F.xxhash64("event_id")).alias("id")).agg(F.count("*").alias("rows"), *odd, *ends)
    taken = F.col("id").isNotNull()
    row = by_id.agg(
        F.sum(F.when(~taken, F.col("rows"))).alias("bad"),
        F.sum(AMBIGUOUS).alias("ambiguous"),
        F.sum(NONEXISTENT).alias("nonexistent"),
        F.max(F.when(taken, F.col("rows"))).alias("most"),
        F.min(F.when(taken, F.col("first"))).alias("first"),
        F.max(F.when(taken, F.col("last"))).alias("last"),
    ).collect()[0]
    days = (row.first, row.last) if row.first else None
    return Tally(row.bad or 0, row.ambiguous or 0, row.nonexistent or 0, (row.most or 0) > 1, days)
