"""What of a batch is new: each event once, each changed version of an account or item once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from persona_spark.config.sources_check import column_paths
from persona_spark.lake.known import known_rows
from persona_spark.schema import ACCOUNTS, EVENTS, INGEST, ITEMS
from persona_spark.sources.events import derived_id, id_hash
from persona_spark.sources.feed import FILE_TIME, PATH
from persona_spark.sources.retract import SOURCE as BY_HAND

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.sources import SourceSpec
    from persona_spark.lake.tables import Lake

_RANK = "persona__rank"
_CONTENT = "persona__content"
_OF_ITEM = ("category", "brand", "price")


@dataclass(frozen=True)
class Fresh:
    """The rows to load, and how many of the good rows are not among them because they are known or stand twice."""

    rows: DataFrame
    duplicates: int


def fresh_events(lake: Lake, spec: SourceSpec, good: DataFrame, committed: int, *, repeated: bool) -> Fresh:
    """Events whose id is neither known nor taken by another row of the batch.

    Of rows with one id the earliest is taken, then the smallest in all its columns: the same whatever the partitioning.
    """
    if repeated and spec.repeats == "separate":
        good = number_repeats(good)
    ids = good.select("event_id").distinct()
    twice = good.count() - ids.count() if repeated else 0
    rows = (_first(good) if twice else good).withColumn("id_hash", id_hash())
    known = _known_ids(lake, spec, good, committed)
    if known is None:
        return Fresh(with_items(lake, spec, rows, committed), twice)
    # Looked up among the few new ids, the many known ones are neither shuffled nor kept.
    again = known.join(ids, "event_id", "left_semi").distinct()
    repeats = again.count()
    rows = rows.join(again, "event_id", "left_anti") if repeats else rows
    return Fresh(with_items(lake, spec, rows, committed), twice + repeats)


def number_repeats(good: DataFrame) -> DataFrame:
    """Give the second, third, ... row of a file with one derived id an id of its own, the same in every copy of the file."""
    window = Window.partitionBy(PATH, "event_id").orderBy(*_content(good))
    number = F.row_number().over(window)
    own = derived_id([F.col("event_id"), F.col(_RANK).cast("string")])
    numbered = good.withColumn(_RANK, number)
    return numbered.withColumn("event_id", F.when(F.col(_RANK) > 1, own).otherwise(F.col("event_id"))).drop(_RANK)


def _first(good: DataFrame) -> DataFrame:
    window = Window.partitionBy("event_id").orderBy("event_time", *_content(good))
    return good.withColumn(_RANK, F.row_number().over(window)).where(F.col(_RANK) == 1).drop(_RANK)


def _content(rows: DataFrame) -> list[Column]:
    """All columns of an event in a form that has an order; maps have none."""
    names = [name for name in EVENTS.names if name in rows.columns and name != "attributes"]
    return [*(F.col(name) for name in names), _sorted_entries()]


def _sorted_entries() -> Column:
    return F.array_sort(F.map_entries("attributes"))


def _known_ids(lake: Lake, spec: SourceSpec, good: DataFrame, committed: int) -> DataFrame | None:
    """Ids of known events that rows of the batch may have; None when nothing was ever taken in."""
    if committed == 0:
        return None
    known = known_rows(lake, EVENTS, committed).where(F.col("namespace") == F.lit(spec.namespace))
    if _id_tells_time(spec) and _one_mapping(lake, spec, committed):
        months = [row[0] for row in good.select("event_month").distinct().collect()]
        known = _in_months(known, months, _versions_by_hand(lake, committed)) if months else known
    else:
        known = _alike(known, good)
    return known.select("event_id")


def _alike(known: DataFrame, good: DataFrame) -> DataFrame:
    """Events of the months in which some have the hash of an id of the batch: ids of other months need not be read."""
    hashes = good.select(id_hash()).distinct()
    months = known.select("event_month", "id_hash").join(hashes, "id_hash", "left_semi").select("event_month").distinct().collect()
    return known.where(F.col("event_month").isin([row.event_month for row in months]))


def _in_months(known: DataFrame, months: list[date], by_hand: list[int]) -> DataFrame:
    """Events of the months, and the versions that came by hand, whose id tells the time of the event as the feed has it, not their own."""
    found = known.where(F.col("event_month").isin(months))
    # One filter for both would skip neither partitions nor files.
    return found.unionByName(known.where(F.col("ingest_seq").isin(by_hand))) if by_hand else found


def _versions_by_hand(lake: Lake, committed: int) -> list[int]:
    """Numbers of the ingests in which retractions brought versions of events."""
    ingests = known_rows(lake, INGEST, committed).where((F.col("source") == F.lit(BY_HAND)) & (F.col("loaded") > 0))
    return [row.ingest_seq for row in ingests.select("ingest_seq").collect()]


def _id_tells_time(spec: SourceSpec) -> bool:
    """Whether rows with one id have one time, so that only the months of the batch need be searched."""
    if spec.time is None or not isinstance(spec.event_id, tuple):
        return False
    parts = set(spec.event_id)
    return spec.time.source in parts or column_paths(spec.time.source) <= {path for part in parts for path in _bare(part)}


def _one_mapping(lake: Lake, spec: SourceSpec, committed: int) -> bool:
    """Whether all ingests of the feed had this mapping: another one may have read the same text as another time."""
    others = (F.col("source") == F.lit(spec.source)) & (F.col("mapping_hash") != F.lit(spec.digest()))
    return known_rows(lake, INGEST, committed).where(others).isEmpty()


def _bare(part: str) -> set[tuple[str, ...]]:
    paths = column_paths(part)
    return paths if len(paths) == 1 and part.strip("` ") == ".".join(next(iter(paths))) else set()


def with_items(lake: Lake, spec: SourceSpec, events: DataFrame, committed: int) -> DataFrame:
    """Fill what the feed does not state of an item from the latest known version of the item."""
    items = known_rows(lake, ITEMS, committed).where(F.col("namespace") == F.lit(spec.namespace))
    if committed == 0 or items.isEmpty():
        return events
    latest = F.max_by(F.struct(*_OF_ITEM), F.col("ingest_seq")).alias("item")
    versions = items.groupBy("item_id").agg(latest)
    joined = events.join(versions, "item_id", "left")
    filled = {name: F.coalesce(F.col(name), F.col(f"item.{name}")) for name in _OF_ITEM}
    return joined.withColumns(filled).drop("item")


def fresh_accounts(lake: Lake, _spec: SourceSpec, good: DataFrame, committed: int, *, repeated: bool) -> Fresh:  # noqa: ARG001 - the same for all targets
    """Versions of accounts that differ from the latest known one of the same feed and day."""
    content = F.struct("platform", "registered_at", "link_keys", _sorted_entries())
    return _fresh_versions(good, known_rows(lake, ACCOUNTS, committed), ["account_id", "valid_from"], content)


def fresh_items(lake: Lake, _spec: SourceSpec, good: DataFrame, committed: int, *, repeated: bool) -> Fresh:  # noqa: ARG001 - the same for all targets
    """Versions of items that differ from the latest known one of the same feed."""
    content = F.struct("category", "brand", "name", "price", _sorted_entries())
    return _fresh_versions(good, known_rows(lake, ITEMS, committed), ["item_id"], content)


def _fresh_versions(good: DataFrame, known: DataFrame, key: list[str], content: Column) -> Fresh:
    """Of several versions in one batch that of the newest file is taken, then the greatest in its content."""
    hashed = F.sha2(F.to_json(content), 256)
    newest = Window.partitionBy(*key).orderBy(F.col(FILE_TIME).desc(), F.col(PATH).desc(), F.col(_CONTENT).desc())
    batch = good.withColumn(_CONTENT, hashed).withColumn(_RANK, F.row_number().over(newest)).where(F.col(_RANK) == 1)
    latest = known.withColumn(_CONTENT, hashed).groupBy(*key, "source").agg(F.max_by(_CONTENT, "ingest_seq").alias(_CONTENT))
    changed = batch.join(latest, [*key, "source", _CONTENT], "left_anti").drop(_CONTENT, _RANK)
    return Fresh(changed, good.count() - changed.count())
