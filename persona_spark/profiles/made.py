"""How what a release is made from came to be, for its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.lake.dates import on_day
from persona_spark.lake.tile_state import tile_state
from persona_spark.schema import FEATURES_STATE, INGEST

if TYPE_CHECKING:
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf


def ingests(lake: Lake, as_of: AsOf) -> list[dict[str, Any]]:
    """What was taken in, by feed."""
    known = lake.read(INGEST).where(F.col("ingest_seq") <= F.lit(as_of.ingest_seq))
    sums = [F.sum(name).alias(name) for name in ("files", "read", "loaded", "duplicates", "quarantined", "retracted")]
    return [row.asDict() for row in known.groupBy("source", "target").agg(*sums).orderBy("source", "target").collect()]


def tiles_made(lake: Lake, as_of: AsOf) -> dict[str, Any] | None:
    """How the tiles came to hold what was known: from which ingest on, what was new; None when they hold something else by now."""
    state = tile_state(lake)
    if state is None or not state["complete"] or state["ingest_seq"] != as_of.ingest_seq:
        return None
    return {"since": state.get("since"), "why_anew": state.get("why_anew"), **(state.get("counts") or {})}


def features_made(lake: Lake, as_of: AsOf) -> dict[str, Any] | None:
    """How the features of the day were made: base, reasons, users recomputed and carried over; None when nobody wrote it down."""
    states = lake.read(FEATURES_STATE).where(on_day(as_of.date)).collect()
    if not states or states[0].ingest_seq != as_of.ingest_seq:
        return None
    state = states[0]
    base = None if state.base_as_of is None else {"as_of": state.base_as_of, "ingest_seq": state.base_ingest_seq}
    made = {"recomputed": state.recomputed, "carried": state.users - state.recomputed, "reasons": state.reasons}
    return {"base": base, "why_full": state.why_full, **made}
