"""One user a rule: window edges, orders paid twice, shared days, empty users, ties, clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from feature_history import Event, Version, at, conf_of, load_spec, write_history, write_identity

from persona_spark import projection
from persona_spark.errors import LakeError, UsageError
from persona_spark.features.compute import compute_features
from persona_spark.lake import day_state
from persona_spark.lake.memory import MemoryLake
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
    "whole_orders": [
        Event("n:whole_orders", "pay", before(91), order="n:w1", amount=Decimal("10.00")),
        Event("n:whole_orders_b", "pay", before(40), order="n:w1", amount=Decimal("500.00")),
        Event("n:whole_orders", "pay", before(40), order="n:w2", amount=Decimal("10.00")),
        Event("n:whole_orders", "pay", before(2), order="n:w2", amount=Decimal("30.00")),
        Event("n:whole_orders", "pay", before(5), order="n:w3", amount=Decimal("20.00")),
        Event("n:whole_orders", "return", before(1), order="n:w3", amount=Decimal("20.00")),
    ],
    "sessions": [
        Event("n:sessions", "view", before(31, 23, 59), session="n:late"),
        Event("n:sessions_b", "view", before(30, 0, 1), session="n:late"),
        Event("n:sessions", "view", before(3, 10), session="n:long"),
        Event("n:sessions", "cart", before(3, 10, 6), session="n:long"),
    ],
    "streaks": [Event("n:streaks", "view", before(back)) for back in (10, 9, 9, 8, 5, 2, 1)],
    "trend": [Event("n:trend", "view", before(back)) for back in (1, 30, 31, 60, 61)],
    "prices": [
        Event("n:prices", "view", before(3), price=Decimal("9.99")),
        Event("n:prices", "view", before(3), price=Decimal("10.00")),
        Event("n:prices", "view", before(3), price=Decimal("49.99")),
        Event("n:prices", "view", before(3)),
        Event("n:prices", "pay", before(3), amount=Decimal("600.00"), quantity=2),
    ],
    "touches": [
        Event("n:touches", "follow", before(9), platform="app", category="soap"),
        Event("n:touches", "view", before(5, 8), platform="mini", category="tea", channel="web"),
        Event("n:touches_b", "view", before(5, 8), platform="app", category="rice"),
        Event("n:touches", "search", before(4, 9), platform="shop"),
        Event("n:touches", "return", before(4, 10), platform="mini", category="soap"),
    ],
    "within": [
        Event("n:within", "pay", before(back), order=f"n:p{back}", amount=Decimal("1.00"), category=category)
        for back, category in ((40, "tea"), (39, "rice"), (30, "tea"), (30, "tea"), (10, "tea"))
    ],
    "season": [
        Event("n:season", "pay", at(date(2017, 11, 11), 23, 59), order="n:d1", amount=Decimal("30.00")),
        Event("n:season", "pay", at(date(2017, 11, 12), 0, 0), order="n:d2", amount=Decimal("10.00")),
    ],
    "presale": [
        Event("n:presale", "pay", before(31), order="n:p1", amount=Decimal(10), quantity=1, category="tea"),
        Event("n:presale", "pay", before(20), order="n:p1", amount=Decimal(90), quantity=0, category="tea"),
        Event("n:presale", "pay", before(5), order="n:p2", amount=Decimal(50), quantity=2, category="tea"),
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
    lake = MemoryLake(Lake(spark, path=tmp_path_factory.mktemp("rules")))
    write_history(lake, [event for events in HISTORY.values() for event in events], VERSIONS)
    owners = {f"n:{user}{letter}": user for user in HISTORY for letter in ("", "_b")}
    write_identity(lake, owners, DAY, 1)
    tile(lake, conf_of(load_spec()), AsOf(DAY, 1))
    compute_features(lake, conf_of(load_spec()), AsOf(DAY, 1))
    return lake


@pytest.fixture(scope="module")
def users(rules: Lake) -> dict[str, dict[str, Any]]:
    return {row.user_id: row.asDict() for row in profile_frame(rules, conf_of(load_spec()), AsOf(DAY, 1)).collect()}


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


def test_a_line_paid_in_two_parts_counts_once_and_its_second_payment_is_no_repurchase(users: dict[str, dict[str, Any]]) -> None:
    user = users["presale"]
    assert [user[f"{name}_lifetime"] for name in ("pay_count", "paid_line_count", "item_count", "order_count")] == [3, 2, 3, 2]
    assert (user["paid_amount_30d"], user["order_amount_30d"], user["average_order_value_30d"]) == tuple(map(Decimal, ("140", "50", "50")))
    assert (user["order_amount_90d"], user["largest_order_amount_90d"], user["average_order_value_90d"]) == tuple(
        map(Decimal, ("150", "100", "75"))
    )
    assert (user["category_gap_days"], user["repurchase_gap_days"]) == (26.0, 26.0)


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
    for made in (day_state.SCORES, day_state.TAGS, day_state.SEGMENTS):
        day_state.end_day(rules, made, conf, AsOf(DAY, 1))
    frame = profile_frame(rules, conf, AsOf(DAY, 1), ("scores", "tags", "segments"))
    found = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    base = {column.name: column.type for column in load_spec().profile_columns()}
    assert list(found)[: len(base)] == list(base)
    assert {name: found[name] for name in base} == base
    assert (found["paid_amount_90d"], found["average_order_value_90d"], found["night_share_7d"]) == (MONEY, MONEY, "double")
    assert set(found) - set(base) == {*USER_SCORES.names, "tags", "segment_id", "segment_name", "distance"} - {"as_of", "user_id"}
    tags = rules.spark.sql(f"SELECT DATE'{DAY}' AS as_of, 'gap' AS user_id, explode(array('z', 'b')) AS tag")
    rules.replace_where(tags, USER_TAGS, f"as_of = DATE'{DAY}'")
    rows = {row.user_id: row.tags for row in profile_frame(rules, conf, AsOf(DAY, 1), ("tags",)).select("user_id", "tags").collect()}
    assert (rows["gap"], rows["empty"], len(rows)) == (["b", "z"], [], len(HISTORY))


def test_stale_tiles_identity_and_features_are_refused(rules: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = conf_of(load_spec())
    with pytest.raises(LakeError, match=r"they hold ingest 1.*run persona tile first"):
        compute_features(rules, conf, AsOf(DAY, 2))
    with pytest.raises(LakeError, match=r"as of 2018-01-02 has no accounts: choose a later day"):
        compute_features(rules, conf, AsOf(DAY + timedelta(days=1), 1))
    with pytest.raises(LakeError, match="no rows as of 2018-01-02"):
        profile_frame(rules, conf, AsOf(DAY + timedelta(days=1), 1))
    with pytest.raises(LakeError, match=r"knows ingest 1, not 2: run persona features --as-of 2018-01-01 first"):
        profile_frame(rules, conf, AsOf(DAY, 2))
    other = load_spec().model_copy(update={"windows": ("7d",), "derived": {}})
    with pytest.raises(UsageError, match="no part score: choose from scores, tags, segments"):
        profile_frame(rules, conf, AsOf(DAY, 1), ("score",))
    with pytest.raises(LakeError, match="computed by other definitions"):
        profile_frame(rules, conf_of(other), AsOf(DAY, 1))
    day_state.begin_day(rules, day_state.IDENTITIES, DAY)
    with pytest.raises(LakeError, match=r"identity as of 2018-01-01 was made by a run that did not end: run persona identify first"):
        compute_features(rules, conf, AsOf(DAY, 1))
    day_state.end_day(rules, day_state.IDENTITIES, conf, AsOf(DAY, 1))
    monkeypatch.setattr(projection, "code_version", lambda *_: "of tomorrow")
    with pytest.raises(LakeError, match=r"other code than those in use: run persona features --as-of 2018-01-01 first"):
        profile_frame(rules, conf, AsOf(DAY, 1))


def test_an_order_is_worth_all_its_payments_and_counts_on_the_first(users: dict[str, dict[str, Any]]) -> None:
    user = users["whole_orders"]
    assert [user[f"largest_order_amount_{window}"] for window in ("90d", "365d")] == [Decimal("40.00"), Decimal("510.00")]
    assert (user["order_amount_spread_90d"], user["order_count_90d"]) == (Decimal("10.00"), 2)
    assert user["paid_amount_90d"] == Decimal("560.00")
    assert (users["empty"]["order_amount_spread_90d"], users["empty"]["largest_order_amount_90d"]) == (None, Decimal("0.00"))
    assert users["gap"]["order_amount_spread_365d"] == Decimal("0.00")


def test_a_session_lasts_from_its_first_to_its_last_event_and_counts_on_the_first_day(users: dict[str, dict[str, Any]]) -> None:
    user = users["sessions"]
    assert [user[f"session_seconds_{window}"] for window in ("30d", "365d")] == [360, 480]
    assert (user["session_count_30d"], user["average_session_seconds_365d"]) == (1, 240.0)


def test_runs_of_days_count_each_day_once(users: dict[str, dict[str, Any]]) -> None:
    names = ("longest_streak_days", "last_streak_days", "current_streak_days")
    assert [users["streaks"][name] for name in names] == [3, 2, 2]
    assert [users["edges"][name] for name in names] == [2, 1, 1]
    assert [users["tie"][name] for name in names] == [1, 1, 0]
    assert [users["empty"][name] for name in names] == [0, 0, 0]


def test_a_window_before_a_window_has_its_own_edges(users: dict[str, dict[str, Any]]) -> None:
    user = users["trend"]
    assert (user["view_count_30d"], user["view_count_prev_30d"], user["view_trend_30d"]) == (2, 2, 1.0)
    assert (user["view_count_90d"], user["view_count_prev_90d"], user["view_trend_90d"]) == (5, 0, None)


def test_price_bands_hold_their_least_price_and_tell_bought_from_viewed(users: dict[str, dict[str, Any]]) -> None:
    user = users["prices"]
    assert (user["preferred_viewed_price_band"], user["preferred_bought_price_band"]) == ("from_10", "from_300")
    assert [(key, round(share, 6)) for key, share, _ in user["top_viewed_price_band"]] == [("from_10", 0.666667), ("below_10", 0.333333)]
    assert (user["average_viewed_price_30d"], user["viewed_price_count_30d"]) == (Decimal("23.33"), 3)
    assert user["bought_to_viewed_price_30d"] == pytest.approx(300 / (69.98 / 3))


def test_touches_are_events_that_count_and_ties_go_to_the_smaller_key(users: dict[str, dict[str, Any]]) -> None:
    user = users["touches"]
    assert (user["first_platform"], user["last_platform"]) == ("app", "shop")
    assert (user["first_category"], user["last_category"]) == ("rice", "soap")
    assert (user["first_channel"], user["last_channel"]) == ("web", "web")
    assert users["empty"]["first_platform"] is None


def test_shares_confidence_and_diversity(users: dict[str, dict[str, Any]]) -> None:
    user = users["touches"]
    assert [(key.key, key.share) for key in user["top_category"]] == [("rice", 0.5), ("tea", 0.5)]
    assert (user["category_count"], user["category_diversity"]) == (2, pytest.approx(1.0, abs=1e-9))
    # Wilson's lower end for 1 of 2: (1/2 + z2/4 - z sqrt(1/8 + z2/16)) / (1 + z2/2), z = 1.96.
    assert user["preferred_category_confidence"] == pytest.approx(0.0945, abs=1e-4)
    assert [key.confidence for key in user["top_category"]] == [user["preferred_category_confidence"]] * 2
    assert (users["empty"]["category_count"], users["empty"]["category_diversity"], users["empty"]["top_category"]) == (0, None, None)


def test_gaps_have_a_spread_and_are_told_within_the_preferred_category(users: dict[str, dict[str, Any]]) -> None:
    gap = users["gap"]
    assert (gap["repurchase_gap_days_spread"], gap["repurchase_irregularity"]) == (7.5, 0.6)
    assert gap["expected_order_date"] == DAY + timedelta(days=8)
    within = users["within"]
    assert (within["preferred_category"], within["category_gap_days"], within["category_gap_days_spread"]) == ("tea", 15.0, 5.0)
    assert (within["repurchase_gap_days"], gap["category_gap_days"]) == (10.0, None)


def test_the_calendar_goes_by_local_days(users: dict[str, dict[str, Any]]) -> None:
    assert users["season"]["paid_amount_in_1111_365d"] == Decimal("30.00")
    assert users["season"]["share_in_1111_365d"] == 0.75
