from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from feature_history import (
    Event,
    Version,
    at,
    conf_of,
    load_spec,
    random_events,
    random_owners,
    random_versions,
    write_history,
    write_identity,
)
from feature_oracle import Rows, differences, expected

from persona_spark.errors import LakeError
from persona_spark.features.compute import compute_features
from persona_spark.projection import profile_frame, user_features_table
from persona_spark.schema import MONEY, USER_SCORES, USER_TAGS
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from persona_spark.lake.tables import Lake

DAY = date(2018, 1, 1)


def profiles(lake: Lake, as_of: AsOf) -> Rows:
    tile(lake, conf_of(load_spec()), as_of)
    compute_features(lake, conf_of(load_spec()), as_of)
    return published(lake, as_of.date)


def published(lake: Lake, day: date) -> Rows:
    rows = [row.asDict() for row in profile_frame(lake, conf_of(load_spec()), day).collect()]
    assert all(row.pop("as_of") == day for row in rows)
    return {row.pop("user_id"): row for row in rows}


def one_user(lake: Lake, events: Iterable[Event], versions: Iterable[Version] = (), accounts: str = "ab") -> dict[str, Any]:
    write_history(lake, events, versions)
    write_identity(lake, {f"n:{letter}": "u" for letter in accounts}, DAY, 1)
    return profiles(lake, AsOf(DAY, 1))["u"]


@pytest.mark.parametrize(("seed", "day", "seq"), [(1, DAY, 3), (2, date(2017, 11, 6), 2), (3, date(2017, 3, 13), 3)])
def test_every_feature_of_a_random_history_equals_the_recomputation(lake: Lake, seed: int, day: date, seq: int) -> None:
    rng = random.Random(seed)
    owners = random_owners(14, rng)
    events = random_events(owners, day, 1500, rng)
    versions = random_versions(owners, day, rng)
    write_history(lake, events, versions)
    write_identity(lake, owners, day, seq)
    found = profiles(lake, AsOf(day, seq))
    wanted = expected(events, versions, owners, day, seq)
    names = [column.name for column in load_spec().profile_columns() if column.name not in ("user_id", "as_of")]
    assert list(next(iter(found.values()))) == names
    assert differences(found, {user: {name: values.get(name) for name in names} for user, values in wanted.items()}) == []
    assert any(user["preferred_category"] is None for user in found.values())


def test_windows_hold_their_first_day_and_not_as_of(lake: Lake) -> None:
    events = [Event("n:a", "view", at(DAY - timedelta(days=back), 23, 59)) for back in (0, 1, 7, 8, 30, 31, 90, 91, 365, 366)]
    user = one_user(lake, events)
    assert [user[f"view_count_{window}"] for window in ("7d", "30d", "90d", "365d", "lifetime")] == [2, 4, 6, 8, 9]
    assert (user["days_since_last_visit"], user["days_since_first_visit"]) == (1, 366)


def test_an_order_paid_on_two_days_counts_once_on_the_first(lake: Lake) -> None:
    deposit = Event("n:a", "pay", at(DAY - timedelta(days=31)), order="n:1", amount=Decimal("10.00"))
    balance = Event("n:b", "pay", at(DAY - timedelta(days=3)), order="n:1", amount=Decimal("90.00"))
    user = one_user(lake, [deposit, balance])
    assert [user[f"order_count_{window}"] for window in ("7d", "30d", "90d", "lifetime")] == [0, 0, 1, 1]
    assert user["paid_amount_30d"] == Decimal("90.00")
    assert user["average_order_value_30d"] is None
    assert user["average_order_value_90d"] == Decimal("100.00")
    assert user["last_order_date"] == DAY - timedelta(days=31)
    assert user["repurchase_gap_days"] is None


def test_two_accounts_on_one_day_are_one_active_day_and_one_session_if_shared(lake: Lake) -> None:
    day = DAY - timedelta(days=2)
    user = one_user(lake, [Event("n:a", "view", at(day), session="n:s"), Event("n:b", "view", at(day, 20), session="n:s")])
    assert (user["active_day_count_7d"], user["session_count_7d"], user["view_count_7d"]) == (1, 1, 2)
    assert user["account_ids"] == ["n:a", "n:b"]


def test_a_user_without_events_has_zeros_and_nulls(lake: Lake) -> None:
    version = Version("n:a", date(2017, 5, 1), {"birth_year": "1990"}, datetime(2017, 5, 1, 3, 30, tzinfo=UTC))
    user = one_user(lake, [Event("n:z", "view", at(DAY - timedelta(days=2)))], [version], "a")
    assert (user["event_count_lifetime"], user["paid_amount_7d"], user["order_count_365d"]) == (0, Decimal("0.00"), 0)
    assert user["last_visit_date"] is None
    assert user["preferred_brand"] is None
    assert user["night_share_30d"] is None
    assert (user["age"], user["age_band"]) == (28, "25-34")
    assert (user["registered_date"], user["days_since_registration"]) == (date(2017, 4, 30), 246)


