"""Upkeep of the lake: old days removed, small files put together, removed rows taken out of files, old files deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from persona_spark.config.tile_tables import tile_tables, user_features_table
from persona_spark.lake.days import expire_days
from persona_spark.lake.files import Files, compact, files_of, purge, vacuum
from persona_spark.lake.result import StageResult
from persona_spark.lake.tile_state import former_tiles
from persona_spark.profiles.ledger import serving_entry
from persona_spark.profiles.tables import user_profile_history_table, user_profile_table
from persona_spark.schema import (
    ACCOUNTS,
    DAY_STATE,
    EVENTS,
    EXPIRED_DAY,
    FEATURES_STATE,
    IDENTITY,
    INGEST,
    INGEST_FILE,
    INGEST_TURN,
    ITEMS,
    PROFILE_RELEASE,
    QUARANTINE,
    RETRACTIONS,
    RUN_LOG,
    SEGMENT_CARD,
    SEGMENT_MODEL,
    TAG_HISTORY,
    TILE_STATE,
    USER_ALIAS,
    USER_SCORES,
    USER_SEGMENTS,
    USER_TAGS,
)

if TYPE_CHECKING:
    from datetime import date

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.run_log import RunLog
    from persona_spark.schema import Table

_FIXED = (
    EVENTS, RETRACTIONS, ACCOUNTS, ITEMS, QUARANTINE, INGEST, INGEST_FILE, INGEST_TURN, IDENTITY, USER_ALIAS, TILE_STATE, FEATURES_STATE,
    USER_SCORES, USER_TAGS, TAG_HISTORY, USER_SEGMENTS, SEGMENT_MODEL, SEGMENT_CARD, PROFILE_RELEASE, DAY_STATE, EXPIRED_DAY,
    RUN_LOG,
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """What was done to a table.

    Attributes:
        table: its name.
        before: files and bytes before.
        after: files and bytes after.
        compacted: partitions of which small files were put together.
        purged: files written anew without rows that were only marked as removed.
        removed: days removed.
    """

    table: str
    before: Files
    after: Files
    compacted: int = 0
    purged: int = 0
    removed: tuple[date, ...] = ()


def run_upkeep(lake: Lake, conf: Conf, log: RunLog) -> tuple[Kept, ...]:
    """Upkeep as a stage of its own in `run_log`.

    Raises:
        LakeError: when a run changed a table meanwhile; what was done stays done.
    """
    done: list[Kept] = []

    def work() -> StageResult:
        done.extend(upkeep(lake, conf))
        before, after = sum(kept.before.number for kept in done), sum(kept.after.number for kept in done)
        return StageResult(0, 0, {"files_before": before, "files_after": after, "tables": len(done)})

    log.stage("upkeep", None, work)
    return tuple(done)


def upkeep(lake: Lake, conf: Conf) -> list[Kept]:
    """Remove old days, put small files of every table together, take removed rows out of files, delete files that no recent version has.

    What stays has the same rows as before. Killed, it is simply run again.
    """
    limits = conf.main.upkeep
    tables = [table for table in (*all_tables(conf), *former_tiles(lake, conf.features)) if lake.exists(table)]
    before = {table.name: files_of(lake, table) for table in tables}
    serving = serving_entry(lake)
    removed = expire_days(lake, conf.features, limits.days, None if serving is None else serving.as_of)
    done = []
    for table in tables:
        compacted = compact(lake, table, limits.files_a_partition)
        purged = purge(lake, table)
        vacuum(lake, table, limits.vacuum_days)
        done.append(Kept(table.name, before[table.name], files_of(lake, table), compacted, purged, removed.get(table.name, ())))
    return done


def all_tables(conf: Conf) -> tuple[Table, ...]:
    """Every table of a lake that changes."""
    profiles = (user_features_table(conf.features), user_profile_table(conf), user_profile_history_table(conf))
    return (*_FIXED, *tile_tables(conf.features), *profiles)
