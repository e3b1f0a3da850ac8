"""Take in what is new in all feeds, each event exactly once.

A feed with new files becomes one numbered ingest. Its rows are written first, every table in one commit; the row in `ingest` comes
last and makes them all known. Whatever was killed before that row is done again by the next run, with the same result. Of two
ingests at once at most one goes through; who fails leaves nothing that counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.sources_check import lake_faults
from persona_spark.errors import ConfigError, FeedError, UsageError
from persona_spark.lake.known import committed_seq
from persona_spark.lake.result import StageResult
from persona_spark.lake.turn import take_turn
from persona_spark.sources.commit import Counts, commit
from persona_spark.sources.events import canonical_events
from persona_spark.sources.failure import SPARK_ERRORS, reason_of
from persona_spark.sources.feed import PATH
from persona_spark.sources.files import location, new_files, taken_files
from persona_spark.sources.fresh import Fresh, fresh_accounts, fresh_events, fresh_items
from persona_spark.sources.personal import personal_key
from persona_spark.sources.read import read_feed
from persona_spark.sources.records import canonical_accounts, canonical_items
from persona_spark.sources.tally import take_tally
from persona_spark.sources.values import REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pyspark.sql import DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.config.sources import SourceSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.sources.feed import Feed
    from persona_spark.sources.files import NewFiles


@dataclass(frozen=True)
class _Target:
    """How a target's rows are made, and which of them are new."""

    canonical: Callable[[DataFrame, SourceSpec, Conf, datetime], DataFrame]
    fresh: Callable[..., Fresh]


@dataclass(frozen=True)
class _Batch:
    """What one feed brings: its mapping, where it is, and its new files."""

    spec: SourceSpec
    place: str
    found: NewFiles


# Events take category, brand and price from items, so items come first.
_TARGETS = {
    "items": _Target(canonical_items, fresh_items),
    "accounts": _Target(canonical_accounts, fresh_accounts),
    "events": _Target(canonical_events, fresh_events),
}


def ingest(lake: Lake, conf: Conf, ingested_at: datetime) -> StageResult:
    """Take in the new files of every feed; feeds without any are passed over.

    Args:
        lake: the lake.
        conf: the configuration.
        ingested_at: the time the run counts as happening at, with a zone; rows dated later go to quarantine.

    Returns:
        Rows read and loaded, and the counts of each feed by name.

    Raises:
        ConfigError: when a mapping does not fit the lake.
        SetupError: when a variable, a package or the key for personal columns is missing.
        FeedError: when a feed is wrong as a whole; feeds before it stay taken in.
        LakeError: when rows got lost or another ingest ran at the same time.
    """
    if ingested_at.tzinfo is None:
        raise UsageError("ingested_at has no zone: pass for example datetime.now(tz=UTC)")
    specs = sorted(conf.sources, key=lambda spec: list(_TARGETS).index(spec.target))
    places = _check(conf, specs)
    committed = committed_seq(lake)
    taken = taken_files(lake, committed)
    done: dict[str, Counts] = {}
    for spec, place in zip(specs, places, strict=True):
        try:
            batch = _Batch(spec, place, new_files(lake.spark, spec, place, taken))
            counts = _take_in(lake, conf, batch, ingested_at, committed) if batch.found.files else None
        except SPARK_ERRORS as error:
            raise FeedError(f"feed {spec.source} could not be taken in from {place}: {reason_of(error)}") from error
        if counts is not None:
            done[spec.source] = counts
            committed = counts.seq
    read, loaded = sum(counts.read for counts in done.values()), sum(counts.loaded for counts in done.values())
    return StageResult(read, loaded, {name: str(counts) for name, counts in done.items()}, skipped=not done)


def waiting_files(lake: Lake, conf: Conf) -> dict[str, int]:
    """New files of each feed that has some, by name; the folders are listed, nothing is read.

    Raises:
        SetupError: when a variable or package that a feed's path names is missing.
        FeedError: when a feed has no files at all.
    """
    taken = taken_files(lake, committed_seq(lake))
    found = {spec.source: len(new_files(lake.spark, spec, location(spec, conf.folder), taken).files) for spec in conf.sources}
    return {name: files for name, files in sorted(found.items()) if files}


def _check(conf: Conf, specs: Sequence[SourceSpec]) -> list[str]:
    """Everything that can be wrong before the first file is opened; returns where each feed is."""
    faults = lake_faults(conf)
    if faults:
        raise ConfigError(faults)
    for spec in specs:
        if spec.personal:
            personal_key(spec)
    return [location(spec, conf.folder) for spec in specs]


def _take_in(lake: Lake, conf: Conf, batch: _Batch, ingested_at: datetime, committed: int) -> Counts:
    spec, place, found = batch.spec, batch.place, batch.found
    feed = read_feed(lake.spark, spec, found.files, place, first=found.first)
    rows_by_path = _count(feed, spec, place)
    target = _TARGETS[spec.target]
    mapped = target.canonical(feed.rows, spec, conf, ingested_at)
    mapped = mapped if feed.recompute else mapped.persist()
    try:
        good = F.col(REASONS) == ""
        tally = take_tally(mapped, good)
        fresh = target.fresh(lake, spec, mapped.where(good).drop(REASONS), committed, repeated=tally.repeated)
        # Not before: one that fails over its files shuts nobody out.
        turn = take_turn(lake, committed)
        return commit(
            turn,
            spec,
            fresh.rows,
            mapped.where(~good) if tally.bad else None,
            Counts(
                seq=turn.seq,
                ingested_at=ingested_at,
                files=found.files,
                headers=feed.headers,
                rows_by_path=rows_by_path,
                read=sum(rows_by_path.values()),
                tally=tally,
                duplicates=fresh.duplicates,
            ),
        )
    finally:
        if not feed.recompute:
            mapped.unpersist()


def _count(feed: Feed, spec: SourceSpec, place: str) -> dict[str, int]:
    counted = {row[PATH]: int(row["count"]) for row in feed.records.groupBy(PATH).count().collect()}
    if not counted:
        raise FeedError(
            f"feed {spec.source}: the new files at {place} hold no rows: an empty feed is taken for a mistake; remove the files"
        )
    return counted
