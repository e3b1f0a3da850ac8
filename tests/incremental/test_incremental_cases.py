"""One case a rule of which users are carried over, and of what a killed run leaves to the next."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from feature_history import Event, Version, at, conf_of, load_spec, random_events, random_owners, write_history, write_identity
from nights import KilledError, killed_after
from reduced_spec import reduced, without_one

from persona_spark.config.tile_tables import account_day_table, tile_tables, user_features_table
from persona_spark.errors import LakeError
from persona_spark.features import plan
from persona_spark.features.compute import compute_features
from persona_spark.lake.contract import frame_of
from persona_spark.lake.tile_state import tile_plan
from persona_spark.schema import RETRACTIONS
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.lake.memory import MemoryLake
    from persona_spark.lake.tables import Lake

DAY = date(2018, 1, 1)
OWNERS = {"n:a": "ann", "n:b": "bob", "n:c": "cem", "n:d": "dan"}
HISTORY = [
    Event("n:a", "view", at(DAY - timedelta(days=3)), category="tea"),
    Event("n:a", "view", at(DAY - timedelta(days=300)), category="tea"),
    Event("n:b", "view", at(DAY - timedelta(days=200)), category="rice"),
    Event("n:c", "view", at(DAY - timedelta(days=200)), category="rice"),
    Event("n:d", "view", at(DAY - timedelta(days=200)), category="rice"),
]


@pytest.fixture(autouse=True)
def _carry_over_however_many_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LARGEST_SHARE", 1.0)


def run(lake: Lake, spec: FeaturesSpec, day: date, seq: int, owners: Mapping[str, str] = OWNERS) -> Mapping[str, Any]:
    write_identity(lake, dict(owners), day, seq)
    tile(lake, conf_of(spec), AsOf(day, seq))
    return compute_features(lake, conf_of(spec), AsOf(day, seq)).notes


def counts(lake: Lake, spec: FeaturesSpec, day: date) -> dict[str, int]:
    rows = lake.read(user_features_table(spec)).where(f"as_of = DATE'{day}'").collect()
    return {row.user_id: row.event_count_lifetime for row in rows}


def take_back(lake: Lake, position: int, seq: int) -> None:
    take_back_of(lake, HISTORY[position : position + 1], 1, seq, position)


def take_back_of(lake: Lake, events: list[Event], number: int, seq: int, position: int = 0) -> None:
    """The first events of a list, whose ids count from `position`."""
    rows = [{**event.row(position + at_), "reason": "test", "ingest_seq": seq} for at_, event in enumerate(events[:number])]
    lake.append(frame_of(lake.spark, RETRACTIONS, rows), RETRACTIONS)


def test_back_in_time_an_event_taken_back_after_that_day_is_not_carried_over(memory: MemoryLake) -> None:
    spec = reduced(load_spec())
    write_history(memory, HISTORY)
    run(memory, spec, DAY, 1)
    take_back(memory, 0, 2)
    earlier = DAY - timedelta(days=5)
    notes = run(memory, spec, earlier, 2)
    assert (notes["base"], notes["recomputed"]) == (f"{DAY} at ingest 1", 1)
    assert counts(memory, spec, earlier) == {"ann": 1, "bob": 1, "cem": 1, "dan": 1}


def test_when_more_than_half_of_the_users_changed_all_are_computed(memory: MemoryLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LARGEST_SHARE", 0.5)
    spec = reduced(load_spec())
    some = [
        Event(account, "view", at(DAY - timedelta(days=2)), seq=seq) for account, seq in (("n:a", 2), ("n:b", 2), ("n:c", 3), ("n:d", 3))
    ]
    write_history(memory, [*HISTORY, *some, Event("n:a", "view", at(DAY - timedelta(days=2)), seq=3)])
    run(memory, spec, DAY, 1)
    half = run(memory, spec, DAY, 2)
    assert (half["base"], half["recomputed"], half["carried"]) == (f"{DAY} at ingest 1", 2, 2)
    most = run(memory, spec, DAY, 3)
    assert most["all_users"] == f"75% of the users changed since {DAY}: to compute all costs less than to carry over the others"
    assert (most["events"], most["recomputed"], most["carried"]) == (3, 4, 0)
    assert counts(memory, spec, DAY) == {"ann": 4, "bob": 2, "cem": 2, "dan": 2}


def test_the_night_after_a_definition_is_gone_carries_over(memory: MemoryLake) -> None:
    spec = reduced(load_spec())
    write_history(memory, HISTORY)
    run(memory, spec, DAY, 1)
    other = without_one(spec)
    assert run(memory, other, DAY, 1)["all_users"] == "the definitions of features are new"
    assert "base" in run(memory, other, DAY + timedelta(days=1), 1)
    assert counts(memory, other, DAY + timedelta(days=1)) == {"ann": 2, "bob": 1, "cem": 1, "dan": 1}


def test_other_accounts_of_users_are_noticed_for_the_same_day_and_ingest(memory: MemoryLake) -> None:
    spec = reduced(load_spec())
    write_history(memory, HISTORY)
    run(memory, spec, DAY, 1)
    assert "held_up_to" in run(memory, spec, DAY, 1)
    merged = {**OWNERS, "n:b": "ann"}
    notes = run(memory, spec, DAY, 1, merged)
    assert (notes["accounts"], notes["gone"], notes["carried"]) == (1, 1, 2)
    assert counts(memory, spec, DAY) == {"ann": 3, "cem": 1, "dan": 1}


def test_a_version_that_is_known_but_not_in_force_recomputes_nobody_until_it_is(memory: MemoryLake) -> None:
    spec = reduced(load_spec())
    later = Version("n:b", DAY + timedelta(days=2), {"gender": "female"}, seq=2)
    write_history(memory, HISTORY, [later])
    run(memory, spec, DAY, 1)
    assert run(memory, spec, DAY, 2)["recomputed"] == 0
    assert run(memory, spec, DAY + timedelta(days=3), 2)["attributes"] == 1


def test_tiles_that_a_killed_update_left_half_changed_are_not_those_of_the_ingest_before(memory: MemoryLake) -> None:
    spec = reduced(load_spec())
    conf, table = conf_of(spec), account_day_table(spec)
    write_history(memory, HISTORY)
    tile(memory, conf, AsOf(DAY, 1))
    whole = sorted(map(str, memory.read(table).collect()))
    take_back(memory, 0, 2)
    with pytest.raises(KilledError):
        # Killed after the day was removed, before what is left of it is written.
        tile(killed_after(memory, 3), conf, AsOf(DAY, 2))
    assert memory.read(table).count() < len(whole)
    write_identity(memory, OWNERS, DAY, 1)
    with pytest.raises(LakeError, match="a run that brought them to ingest 2 did not end"):
        compute_features(memory, conf, AsOf(DAY, 1))
    assert tile_plan(memory, spec, 2).since == 1
    assert tile(memory, conf, AsOf(DAY, 1)).notes["anew"] == "a run that brought them to ingest 2 did not end"
    assert sorted(map(str, memory.read(table).collect())) == whole


def test_late_events_add_a_row_for_each_day_that_they_touch_and_rewrite_no_file(lake: Lake) -> None:
    """What one night with 1 % late events writes: one row of `account_day` an account-day touched, none of the others."""
    spec = reduced(load_spec())
    rng = random.Random(4)
    owners = random_owners(20, rng)
    events = [replace(event, seq=1) for event in random_events(owners, DAY, 1000, rng)]
    late = [replace(event, seq=2) for event in rng.sample(events, 10)]
    write_history(lake, [*events, *late])
    conf = conf_of(spec)
    tile(lake, conf, AsOf(DAY, 1))
    tables = tile_tables(spec)
    files = {table.name: set(lake.read(table).inputFiles()) for table in tables}
    result = tile(lake, conf, AsOf(DAY, 2))
    touched = len({(event.account, event.local.date()) for event in late})
    assert (result.notes["account_days_touched"], result.notes["account_day"]) == (touched, touched)
    # No day of features was computed that could have counted them before.
    assert result.notes["late_account_days"] == 0
    # Of the other tiles a day has as many rows as its late events have keys, orders and sessions.
    assert result.rows_out <= touched * 2 + sum(len(spec.preferences) + 2 for _ in late)
    assert all(files[table.name] <= set(lake.read(table).inputFiles()) for table in tables)
    # Days of which events are taken back are written once more, marked in their files and not copied with the others.
    take_back_of(lake, events, 3, 3)
    again: Mapping[str, Any] = tile(lake, conf, AsOf(DAY, 3)).notes
    assert again["account_day"] <= again["account_days_touched"] <= 3
    assert all(files[table.name] <= set(lake.read(table).inputFiles()) for table in tables if table.deletion_vectors)
