"""One user a rule: window edges, orders paid twice, shared days, empty users, ties, clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from feature_history import Event, Version, at, conf_of, load_spec, write_history, write_identity

from persona_spark.errors import LakeError, UsageError
from persona_spark.features.compute import compute_features
from persona_spark.lake.tables import Lake
from persona_spark.projection import profile_frame
from persona_spark.schema import MONEY, USER_SCORES, USER_TAGS
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2018, 1, 1)
NOON = at(DAY - timedelta(days=200))


def before(days: int, hour: int = 12, minute: int = 0) -> datetime:
    return at(DAY - timedelta(days=days), hour, minute)


HISTORY = {
    "edges": [Event("n:edges", "view", before(back, 23, 59)) for back in (0, 1, 7, 8, 30, 31, 90, 91, 365, 366)],
    "two_payments": [
        Event("n:two_payments", "pay", before(31), order="n:1", amount=Decimal("10.00")),
        Event("n:two_payments_b", "pay", before(3), order="n:1", amount=Decimal("90.00")),
    ],
    "paid_again_later": [
        Event("n:paid_again_later", "pay", before(2), order="n:9", amount=Decimal("1.00")),
        Event("n:paid_again_later", "pay", before(-2), order="n:9", amount=Decimal("1.00")),
        Event("n:paid_again_later", "pay", before(-1), order="n:10", amount=Decimal("1.00")),
    ],
    "shared_day": [
        Event("n:shared_day", "view", before(2), session="n:s"),
        Event("n:shared_day_b", "view", before(2, 20), session="n:s"),
    ],
    "empty": [],
    "tie": [
        Event("n:tie", "view", NOON, category="b"),
        Event("n:tie_b", "view", NOON, category="a"),
        Event("n:tie", "view", NOON - timedelta(days=30), category="c"),
        Event("n:tie", "view", NOON - timedelta(days=30), category="c"),
        Event("n:tie", "return", NOON, category="d"),
        Event("n:tie", "view", NOON - timedelta(days=241), category="e"),
    ],
    "clocks": [
        Event("n:clocks", "view", datetime(2017, 11, 5, 3, 59, tzinfo=UTC)),
        Event("n:clocks", "view", datetime(2017, 11, 5, 5, 30, tzinfo=UTC)),
        Event("n:clocks", "view", datetime(2017, 11, 5, 6, 30, tzinfo=UTC)),
        Event("n:clocks", "view", datetime(2017, 3, 12, 7, 0, tzinfo=UTC)),
    ],
    "gap": [Event("n:gap", "pay", before(back), order=f"n:g{back}", amount=Decimal("0.01")) for back in (5, 25, 25, 30)],
}
VERSIONS = [
    Version("n:empty", date(2017, 5, 1), {"birth_year": "1990", "city": "Dayton"}, datetime(2017, 5, 1, 3, 30, tzinfo=UTC)),
    Version("n:empty", date(2017, 6, 1), {"birth_year": "unknown", "city": ""}),
    Version("n:empty", DAY, {"city": "Columbus"}),
    Version("n:tie", date(2017, 5, 1), {"city": "Dayton"}, before(300)),
    Version("n:tie_b", date(2017, 5, 1), {"city": "Toledo"}, before(400)),
]


@pytest.fixture(scope="module")
def rules(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(spark, path=tmp_path_factory.mktemp("rules"))
    write_history(lake, [event for events in HISTORY.values() for event in events], VERSIONS)
    owners = {f"n:{user}{letter}": user for user in HISTORY for letter in ("", "_b")}
    write_identity(lake, owners, DAY, 1)
    tile(lake, conf_of(load_spec()), AsOf(DAY, 1))
    compute_features(lake, conf_of(load_spec()), AsOf(DAY, 1))
    return lake


@pytest.fixture(scope="module")
def users(rules: Lake) -> dict[str, dict[str, Any]]:
    return {row.user_id: row.asDict() for row in profile_frame(rules, conf_of(load_spec()), DAY).collect()}


def test_windows_hold_their_first_day_and_not_as_of(users: dict[str, dict[str, Any]]) -> None:
    user = users["edges"]
    assert [user[f"view_count_{window}"] for window in ("7d", "30d", "90d", "365d", "lifetime")] == [2, 4, 6, 8, 9]
    assert (user["days_since_last_visit"], user["days_since_first_visit"]) == (1, 366)


def test_an_order_paid_on_two_days_through_two_accounts_counts_once_on_the_first(users: dict[str, dict[str, Any]]) -> None:
    user = users["two_payments"]
    assert [user[f"order_count_{window}"] for window in ("7d", "30d", "90d", "lifetime")] == [0, 0, 1, 1]
    assert user["paid_amount_30d"] == Decimal("90.00")
    assert user["average_order_value_30d"] is None
    assert user["average_order_value_90d"] == Decimal("100.00")
    assert user["last_order_date"] == DAY - timedelta(days=31)
    assert user["repurchase_gap_days"] is None


def test_what_happens_from_as_of_on_is_not_seen(users: dict[str, dict[str, Any]]) -> None:
    user = users["paid_again_later"]
    assert (user["order_count_lifetime"], user["paid_amount_lifetime"], user["days_since_last_order"]) == (1, Decimal("1.00"), 2)


def test_two_accounts_on_one_day_are_one_active_day_and_one_session_if_shared(users: dict[str, dict[str, Any]]) -> None:
    user = users["shared_day"]
    assert (user["active_day_count_7d"], user["session_count_7d"], user["view_count_7d"]) == (1, 1, 2)
    assert user["account_ids"] == ["n:shared_day", "n:shared_day_b"]


def test_the_repurchase_gap_is_over_distinct_days(users: dict[str, dict[str, Any]]) -> None:
    assert users["gap"]["repurchase_gap_days"] == 12.5


def test_a_user_without_events_has_zeros_and_nulls(users: dict[str, dict[str, Any]]) -> None:
    user = users["empty"]
    assert (user["event_count_lifetime"], user["paid_amount_7d"], user["order_count_365d"]) == (0, Decimal("0.00"), 0)
    for name in ("last_visit_date", "days_since_last_order", "preferred_brand", "preferred_brand_share", "night_share_30d"):
        assert user[name] is None


def test_attributes_hold_the_last_fitting_value_before_as_of(users: dict[str, dict[str, Any]]) -> None:
    user = users["empty"]
    assert (user["birth_year"], user["age"], user["age_band"], user["city"]) == (1990, 28, "25-34", "Dayton")
    assert (user["registered_date"], user["days_since_registration"]) == (date(2017, 4, 30), 246)
    assert (users["tie"]["city"], users["tie"]["days_since_registration"]) == ("Toledo", 400)


def test_preferences_decay_from_the_last_event_and_ties_go_to_the_smaller_key(users: dict[str, dict[str, Any]]) -> None:
    assert users["tie"]["preferred_category"] == "a"
    assert users["tie"]["preferred_category_share"] == pytest.approx(1 / 3, abs=1e-12)


def test_clock_changes_and_midnight_belong_to_the_local_day(users: dict[str, dict[str, Any]]) -> None:
    user = users["clocks"]
    assert (user["active_day_count_lifetime"], user["night_count_lifetime"]) == (3, 3)
    assert (user["first_visit_date"], user["last_visit_date"]) == (date(2017, 3, 12), date(2017, 11, 5))


def test_projection_has_the_promised_types_and_joins_what_there_is(rules: Lake) -> None:
    conf = conf_of(load_spec())
    frame = profile_frame(rules, conf, DAY, ("scores", "tags", "segments"))
    found = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    base = {column.name: column.type for column in load_spec().profile_columns()}
    assert list(found)[: len(base)] == list(base)
    assert {name: found[name] for name in base} == base
    assert (found["paid_amount_90d"], found["average_order_value_90d"], found["night_share_7d"]) == (MONEY, MONEY, "double")
    assert set(found) - set(base) == {*USER_SCORES.names, "tags", "segment_id", "segment_name", "distance"} - {"as_of", "user_id"}
    tags = rules.spark.sql(f"SELECT DATE'{DAY}' AS as_of, 'gap' AS user_id, explode(array('z', 'b')) AS tag")
    rules.replace_where(tags, USER_TAGS, f"as_of = DATE'{DAY}'")
    rows = {row.user_id: row.tags for row in profile_frame(rules, conf, DAY, ("tags",)).select("user_id", "tags").collect()}
    assert (rows["gap"], rows["empty"], len(rows)) == (["b", "z"], [], len(HISTORY))


def test_stale_tiles_identity_and_features_are_refused(rules: Lake) -> None:
    conf = conf_of(load_spec())
    with pytest.raises(LakeError, match=r"they hold ingest 1.*run persona tile first"):
        compute_features(rules, conf, AsOf(DAY, 2))
    with pytest.raises(LakeError, match=r"it has no accounts.*run persona identify first"):
        compute_features(rules, conf, AsOf(DAY + timedelta(days=1), 1))
    with pytest.raises(LakeError, match="no rows as of 2018-01-02"):
        profile_frame(rules, conf, DAY + timedelta(days=1))
    other = load_spec().model_copy(update={"windows": ("7d",), "derived": {}})
    with pytest.raises(UsageError, match="no part score: choose from scores, tags, segments"):
        profile_frame(rules, conf, DAY, ("score",))
    with pytest.raises(LakeError, match="computed by other definitions"):
        profile_frame(rules, conf_of(other), DAY)
