"""Taking events back by id, and replacing them: what is known afterwards, and what tiles and features make of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from feature_history import Event, at, conf_of, load_spec, write_history, write_identity
from nights import KilledError, killed_after
from pyspark.sql import functions as F
from reduced_spec import reduced

from persona_spark.config.tile_tables import account_day_table, user_features_table
from persona_spark.errors import UsageError
from persona_spark.features import plan
from persona_spark.features.compute import compute_features
from persona_spark.lake.contract import frame_of
from persona_spark.lake.known import committed_seq, known_events
from persona_spark.lake.memory import MemoryLake
from persona_spark.schema import ACCOUNTS, EVENTS, IDENTITY, INGEST, RETRACTIONS
from persona_spark.sources.retract import retract
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.lake.tables import Lake

DAY = date(2018, 1, 1)
NOW = datetime(2018, 1, 2, tzinfo=UTC)
OWNERS = {"n:a": "ann", "n:b": "bob", "n:c": "cem"}
HISTORY = [
    Event("n:a", "pay", at(date(2017, 12, 30)), order="n:1", amount=Decimal("10.00"), category="tea"),
    Event("n:a", "pay", at(date(2017, 12, 30), 13), order="n:2", amount=Decimal("0.50"), category="tea"),
    Event("n:a", "view", at(date(2017, 11, 30)), category="rice"),
    Event("n:b", "view", at(date(2017, 12, 30))),
    Event("n:c", "view", at(date(2017, 6, 30))),
]


def open_shop(lake: Lake) -> None:
    write_history(lake, HISTORY)
    write_identity(lake, OWNERS, DAY, 1)
    row = dict.fromkeys(INGEST.names, 0) | {
        "ingest_seq": 1, "source": "s", "target": "events", "ingested_at": NOW, "min_event_date": None, "max_event_date": None,
        "mapping_hash": "h",
    }  # fmt: skip
    lake.append(frame_of(lake.spark, INGEST, [row]), INGEST)


def ids(lake: Lake, *names: str) -> DataFrame:
    return lake.spark.createDataFrame([("n", name) for name in names], "namespace string, event_id string")


def versions(lake: Lake, *changes: tuple[int, dict[str, Any]]) -> DataFrame:
    """Events of `HISTORY` by position, each with something changed."""
    rows = [{**HISTORY[position].row(position), **change} for position, change in changes]
    return frame_of(lake.spark, EVENTS, rows)


def moved(day: date) -> dict[str, Any]:
    return {"event_time": at(day), "event_date": day, "event_month": day.replace(day=1)}


def known(lake: Lake, seq: int) -> list[tuple[Any, ...]]:
    rows = known_events(lake, seq).select("event_id", "account_id", "event_date", "amount", "ingest_seq").collect()
    return sorted((tuple(row) for row in rows), key=repr)


def run(lake: Lake, spec: FeaturesSpec, seq: int) -> dict[str, dict[str, Any]]:
    """Features of all users, after they were held against the same stages on the bare events."""
    conf, as_of, table = conf_of(spec), AsOf(DAY, seq), user_features_table(spec)
    write_identity(lake, OWNERS, DAY, seq)
    tile(lake, conf, as_of)
    notes = compute_features(lake, conf, as_of).notes
    assert "base" in notes or seq == 1
    found = {row.user_id: row.asDict(recursive=True) for row in lake.read(table).collect()}
    with MemoryLake(lake, (EVENTS, RETRACTIONS, ACCOUNTS, IDENTITY)) as fresh:
        tile(fresh, conf, as_of)
        compute_features(fresh, conf, as_of)
        assert found == {row.user_id: row.asDict(recursive=True) for row in fresh.read(table).collect()}
    return found


def test_replaced_and_taken_back_events_go_through_tiles_and_features(memory: MemoryLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LARGEST_SHARE", 1.0)
    spec = reduced(load_spec(), "paid_amount", "returned_amount")
    open_shop(memory)
    assert run(memory, spec, 1)["ann"]["paid_amount_minor_30d"] == 1050
    first = known(memory, 1)
    # To another account, to another day of another month, and away.
    new = versions(memory, (0, {"account_id": "n:b"}), (2, moved(date(2017, 12, 31))))
    result = retract(memory, ids(memory, "e1"), NOW, "the feed corrects itself", new)
    assert (result.rows_in, result.rows_out, result.notes["versions"]) == (1, 3, 2)
    users = run(memory, spec, 2)
    assert [users[name]["paid_amount_minor_30d"] for name in ("ann", "bob", "cem")] == [0, 1000, 0]
    assert [users["ann"][f"view_count_{window}"] for window in ("7d", "lifetime")] == [1, 1]
    assert users["ann"]["last_visit_date"] == date(2017, 12, 31)
    assert {row.account_id for row in memory.read(account_day_table(spec)).where("event_date = '2017-12-30'").collect()} == {"n:b"}
    # The replaced one is replaced once more, and one of the others goes for good.
    retract(memory, ids(memory, "e2"), NOW, "erased", versions(memory, (0, {"account_id": "n:c", **moved(date(2017, 12, 1))})))
    users = run(memory, spec, 3)
    assert [users[name]["paid_amount_minor_lifetime"] for name in ("ann", "bob", "cem")] == [0, 0, 1000]
    assert (users["ann"]["event_count_lifetime"], users["cem"]["paid_amount_minor_30d"]) == (0, 0)
    assert known(memory, 1) == first


def test_ids_that_are_unknown_or_gone_already_change_nothing(lake: Lake) -> None:
    open_shop(lake)
    assert retract(lake, ids(lake, "e0", "e0", "e1"), NOW, "twice in one list").rows_out == 2
    after = known(lake, 2)
    again = retract(lake, ids(lake, "e0", "unknown"), NOW, "again")
    assert (again.rows_in, again.rows_out, again.skipped, committed_seq(lake)) == (2, 0, True, 2)
    assert known(lake, 2) == after
    # An event that was taken back may come again as a version, and an unknown one is new.
    result = retract(lake, ids(lake), NOW, "back again", versions(lake, (0, {}), (3, {"event_id": "other"})))
    assert (result.rows_out, result.notes["versions"]) == (0, 2)
    assert {row[0] for row in known(lake, 3)} == {"e0", "e2", "e3", "e4", "other"}


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_killed_retraction_is_not_known_and_the_next_equals_an_undisturbed_one(memory: MemoryLake, writes: int) -> None:
    open_shop(memory)
    before = known(memory, 1)
    new = versions(memory, (0, {"account_id": "n:b"}))
    with pytest.raises(KilledError):
        retract(killed_after(memory, writes), ids(memory, "e1", "e2"), NOW, "killed", new)
    assert (committed_seq(memory), known(memory, 1)) == (1, before)
    retract(memory, ids(memory, "e1"), NOW, "another one takes the number", new)
    kept = [("e0", "n:b", 2), ("e2", "n:a", 1), ("e3", "n:b", 1), ("e4", "n:c", 1)]
    assert [(name, account, seq) for name, account, _, _, seq in known(memory, 2)] == kept
    assert {row.event_id for row in memory.read(RETRACTIONS).collect()} == {"e0", "e1"}


def test_what_cannot_be_a_retraction_is_refused(memory: MemoryLake) -> None:
    open_shop(memory)
    with pytest.raises(UsageError, match="has no zone"):
        retract(memory, ids(memory, "e0"), NOW.replace(tzinfo=None), "why")
    with pytest.raises(UsageError, match="needs a reason"):
        retract(memory, ids(memory, "e0"), NOW, " ")
    with pytest.raises(UsageError, match="several are given for n/e0"):
        retract(memory, ids(memory), NOW, "why", versions(memory, (0, {}), (0, {"account_id": "n:b"})))
    with pytest.raises(UsageError, match="ids have no column namespace: give namespace, event_id"):
        retract(memory, ids(memory, "e0").drop("namespace"), NOW, "why")
    with pytest.raises(UsageError, match="versions have no column price, rating: give event_id"):
        retract(memory, ids(memory), NOW, "why", versions(memory, (0, {})).drop("price", "rating"))
    wrong: dict[str, dict[str, Any]] = {
        "event_month must be the first day of event_date's month": {"event_month": date(2017, 12, 2)},
        "event_type must be one of view, click": {"event_type": "buy"},
        "account_id must begin with the namespace and a colon": {"account_id": "nobody"},
        "event_date must be the local date of event_time": {"event_time": at(date(2017, 11, 3))},
    }
    for said, change in wrong.items():
        with pytest.raises(UsageError, match=f"{said}.*, but not for n/e0 of 2017-12-30"):
            retract(memory, ids(memory), NOW, "why", versions(memory, (0, change)))
    with pytest.raises(UsageError, match=r"event_id, .* must be stated, but not for n/None"):
        retract(memory, ids(memory), NOW, "why", versions(memory, (0, {})).withColumn("event_id", F.lit(None).cast("string")))
    assert committed_seq(memory) == 1
