"""Taking events back, or replacing them by other versions, by id.

It is an ingest like any other: numbered, committed by its row in `ingest`, safe to run again after a kill. The old versions stay in
`events`, because releases that knew them must stay recomputable; `event_retraction` says from which ingest on they do not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import UsageError
from persona_spark.lake.known import committed_seq, known_events
from persona_spark.lake.result import StageResult
from persona_spark.lake.turn import take_turn
from persona_spark.schema import EVENT_TYPES, EVENTS, RETRACTIONS
from persona_spark.sources.commit import Counts, ingest_row
from persona_spark.sources.events import id_hash
from persona_spark.sources.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake

SOURCE = "retraction"
_ID = ["namespace", "event_id"]
_OWN = ("id_hash", "ingest_seq")
"""Columns of `events` that the retraction itself gives the versions."""
_GIVEN = [column for column in EVENTS.columns if column.name not in _OWN]
_NEVER_NULL = [column.name for column in _GIVEN if not column.nullable]
_WRONG = {
    f"{', '.join(_NEVER_NULL)} must be stated": " OR ".join(f"{name} IS NULL" for name in _NEVER_NULL),
    f"event_type must be one of {', '.join(EVENT_TYPES)}": f"event_type NOT IN ({', '.join(map(repr, EVENT_TYPES))})",
    "account_id must begin with the namespace and a colon": "NOT startswith(account_id, concat(namespace, ':'))",
    "event_month must be the first day of event_date's month": "trunc(event_date, 'month') != event_month",
    "event_date must be the local date of event_time": "abs(date_diff(event_date, to_date(event_time))) > 1",
}
"""What must hold of a version, and the rows of which it does not; the first broken one is told. Local dates are at most a day from UTC."""


def retract(lake: Lake, ids: DataFrame, at: datetime, reason: str, versions: DataFrame | None = None) -> StageResult:
    """Take events back from now on, and put other versions in the place of some.

    Args:
        lake: the lake.
        ids: namespace, event_id of the events; ids that are not known, or were taken back before, are counted and passed over.
        at: the time that the ingest runs at, with a zone.
        reason: why, in words; stands in `event_retraction`.
        versions: events as they should have been, with the columns of `events` but `id_hash` and `ingest_seq`; an id among them is taken
            back too if it is known, and simply new if it is not.

    Returns:
        rows_in: ids; rows_out: events taken back; the note `versions` counts the events that were written.

    Raises:
        UsageError: when `at` has no zone, the reason is empty, a column is missing, an id stands twice in `versions`, or a version is
            one that no ingest would have written: without an id, of an unknown type, of an account or day that cannot be its own.
        LakeError: when another ingest runs at the same time.
    """
    _check(at, reason, ids, versions)
    committed = committed_seq(lake)
    wanted = ids.select(*_ID) if versions is None else ids.select(*_ID).unionByName(versions.select(*_ID))
    known = known_events(lake, committed).join(wanted.distinct(), _ID, "left_semi")
    turn = take_turn(lake, committed)
    number = F.lit(turn.seq).cast("bigint").alias("ingest_seq")
    rows = known.select("event_id", "namespace", "account_id", "event_date", "event_month", F.lit(reason).alias("reason"), number)
    gone = turn.write(rows, RETRACTIONS)
    written = 0
    if versions is not None:
        written = turn.write(versions.drop(*_OWN).select("*", id_hash(), number), EVENTS)
    asked = ids.count()
    if not gone and not written:
        turn.end()
        return StageResult(asked, 0, {"versions": 0}, skipped=True)
    counts = Counts(turn.seq, at, (), {}, {}, written, Tally(), loaded=written, retracted=gone)
    turn.commit(ingest_row(lake, SOURCE, counts, EVENTS, ""))
    return StageResult(asked, gone, {"versions": written})


def _check(at: datetime, reason: str, ids: DataFrame, versions: DataFrame | None) -> None:
    if at.tzinfo is None:
        raise UsageError("the time of the retraction has no zone: pass for example datetime.now(tz=UTC)")
    if not reason.strip():
        raise UsageError("a retraction needs a reason in words")
    _check_columns("ids", ids, _ID)
    if versions is None:
        return
    _check_columns("versions", versions, [column.name for column in _GIVEN])
    twice = versions.groupBy(*_ID).count().where("count > 1").limit(3).collect()
    if twice:
        examples = ", ".join(f"{row.namespace}/{row.event_id}" for row in twice)
        raise UsageError(f"an event can have one version at a time, but several are given for {examples}")
    # In one pass: to make the versions may take long.
    broken = F.coalesce(*(F.when(F.expr(wrong), F.lit(rule)) for rule, wrong in enumerate(_WRONG.values()))).alias("rule")
    strayed = versions.select(*_ID, "event_date", broken).where("rule IS NOT NULL").orderBy("rule").limit(3).collect()
    if strayed:
        first = strayed[0].rule
        examples = ", ".join(f"{row.namespace}/{row.event_id} of {row.event_date}" for row in strayed if row.rule == first)
        raise UsageError(f"{list(_WRONG)[first]}, but not for {examples}")


def _check_columns(what: str, rows: DataFrame, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        raise UsageError(f"{what} have no column {', '.join(missing)}: give {', '.join(needed)}")
