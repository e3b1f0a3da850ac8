"""The tile stage: events become tiles when they arrive; only months that new ingests touched are made again.

`tile_state` says what the tiles hold. It is marked incomplete before the first write and complete after the last, so a run
that was killed between them is noticed, and all tiles are made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import ACCOUNT_DAY_KEY, account_day_table, account_order_table, account_session_table
from persona_spark.lake.known import known_rows
from persona_spark.lake.result import StageResult
from persona_spark.schema import EVENTS, TILE_STATE
from persona_spark.tiles.account_tiles import account_day_keys, account_days, first_days

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table
    from persona_spark.time import AsOf


@dataclass(frozen=True)
class _Plan:
    """What has to be made.

    Attributes:
        ingest_seq: the tiles shall hold all ingests up to this one.
        since: the tiles hold all ingests up to this one already; None to make them anew.
        definition: hash of the definitions.
    """

    ingest_seq: int
    since: int | None
    definition: str

    @property
    def nothing(self) -> bool:
        return self.since == self.ingest_seq


def tile(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Bring the tiles to what was known at `as_of.ingest_seq`.

    Tiles hold all known events, also those on and after `as_of.date`; features choose by date. Tiles that know more than
    `as_of.ingest_seq`, that were made by other definitions, or whose making was killed, are made anew.

    Returns:
        rows_in: events that were new to the tiles; rows_out: tiles written.

    Raises:
        LakeError: when nothing has been ingested.
    """
    lake.require(EVENTS, "run persona ingest first")
    plan = _plan(lake, conf.features, as_of)
    if plan.nothing:
        return StageResult(0, 0, {"tiled_up_to": plan.ingest_seq}, skipped=True)
    _mark(lake, plan, complete=False)
    months = _new_months(lake, plan)
    written = _rebuild(lake, conf.features, plan) if plan.since is None else _update(lake, conf.features, plan, sorted(months))
    _mark(lake, plan, complete=True)
    notes = {"months": len(months), "anew": plan.since is None, **written}
    return StageResult(sum(months.values()), sum(written.values()), notes)


def _plan(lake: Lake, spec: FeaturesSpec, as_of: AsOf) -> _Plan:
    definition = spec.tile_digest()
    state = lake.read(TILE_STATE).collect()
    usable = len(state) == 1 and state[0].complete and state[0].definition == definition and state[0].ingest_seq <= as_of.ingest_seq
    return _Plan(as_of.ingest_seq, int(state[0].ingest_seq) if usable else None, definition)


def _mark(lake: Lake, plan: _Plan, *, complete: bool) -> None:
    row = [(plan.ingest_seq, plan.definition, complete)]
    lake.replace(lake.spark.createDataFrame(row, "ingest_seq bigint, definition string, complete boolean"), TILE_STATE)


def _new_events(lake: Lake, plan: _Plan) -> DataFrame:
    known = known_rows(lake, EVENTS, plan.ingest_seq)
    return known if plan.since is None else known.where(F.col("ingest_seq") > plan.since)


def _new_months(lake: Lake, plan: _Plan) -> dict[date, int]:
    """Events that are new to the tiles, by month."""
    return {row.event_month: int(row["count"]) for row in _new_events(lake, plan).groupBy("event_month").count().collect()}


def _rebuild(lake: Lake, spec: FeaturesSpec, plan: _Plan) -> dict[str, int]:
    events = known_rows(lake, EVENTS, plan.ingest_seq)
    day = account_day_table(spec)
    return {
        day.name: lake.replace(account_days(events, spec), day),
        ACCOUNT_DAY_KEY.name: lake.replace(account_day_keys(events, spec), ACCOUNT_DAY_KEY),
        **{table.name: lake.replace(first_days(events, spec, table, kind), table) for table, kind in _first_day_tables(spec)},
    }


def _update(lake: Lake, spec: FeaturesSpec, plan: _Plan, months: list[date]) -> dict[str, int]:
    if not months:
        return {}
    dates = ", ".join(f"DATE'{month}'" for month in months)
    touched = f"event_month in ({dates})"
    events = known_rows(lake, EVENTS, plan.ingest_seq).where(touched)
    new = _new_events(lake, plan).where(touched)
    day = account_day_table(spec)
    return {
        day.name: lake.replace_where(account_days(events, spec), day, touched),
        ACCOUNT_DAY_KEY.name: lake.replace_where(account_day_keys(events, spec), ACCOUNT_DAY_KEY, touched),
        **{
            table.name: lake.replace(first_days(new, spec, table, kind, lake.read(table)), table) for table, kind in _first_day_tables(spec)
        },
    }


def _first_day_tables(spec: FeaturesSpec) -> list[tuple[Table, str]]:
    return [(account_order_table(spec), "orders"), (account_session_table(spec), "sessions")]
