from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING

import pytest
from feature_history import conf_of, load_spec, random_events, random_owners, random_versions, write_history, write_identity
from feature_oracle import differences, expected

from persona_spark.features.compute import compute_features
from persona_spark.projection import profile_frame, user_features_table
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.lake.tables import Lake

CASES = {1: AsOf(date(2018, 1, 1), 3), 2: AsOf(date(2017, 11, 6), 2)}


@pytest.fixture
def other_partitioning(lake: Lake) -> Iterator[None]:
    settings = {"spark.sql.shuffle.partitions": "5", "spark.sql.adaptive.enabled": "false"}
    before = {name: str(lake.spark.conf.get(name)) for name in settings}
    for name, value in settings.items():
        lake.spark.conf.set(name, value)
    yield
    for name, value in before.items():
        lake.spark.conf.set(name, value)


@pytest.mark.parametrize("seed", CASES)
def test_every_feature_of_a_random_history_equals_the_recomputation(lake: Lake, seed: int) -> None:
    as_of = CASES[seed]
    rng = random.Random(seed)
    owners = random_owners(14, rng)
    events = random_events(owners, as_of.date, 1500, rng)
    versions = random_versions(owners, as_of.date, rng)
    write_history(lake, events, versions)
    write_identity(lake, owners, as_of.date, as_of.ingest_seq)
    run(lake, as_of)
    rows = [row.asDict() for row in profile_frame(lake, conf_of(load_spec()), as_of.date).collect()]
    found = {row.pop("user_id"): row for row in rows}
    wanted = expected(events, versions, owners, as_of.date, as_of.ingest_seq)
    names = [column.name for column in load_spec().profile_columns() if column.name != "user_id"]
    complete = {user: {name: values.get(name) for name in names} | {"as_of": as_of.date} for user, values in wanted.items()}
    assert differences(found, complete) == []
    assert any(user["preferred_category"] is None for user in found.values())


@pytest.mark.usefixtures("other_partitioning")
def test_the_same_rows_under_any_partitioning(lake: Lake) -> None:
    as_of = AsOf(date(2018, 1, 1), 3)
    rng = random.Random(7)
    owners = random_owners(10, rng)
    write_history(lake, random_events(owners, as_of.date, 400, rng), random_versions(owners, as_of.date, rng))
    write_identity(lake, owners, as_of.date, 3)
    table = user_features_table(load_spec())
    run(lake, as_of)
    one = sorted(map(str, lake.read(table).collect()))
    lake.delete(table, "true")
    lake.spark.conf.set("spark.sql.shuffle.partitions", "1")
    lake.spark.conf.set("spark.sql.adaptive.enabled", "true")
    run(lake, as_of)
    assert sorted(map(str, lake.read(table).collect())) == one
    assert len(one) == 10


def run(lake: Lake, as_of: AsOf) -> None:
    tile(lake, conf_of(load_spec()), as_of)
    compute_features(lake, conf_of(load_spec()), as_of)