def test_preferences_decay_from_the_last_event_and_ties_go_to_the_smaller_key(lake: Lake) -> None:
    last = DAY - timedelta(days=200)
    events = [
        Event("n:a", "view", at(last), category="b"),
        Event("n:b", "view", at(last), category="a"),
        Event("n:a", "view", at(last - timedelta(days=30)), category="c"),
        Event("n:a", "view", at(last - timedelta(days=30)), category="c"),
        Event("n:a", "return", at(last), category="d"),
        Event("n:a", "view", at(last - timedelta(days=241)), category="e"),
    ]
    user = one_user(lake, events)
    assert user["preferred_category"] == "a"
    assert user["preferred_category_share"] == pytest.approx(1 / 3, abs=1e-12)


def test_the_hour_before_midnight_and_the_clock_change_belong_to_the_local_day(lake: Lake) -> None:
    times = [datetime(2017, 11, 5, 3, 59, tzinfo=UTC), datetime(2017, 11, 5, 5, 30, tzinfo=UTC), datetime(2017, 11, 5, 6, 30, tzinfo=UTC)]
    user = one_user(lake, [Event("n:a", "view", moment) for moment in times])
    assert (user["active_day_count_lifetime"], user["night_count_lifetime"]) == (2, 3)
    assert (user["first_visit_date"], user["last_visit_date"]) == (date(2017, 11, 4), date(2017, 11, 5))


def test_the_same_rows_under_any_partitioning(lake: Lake) -> None:
    rng = random.Random(7)
    owners = random_owners(10, rng)
    write_history(lake, random_events(owners, DAY, 400, rng), random_versions(owners, DAY, rng))
    write_identity(lake, owners, DAY, 3)
    tables = []
    for partitions, adaptive in (("1", "false"), ("5", "true")):
        settings = {"spark.sql.shuffle.partitions": partitions, "spark.sql.adaptive.enabled": adaptive}
        before = {name: lake.spark.conf.get(name) for name in settings}
        for name, value in settings.items():
            lake.spark.conf.set(name, value)
        compute = AsOf(DAY, 3)
        tile(lake, conf_of(load_spec()), compute)
        compute_features(lake, conf_of(load_spec()), compute)
        rows = lake.read(user_features_table(load_spec())).orderBy("user_id").toJSON().collect()
        tables.append(rows)
        lake.delete(user_features_table(load_spec()), "true")
        for name, value in before.items():
            lake.spark.conf.set(name, str(value))
    assert tables[0] == tables[1]
    assert len(tables[0]) == 10


def test_stale_tiles_and_identity_are_refused(lake: Lake) -> None:
    conf = conf_of(load_spec())
    write_history(lake, [Event("n:a", "view", at(DAY - timedelta(days=2)))])
    write_identity(lake, {"n:a": "u"}, DAY, 1)
    with pytest.raises(LakeError, match="there are none.*run persona tile first"):
        compute_features(lake, conf, AsOf(DAY, 1))
    tile(lake, conf, AsOf(DAY, 2))
    with pytest.raises(LakeError, match="they hold ingest 2.*run persona tile first"):
        compute_features(lake, conf, AsOf(DAY, 1))
    with pytest.raises(LakeError, match="it holds ingest 1.*run persona identify first"):
        compute_features(lake, conf, AsOf(DAY, 2))
    with pytest.raises(LakeError, match="it has no accounts"):
        compute_features(lake, conf, AsOf(DAY + timedelta(days=1), 2))
    with pytest.raises(LakeError, match="user_features does not exist"):
        profile_frame(lake, conf, DAY)


def test_projection_has_the_promised_types_and_joins_what_there_is(lake: Lake) -> None:
    one_user(lake, [Event("n:a", "view", at(DAY - timedelta(days=2)))])
    conf = conf_of(load_spec())
    frame = profile_frame(lake, conf, DAY, ("scores", "tags", "segments"))
    found = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    base = {column.name: column.type for column in load_spec().profile_columns()}
    assert {name: found[name] for name in base} == base
    assert (found["paid_amount_90d"], found["average_order_value_90d"], found["night_share_7d"]) == (MONEY, MONEY, "double")
    assert set(found) - set(base) == {*USER_SCORES.names, "tags", "segment_id", "segment_name", "distance"} - {"as_of", "user_id"}
    tags = lake.spark.sql(f"SELECT DATE'{DAY}' AS as_of, 'u' AS user_id, explode(array('z', 'b')) AS tag")
    lake.replace_where(tags, USER_TAGS, f"as_of = DATE'{DAY}'")
    assert frame.select("tags").collect()[0].tags == []
    row = profile_frame(lake, conf, DAY, ("tags",)).collect()[0]
    assert row.tags == ["b", "z"]
