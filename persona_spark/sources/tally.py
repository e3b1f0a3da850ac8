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

    bad: int
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
    ends = [F.min("event_date").alias("first_day"), F.max("event_date").alias("last_day")]
    by_id = mapped.groupBy(F.when(good, F.xxhash64("event_id")).alias("id")).agg(F.count("*").alias("rows"), *odd, *ends)
    taken = F.col("id").isNotNull()
    bad = F.sum(F.when(F.col("id").isNull(), F.col("rows")))
    most = F.max(F.when(taken, F.col("rows")))
    days = [F.min(F.when(taken, F.col("first_day"))), F.max(F.when(taken, F.col("last_day")))]
    row = by_id.agg(bad, F.sum(AMBIGUOUS), F.sum(NONEXISTENT), most, *days).collect()[0]
    first, last = row[4], row[5]
    return Tally(int(row[0] or 0), int(row[1] or 0), int(row[2] or 0), int(row[3] or 0) > 1, (first, last) if first else None)
