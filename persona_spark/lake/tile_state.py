"""What the tiles hold, and what has to be made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import ACCOUNT_DAY_HEAD
from persona_spark.errors import LakeError
from persona_spark.lake.code import TILE_CODE, code_version
from persona_spark.lake.known import known_events, known_rows, touched_days
from persona_spark.schema import EVENTS, RETRACTIONS, TILE_STATE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.lake.tables import Lake


@dataclass(frozen=True)
class TilePlan:
    """What has to be made.

    Attributes:
        ingest_seq: the tiles shall hold all ingests up to this one.
        since: the tiles hold all ingests up to this one already; None to make them anew.
        why_anew: why they are made anew; None when they are not.
    """

    ingest_seq: int
    since: int | None
    why_anew: str | None = None

    @property
    def nothing(self) -> bool:
        """Whether the tiles hold everything already."""
        return self.since == self.ingest_seq


def tile_plan(lake: Lake, spec: FeaturesSpec, ingest_seq: int) -> TilePlan:
    """What the tiles need so that they hold what was known at `ingest_seq`."""
    found = lake.read(TILE_STATE).collect()
    if len(found) != 1:
        return TilePlan(ingest_seq, None, "there are no tiles yet")
    state = found[0]
    if not state.complete:
        return TilePlan(ingest_seq, None, "a run that made them anew did not end")
    if state.definition != made_by(spec):
        return TilePlan(ingest_seq, None, "they were made by other definitions or other code")
    if state.ingest_seq > ingest_seq:
        return TilePlan(ingest_seq, None, f"they hold ingest {state.ingest_seq}, which was not known yet")
    return TilePlan(ingest_seq, int(state.ingest_seq))


def tile_counts(lake: Lake, plan: TilePlan) -> dict[str, int]:
    """What is new to the tiles: events, events taken back, and, unless they are made anew, the account-days that these touch."""
    since = plan.since or 0
    counts = {"new_events": known_rows(lake, EVENTS, plan.ingest_seq, since).count()}
    if lake.exists(RETRACTIONS):
        counts["taken_back"] = known_rows(lake, RETRACTIONS, plan.ingest_seq, since).count()
    if plan.since is not None:
        counts["account_days_touched"] = touched_days(lake, since, plan.ingest_seq).distinct().count()
    return counts


def made_by(spec: FeaturesSpec) -> str:
    """What decides the tiles: hash of the definitions, and the code."""
    return f"{spec.tile_digest()} {code_version(TILE_CODE)}"


def check_tiles(lake: Lake, spec: FeaturesSpec, ingest_seq: int) -> None:
    """Hold the tiles to what was known at `ingest_seq`.

    Raises:
        LakeError: when they hold another ingest, or were made by other definitions or other code.
    """
    plan = tile_plan(lake, spec, ingest_seq)
    if not plan.nothing:
        held = plan.why_anew or f"they hold ingest {plan.since}"
        raise LakeError(f"the tiles are not those of ingest {ingest_seq} and of the definitions in use ({held}): run persona tile first")


def mark_tiles(lake: Lake, spec: FeaturesSpec, ingest_seq: int, *, complete: bool) -> None:
    """Write down what the tiles hold, or that they are being made anew."""
    row = [(ingest_seq, made_by(spec), complete)]
    lake.replace(lake.spark.createDataFrame(row, "ingest_seq bigint, definition string, complete boolean"), TILE_STATE)


def active_days(lake: Lake, ingest_seq: int) -> DataFrame:
    """Days on which accounts have events: from the tiles, and from the events of ingests that these do not hold yet.

    Returns:
        Columns account_id, event_date, first_seq (the first ingest that brought an event); several rows a day.
    """
    found = lake.read(TILE_STATE).collect()
    held = int(found[0].ingest_seq) if len(found) == 1 and found[0].complete else None
    first_seq = F.col("ingest_seq").alias("first_seq")
    if held is None or held > ingest_seq or not known_rows(lake, RETRACTIONS, ingest_seq, held).isEmpty():
        return known_events(lake, ingest_seq).select("account_id", "event_date", first_seq)
    tiles = known_rows(lake, ACCOUNT_DAY_HEAD, held).select("account_id", "event_date", "first_seq")
    if held == ingest_seq:
        return tiles
    return tiles.unionByName(known_rows(lake, EVENTS, ingest_seq, held).select("account_id", "event_date", first_seq))
