"""What was known: rows of committed ingests, up to a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.tables import max_of
from persona_spark.schema import INGEST

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table


def committed_seq(lake: Lake) -> int:
    """Number of the last committed ingest; 0 when there was none."""
    return max_of(lake.read(INGEST), "ingest_seq")


def known_rows(lake: Lake, table: Table, ingest_seq: int) -> DataFrame:
    """Rows of `table` brought by ingests up to `ingest_seq`; what a killed ingest left behind is not among them.

    Args:
        lake: the lake.
        table: a table with a column `ingest_seq`.
        ingest_seq: number of a committed ingest.
    """
    return lake.read(table).where(F.col("ingest_seq") <= F.lit(ingest_seq))
