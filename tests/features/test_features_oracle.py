from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING

import pytest
from feature_history import conf_of, load_spec, random_events, random_owners, random_versions, write_history, write_identity
from feature_oracle import differences, expected
from settings import settings_of

from persona_spark.config.tile_tables import user_features_table
from persona_spark.features.compute import compute_features
from persona_spark.projection import profile_frame
from persona_spark.schema import EVENTS, TILE_STATE
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from persona_spark.lake.memory import MemoryLake
    from persona_spark.lake.tables import Lake

CASES = {1: AsOf(date(2018, 1, 1), 3), 2: AsOf(date(2017, 11, 6), 2)}
SAME: dict[int, set[str]] = {1: {"click_count_7d"}, 2: {"category_gap_days_spread", "category_gap_irregularity"}}
"""Columns that have one value for all users of a case, of which it says little."""


@pytest.mark.parametrize("seed", CASES)
def test_every_feature_of_a_random_history_equals_the_recomputation(memory: MemoryLake, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    as_of = CASES[seed]
    rng = random.Random(seed)
    owners = random_owners(14, rng)
    events = random_events(owners, as_of.date, 1500, rng)
    versions = random_versions(owners, as_of.date, rng)
    write_history(memory, events, versions)
    write_identity(memory, owners, as_of.date, as_of.ingest_seq)
    run(memory, as_of)
    rows = [row.asDict() for row in profile_frame(memory, conf_of(load_spec()), as_of).collect()]
    found = {row.pop("user_id"): row for row in rows}
    wanted = expected(events, versions, owners, as_of.date, as_of.ingest_seq)
    names = [column.name for column in load_spec().profile_columns() if column.name != "user_id"]
    complete = {user: {name: values.get(name) for name in names} | {"as_of": as_of.date} for user, values in wanted.items()}
    assert differences(found, complete) == []
    alike = {name for name in names if len({str(user[name]) for user in found.values()}) == 1}
    assert alike - {"as_of"} == SAME[seed]
    assert any(user["preferred_category"] is None for user in found.values())
    if seed == 1:
        monkeypatch.setattr("persona_spark.features.users.FEW_USERS", 0)
        check_other_partitioning(memory, as_of)


def check_other_partitioning(lake: Lake, as_of: AsOf) -> None:
    """Events in another order and files, another number of shuffle partitions, accounts too many to broadcast: the same rows."""
    table = user_features_table(load_spec())
    one = sorted(map(str, lake.read(table).collect()))
    lake.delete(table, "true")
    lake.delete(TILE_STATE, "true")
    lake.replace(lake.read(EVENTS).repartition(3, "event_id").sortWithinPartitions("event_hour", "event_id"), EVENTS)
    settings = {
        "spark.sql.shuffle.partitions": "3",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
    }
    with settings_of(lake.spark, settings):
        run(lake, as_of)
    assert sorted(map(str, lake.read(table).collect())) == one


def run(lake: Lake, as_of: AsOf) -> None:
    tile(lake, conf_of(load_spec()), as_of)
    compute_features(lake, conf_of(load_spec()), as_of)
