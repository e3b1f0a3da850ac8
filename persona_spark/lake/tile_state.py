"""What the tiles hold, and what has to be made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import ACCOUNT_DAY_HEAD, tile_tables
from persona_spark.errors import LakeError
from persona_spark.lake.code import TILE_CODE, code_version
from persona_spark.lake.contract import frame_of
from persona_spark.lake.known import known_events, known_rows, touched_days
from persona_spark.lake.tables import latest_day
from persona_spark.schema import EVENTS, FEATURES_STATE, RETRACTIONS, TILE_STATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table

EVER = (date(1000, 1, 1), date(9999, 12, 31))
"""All dates that an event can have, a half-open range."""


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
    state = tile_state(lake)
    if state is None:
        return TilePlan(ingest_seq, None, "there are no tiles yet")
    why = _why_anew(state, spec, ingest_seq)
    return TilePlan(ingest_seq, None if why else int(state["ingest_seq"]), why)


def _why_anew(state: Mapping[str, Any], spec: FeaturesSpec, ingest_seq: int) -> str | None:
    towards = state["towards"]
    if not state["complete"] and towards is None:
        return "a run that made them anew did not end"
    if state["definition"] != made_by(spec):
        return "they were made by other definitions or other code"
    if state["ingest_seq"] > ingest_seq:
        return f"they hold ingest {state['ingest_seq']}, which was not known yet"
    # The same update again writes over what a killed one left; an earlier ingest would find rows of later ones, and miss days taken back.
    if towards is not None and towards > ingest_seq:
        return f"a run that brought them to ingest {towards} did not end"
    return None


def tile_state(lake: Lake) -> dict[str, Any] | None:
    """The row of `tile_state`, by column; None without tiles."""
    found = lake.read(TILE_STATE).collect()
    return found[0].asDict() if len(found) == 1 else None


def tile_counts(lake: Lake, plan: TilePlan) -> dict[str, int]:
    """What is new to the tiles: events, events taken back, and, unless they are made anew, the account-days that these touch.

    Late account-days are those that the latest day of `user_features` has counted already, as they were before.
    """
    since = plan.since or 0
    counts = {"new_events": known_rows(lake, EVENTS, plan.ingest_seq, since).count()}
    taken_back = known_rows(lake, RETRACTIONS, plan.ingest_seq, since).count()
    if taken_back:
        counts["taken_back"] = taken_back
    if plan.since is not None:
        computed = latest_day(lake.read(FEATURES_STATE))
        late = F.count_if(F.col("event_date") < F.lit(computed))
        touched = touched_days(lake, since, plan.ingest_seq).distinct().agg(F.count("*").alias("all"), late.alias("late")).collect()[0]
        counts |= {"account_days_touched": touched["all"], "late_account_days": touched["late"]}
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


def former_tiles(lake: Lake, spec: FeaturesSpec) -> tuple[Table, ...]:
    """Tables of tiles that other definitions made and these do not need: what they have in common, under each name."""
    now = {table.name for table in tile_tables(spec)}
    made = (tile_state(lake) or {}).get("tables") or ()
    return tuple(replace(ACCOUNT_DAY_HEAD, name=name) for name in made if name not in now)


def begin_tiles(lake: Lake, spec: FeaturesSpec, plan: TilePlan) -> None:
    """Write down that the tiles are being changed, before the first of them is."""
    if plan.since is None:
        _write_state(lake, spec, {"ingest_seq": plan.ingest_seq, "complete": False})
    else:
        _write_state(lake, spec, {"ingest_seq": plan.since, "complete": False, "towards": plan.ingest_seq})


def mark_tiles(lake: Lake, spec: FeaturesSpec, plan: TilePlan, counts: Mapping[str, int]) -> None:
    """Write down what the tiles hold, how they came to it, and what was new to them."""
    made = {"since": plan.since, "why_anew": plan.why_anew, "counts": dict(counts)}
    _write_state(lake, spec, {"ingest_seq": plan.ingest_seq, "complete": True, **made})


def _write_state(lake: Lake, spec: FeaturesSpec, changed: Mapping[str, Any]) -> None:
    tables = sorted(table.name for table in (*tile_tables(spec), *former_tiles(lake, spec)))
    row = {"definition": made_by(spec), "tables": tables, **changed}
    lake.replace(frame_of(lake.spark, TILE_STATE, [row]), TILE_STATE)


def active_days(lake: Lake, ingest_seq: int, ranges: Sequence[tuple[date, date]]) -> DataFrame:
    """Days in some ranges on which accounts have events: from the tiles, and from the events of ingests that these do not hold yet.

    Args:
        lake: the lake.
        ingest_seq: what was known.
        ranges: half-open ranges of dates, such as `EVER`.

    Returns:
        Columns account_id, event_date, first_seq (the first ingest that brought an event); several rows a day.
    """
    state = tile_state(lake)
    held = int(state["ingest_seq"]) if state is not None and state["complete"] else None
    if held is None or held > ingest_seq or not known_rows(lake, RETRACTIONS, ingest_seq, held).isEmpty():
        return _event_days(known_events(lake, ingest_seq), ranges)
    tiles = _inside(known_rows(lake, ACCOUNT_DAY_HEAD, held), ranges).select("account_id", "event_date", "first_seq")
    return tiles if held == ingest_seq else tiles.unionByName(_event_days(known_rows(lake, EVENTS, ingest_seq, held), ranges))


def _event_days(events: DataFrame, ranges: Sequence[tuple[date, date]]) -> DataFrame:
    return _inside(events, ranges).select("account_id", "event_date", F.col("ingest_seq").alias("first_seq"))


def _inside(rows: DataFrame, ranges: Sequence[tuple[date, date]]) -> DataFrame:
    """Rows dated in one of the ranges, of the months that they touch."""
    month, day, none = F.col("event_month"), F.col("event_date"), F.expr("false")
    months = [(month >= F.lit(start.replace(day=1))) & (month < F.lit(end)) for start, end in ranges]
    days = [(day >= F.lit(start)) & (day < F.lit(end)) for start, end in ranges]
    return rows.where(reduce(or_, months, none)).where(reduce(or_, days, none))
