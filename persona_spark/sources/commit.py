"""Writing one ingest: rows, quarantine, files, and last the row that makes them known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import LakeError
from persona_spark.lake.contract import frame_of
from persona_spark.schema import ACCOUNTS, EVENTS, INGEST, INGEST_FILE, ITEMS, QUARANTINE
from persona_spark.sources.feed import PATH, RAW
from persona_spark.sources.values import list_of_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from pyspark.sql import DataFrame

    from persona_spark.config.sources import SourceSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.lake.turn import Turn
    from persona_spark.schema import Table
    from persona_spark.sources.feed import FeedFile
    from persona_spark.sources.tally import Tally

_TABLES = {"events": EVENTS, "accounts": ACCOUNTS, "items": ITEMS}
_FILES_SCHEMA = "path string, size bigint, modified bigint, header_hash string, rows bigint"


@dataclass(frozen=True)
class Counts:
    """What an ingest took in.

    Attributes:
        seq: its number.
        ingested_at: the time it runs at.
        files: the files taken in.
        headers: hash of the column names by path.
        rows_by_path: records counted by path, apart from everything that is done with them.
        read: all of them; of a retraction the versions given.
        tally: what of them is bad or odd, and which days they are of, duplicates among them.
        duplicates: good rows that are known or stand twice.
        loaded: rows added to the target.
        quarantined: rows put in quarantine.
        retracted: events taken back.
    """

    seq: int
    ingested_at: datetime
    files: Sequence[FeedFile]
    headers: Mapping[str, str]
    rows_by_path: Mapping[str, int]
    read: int
    tally: Tally
    duplicates: int = 0
    loaded: int = 0
    quarantined: int = 0
    retracted: int = 0

    def __str__(self) -> str:
        text = f"read {self.read:,} = {self.loaded:,} loaded + {self.duplicates:,} duplicates + {self.quarantined:,} quarantined"
        odd = f", {self.tally.ambiguous:,} ambiguous and {self.tally.nonexistent:,} non-existent local times"
        return text + (odd if self.tally.ambiguous or self.tally.nonexistent else "")


def commit(turn: Turn, spec: SourceSpec, fresh: DataFrame, bad: DataFrame | None, counts: Counts) -> Counts:
    """Write everything of one ingest.

    Args:
        turn: the ingest's turn.
        spec: the mapping.
        fresh: new rows of the target, without `ingest_seq`.
        bad: mapped rows with reasons; None when there are none.
        counts: what is known so far.

    Returns:
        The counts with `loaded` and `quarantined` as the commits of the tables state them.

    Raises:
        LakeError: when the numbers do not add up, or another ingest began meanwhile.
    """
    table = _TABLES[spec.target]
    rows = fresh.withColumn("ingest_seq", F.lit(counts.seq).cast("bigint")).select(*table.names)
    loaded = turn.write(rows, table)
    counts = replace(counts, loaded=loaded, quarantined=_write_quarantine(turn, bad, spec))
    turn.write(_files(turn.lake, spec, counts), INGEST_FILE)
    if counts.read != counts.loaded + counts.duplicates + counts.quarantined:
        raise LakeError(
            f"feed {spec.source}: the numbers do not add up: {counts}. Nothing was taken in; did a file change meanwhile? Run again."
        )
    turn.commit(ingest_row(turn.lake, spec.source, counts, table, spec.digest()))
    return counts


def _write_quarantine(turn: Turn, bad: DataFrame | None, spec: SourceSpec) -> int:
    if bad is None:
        turn.lake.create(QUARANTINE)
        return 0
    return turn.write(_quarantine(bad, spec, turn.seq), QUARANTINE)


def _quarantine(bad: DataFrame, spec: SourceSpec, seq: int) -> DataFrame:
    return bad.select(
        F.lit(spec.source).alias("source"),
        F.lit(spec.target).alias("target"),
        F.col(PATH).alias("path"),
        list_of_reasons().alias("reasons"),
        F.col(RAW).alias("raw"),
        F.lit(seq).cast("bigint").alias("ingest_seq"),
    )


def _files(lake: Lake, spec: SourceSpec, counts: Counts) -> DataFrame:
    rows = [
        (file.path, file.size, file.modified, counts.headers.get(file.path, ""), counts.rows_by_path.get(file.path, 0))
        for file in counts.files
    ]
    return lake.spark.createDataFrame(rows, _FILES_SCHEMA).select(
        F.lit(spec.source).alias("source"),
        F.lit(spec.target).alias("target"),
        "path",
        "size",
        F.timestamp_micros("modified").alias("modified_at"),
        "header_hash",
        "rows",
        F.lit(counts.seq).cast("bigint").alias("ingest_seq"),
    )


def ingest_row(lake: Lake, source: str, counts: Counts, table: Table, mapping_hash: str) -> DataFrame:
    """The row that makes an ingest known; `counts.loaded` rows went into `table`."""
    first, last = _days(lake, counts) if table is EVENTS and counts.loaded else (None, None)
    row = {
        "ingest_seq": counts.seq,
        "source": source,
        "target": table.name,
        "ingested_at": counts.ingested_at,
        "files": len(counts.files),
        "read": counts.read,
        "loaded": counts.loaded,
        "duplicates": counts.duplicates,
        "quarantined": counts.quarantined,
        "retracted": counts.retracted,
        "ambiguous_times": counts.tally.ambiguous,
        "nonexistent_times": counts.tally.nonexistent,
        "min_event_date": first,
        "max_event_date": last,
        "mapping_hash": mapping_hash,
    }
    return frame_of(lake.spark, INGEST, [row])


def _days(lake: Lake, counts: Counts) -> tuple[date, date]:
    """First and last day of the events that the ingest loaded; asked of the table only when some of the good rows were not loaded."""
    if counts.tally.days and not counts.duplicates:
        return counts.tally.days
    ours = lake.read(EVENTS).where(F.col("ingest_seq") == F.lit(counts.seq))
    row = ours.agg(F.min("event_date"), F.max("event_date")).collect()[0]
    return row[0], row[1]
