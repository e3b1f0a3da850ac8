"""The tile stage: events become tiles when they arrive.

New events, late ones among them, only add rows: parts of account-days under the number of their ingest. Account-days of which
an event was taken back are made anew from the events that are left. `tile_state` says before the first write where an update leads
to: what a killed one left is written over by the next that leads as far, and is not used by one that does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import tile_tables
from persona_spark.lake.dates import on_days
from persona_spark.lake.known import known_events, known_rows
from persona_spark.lake.result import StageResult
from persona_spark.lake.tile_state import begin_tiles, former_tiles, mark_tiles, tile_counts, tile_plan
from persona_spark.schema import EVENTS, RETRACTIONS
from persona_spark.tiles.account_tiles import DAY, PART_SEQ, tiles_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.lake.tile_state import TilePlan
    from persona_spark.time import AsOf


def tile(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Bring the tiles to what was known at `as_of.ingest_seq`.

    Tiles hold all known events, also those on and after `as_of.date`; features choose by date. Tiles that know more than
    `as_of.ingest_seq`, that were made by other definitions or other code, or whose making anew was killed, are made anew.

    Returns:
        rows_in: events that were new to the tiles; rows_out: rows written.

    Raises:
        LakeError: when nothing has been ingested.
    """
    lake.require(EVENTS, "run persona ingest first")
    spec = conf.features
    plan = tile_plan(lake, spec, as_of.ingest_seq)
    if plan.nothing:
        return StageResult(0, 0, {"tiled_up_to": plan.ingest_seq}, skipped=True)
    counts = tile_counts(lake, plan)
    begin_tiles(lake, spec, plan)
    written = _rebuild(lake, spec, plan) if plan.since is None else _update(lake, spec, plan)
    mark_tiles(lake, spec, plan, counts)
    return StageResult(counts["new_events"], sum(written.values()), {"anew": plan.why_anew or False, **counts, **written})


def _rebuild(lake: Lake, spec: FeaturesSpec, plan: TilePlan) -> dict[str, int]:
    events = whole_parts(known_events(lake, plan.ingest_seq))
    for table in former_tiles(lake, spec):
        lake.delete(table, "true")
    return {table.name: lake.replace(tiles_of(events, spec, table), table) for table in tile_tables(spec)}


def whole_parts(events: DataFrame) -> DataFrame:
    """Events whose parts of tiles carry their own numbers."""
    return events.withColumn(PART_SEQ, F.col("ingest_seq"))


def _update(lake: Lake, spec: FeaturesSpec, plan: TilePlan) -> dict[str, int]:
    since = plan.since or 0
    known = known_events(lake, plan.ingest_seq)
    new = whole_parts(known.where(F.col("ingest_seq") > F.lit(since)))
    remade = _remade_days(lake, plan)
    if remade is not None:
        months = sorted(row.event_month for row in remade.select("event_month").distinct().collect())
        new = _with_remade(new, known.where(F.col("event_month").isin(months)), remade)
        for table in tile_tables(spec):
            lake.delete_matching(remade.select(*DAY), table, on_days(months, "old.event_month"))
    return {table.name: lake.replace_where(tiles_of(new, spec, table), table, f"ingest_seq > {since}") for table in tile_tables(spec)}


def _remade_days(lake: Lake, plan: TilePlan) -> DataFrame | None:
    """Account-days of which an event was taken back, with the number under which they are made anew; None without any."""
    gone = known_rows(lake, RETRACTIONS, plan.ingest_seq, plan.since or 0)
    return None if gone.isEmpty() else gone.groupBy(*DAY).agg(F.max("ingest_seq").alias("remade_seq"))


def _with_remade(new: DataFrame, known: DataFrame, remade: DataFrame) -> DataFrame:
    """New events of other days, and all events that are left of the days that are made anew."""
    left = known.join(remade, list(DAY), "inner")
    labelled = left.withColumn(PART_SEQ, F.greatest("ingest_seq", "remade_seq")).drop("remade_seq")
    return new.join(remade, list(DAY), "left_anti").unionByName(labelled)
