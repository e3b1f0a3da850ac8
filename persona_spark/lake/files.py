"""The files of tables: how many there are, putting small ones together, taking removed rows out. No value ever changes here."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from persona_spark.errors import LakeError
from persona_spark.lake.tables import alone

if TYPE_CHECKING:
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table

SMALLEST_RETENTION_DAYS = 7
"""What Delta holds to be safe for readers and writers that are under way."""

_LISTING = "spark.sql.sources.parallelPartitionDiscovery.parallelism"
_RUN = ("a run", "run upkeep when none is under way")
"""Who else changes tables during upkeep, and what then is to be done."""


@dataclass(frozen=True)
class Files:
    """The files of a table's present version: how many, and their bytes."""

    number: int
    size: int


def files_of(lake: Lake, table: Table) -> Files:
    """The files that the table's present version is made of; those of older versions are not among them."""
    row = lake.native(table).detail().select("numFiles", "sizeInBytes").collect()[0]
    return Files(int(row.numFiles), int(row.sizeInBytes))


def compact(lake: Lake, table: Table, most: int) -> int:
    """Put the small files of each partition with more than `most` files together; returns in how many of them there were some.

    Raises:
        LakeError: when a run changed the table meanwhile.
    """
    crowded = _crowded(lake, table, most)
    if not crowded:
        return 0
    builder = lake.native(table).optimize()
    if table.partition_by:
        values = ", ".join(f"'{value}'" for value in crowded)
        builder = builder.where(f"{table.partition_by[0]} IN ({values})")
    with alone(table, *_RUN):
        done = builder.executeCompaction().select("metrics.partitionsOptimized", "metrics.numFilesRemoved").collect()[0]
    return int(done.partitionsOptimized) if done.numFilesRemoved else 0


def purge(lake: Lake, table: Table) -> int:
    """Write files anew whose removed rows are only marked, which compaction leaves as they are; returns the number of such files.

    Any table may have some: where Delta marks rows by default, a DELETE by hand does.

    Raises:
        LakeError: when a run changed the table meanwhile.
    """
    if "deletionVectors" not in lake.native(table).detail().select("tableFeatures").collect()[0].tableFeatures:
        return 0
    with alone(table, *_RUN):
        done = lake.spark.sql(f"REORG TABLE {lake.sql_name(table)} APPLY (PURGE)").select("metrics.numFilesRemoved").collect()
    return int(done[0][0])


def vacuum(lake: Lake, table: Table, days: int) -> None:
    """Delete files that no version of the last `days` days has.

    Raises:
        LakeError: below `SMALLEST_RETENTION_DAYS`, where readers that are under way may lose files.
    """
    if days < SMALLEST_RETENTION_DAYS:
        raise LakeError(f"files of the last {days} days may still be read: keep those of {SMALLEST_RETENTION_DAYS} days or more")
    conf = lake.spark.conf
    before = str(conf.get(_LISTING))
    # Delta lists a table's folders in as many tasks as this says: by default 10,000, for any table.
    conf.set(_LISTING, str(conf.get("spark.sql.shuffle.partitions")))
    try:
        lake.native(table).vacuum(days * 24)
    finally:
        conf.set(_LISTING, before)


def _crowded(lake: Lake, table: Table, most: int) -> list[str]:
    """Partitions with too many files, sorted; of a table without partitions one empty text."""
    column = table.partition_by[0] if table.partition_by else None
    # The last such folder: the lake's own path may have one, too.
    value = re.compile(rf".*/{column}=([^/]+)/") if column else None
    counts: Counter[str] = Counter()
    for path in lake.read(table).inputFiles():
        found = value.match(path) if value else None
        counts[unquote(unquote(found.group(1))) if found else ""] += 1
    return sorted(name for name, files in counts.items() if files > most)
