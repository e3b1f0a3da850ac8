"""One pass over a mapped batch that tells what the next steps must do: most batches need neither quarantine nor a search for repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.sources.events import AMBIGUOUS, NONEXISTENT

if TYPE_CHECKING:
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
    """

    bad: int
    ambiguous: int = 0
    nonexistent: int = 0
    repeated: bool = False


def take_tally(mapped: DataFrame, good: Column) -> Tally:
    """Count what is bad, odd and possibly repeated.

    Args:
        mapped: rows of any target as the mapping made them.
        good: whether a row can be taken.
    """
    if "event_id" not in mapped.columns:
        return Tally(mapped.where(~good).count())
    odd = [F.count_if(good & F.col(name)).alias(name) for name in (AMBIGUOUS, NONEXISTENT)]
    by_id = mapped.groupBy(F.when(good, F.xxhash64("event_id")).alias("id")).agg(F.count("*").alias("rows"), *odd)
    bad = F.sum(F.when(F.col("id").isNull(), F.col("rows")))
    most = F.max(F.when(F.col("id").isNotNull(), F.col("rows")))
    row = by_id.agg(bad, F.sum(AMBIGUOUS), F.sum(NONEXISTENT), most).collect()[0]
    return Tally(int(row[0] or 0), int(row[1] or 0), int(row[2] or 0), int(row[3] or 0) > 1)
