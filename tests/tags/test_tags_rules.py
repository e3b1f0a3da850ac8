"""Each tag at the edges of its thresholds, by rows made by hand; nulls; one pass."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from profile_rows import demo_conf, feature_rows
from pyspark.sql import functions as F

from persona_spark.projection import published
from persona_spark.tags.rules import evaluate, tags_held

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.lake.tables import Lake

DAY = date(2018, 1, 1)
Stated = dict[str, Any]


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def preferred(kind: str, key: str, percent: float) -> Stated:
    return {f"top_{kind}": [(key, round(percent * 100))], f"preferred_{kind}_total": 10_000}


def woman(age: int) -> Stated:
    return {"gender": "female", "birth_year": DAY.year - age}


def limits(tag: str, column: str) -> tuple[float, ...]:
    """The constants beside a column in a tag's condition: tags that find personas are tuned, their edges move."""
    found = re.search(rf"\b{column} (?:[<>]=?|between) ([\d.]+)(?: and ([\d.]+))?", demo_conf().tags.tags[tag].when)
    assert found, f"{tag} does not compare {column}"
    return tuple(float(text) for text in found.groups() if text)


def limit(tag: str, column: str) -> float:
    return limits(tag, column)[0]


def least(tag: str, column: str) -> int:
    return round(limit(tag, column))


def without(row: Stated, **changes: Any) -> Stated:
    return {**row, **changes}


def promotion() -> tuple[list[Stated], list[Stated]]:
    share, orders = limit("promotion_driven", "promotion_share_365d"), least("promotion_driven", "order_count_365d")
    edge = round(share * 10_000)
    row = {"paid_amount_minor_365d": 10_000, "promotion_paid_amount_minor_365d": edge, "order_count_365d": orders}
    return [row], [without(row, promotion_paid_amount_minor_365d=edge - 1), without(row, order_count_365d=orders - 1)]


def bargain() -> tuple[list[Stated], list[Stated]]:
    rate, share = limit("bargain_seeker", "discount_rate_365d"), limit("bargain_seeker", "promotion_share_365d")
    orders, discount = least("bargain_seeker", "order_count_365d"), round(rate * 10_000)
    paid = 10_000 - discount
    row = {"paid_amount_minor_365d": paid, "discount_amount_minor_365d": discount, "order_count_365d": orders}
    inside = without(row, promotion_paid_amount_minor_365d=round(share * paid) - 1)
    outside = without(row, promotion_paid_amount_minor_365d=round(share * paid) + 1)
    return [row, inside], [without(row, discount_amount_minor_365d=discount - 1), outside, without(row, order_count_365d=orders - 1)]


def quality() -> tuple[list[Stated], list[Stated]]:
    price, rate = least("quality_seeker", "average_item_price_365d"), limit("quality_seeker", "discount_rate_365d")
    orders, paid = least("quality_seeker", "order_count_365d"), price * 100 * 9
    row = {"paid_amount_minor_365d": paid, "paid_line_count_365d": 9, "order_count_365d": orders}
    discount = round(paid * rate / (1 - rate))
    inside, outside = without(row, discount_amount_minor_365d=discount - 1), without(row, discount_amount_minor_365d=discount + 1)
    return [row, inside], [outside, without(row, paid_amount_minor_365d=paid - 9), without(row, order_count_365d=orders - 1)]


def night() -> tuple[list[Stated], list[Stated]]:
    edge = round(limit("night_owl", "night_share_365d") * 1000)
    events, days = least("night_owl", "event_count_90d"), least("night_owl", "active_day_count_90d")
    row = {"night_count_365d": edge, "event_count_365d": 1000, "event_count_90d": events, "active_day_count_90d": days}
    return [row], [
        without(row, night_count_365d=edge - 1),
        without(row, event_count_90d=events - 1),
        without(row, active_day_count_90d=days - 1),
    ]


def gap(days: float) -> Stated:
    """Ten gaps of so many days on average."""
    return {"repurchase_gap_days_number": 10, "repurchase_gap_days_sum": round(10 * days)}


def staples() -> tuple[list[Stated], list[Stated]]:
    low, high = limits("monthly_staple_buyer", "repurchase_gap_days")
    orders = least("monthly_staple_buyer", "order_count_365d")
    percent = 100 * limit("monthly_staple_buyer", "preferred_category_share")
    row = {"order_count_365d": orders, **gap(low), **preferred("category", "groceries", percent)}
    return [row, without(row, **gap(high)), without(row, **preferred("category", "household", percent))], [
        without(row, order_count_365d=orders - 1),
        without(row, **gap(low - 0.1)),
        without(row, **gap(high + 0.1)),
        without(row, repurchase_gap_days_number=0),
        without(row, **preferred("category", "sports", percent)),
        without(row, **preferred("category", "groceries", percent - 0.01)),
    ]


def interest(tag: str, keys: tuple[str, ...], other: str, **more: Any) -> tuple[list[Stated], list[Stated]]:
    """Women of an age with a share of interest in a category."""
    (young, old), percent = limits(tag, "age"), 100 * limit(tag, "preferred_category_share")
    rows = [{**woman(round(age)), **preferred("category", key, percent), **more} for age in (young, old) for key in keys]
    return rows, [
        without(rows[0], birth_year=DAY.year - round(young) + 1),
        without(rows[0], birth_year=DAY.year - round(old) - 1),
        without(rows[0], gender="male"),
        without(rows[0], gender=None),
        without(rows[0], **preferred("category", other, percent)),
        without(rows[0], **preferred("category", keys[0], percent - 0.01)),
    ]


# tag -> (rows that hold it, rows that just do not)
EDGES: dict[str, tuple[list[Stated], list[Stated]]] = {
    "high_spender": ([{"paid_amount_minor_90d": 150_001}], [{"paid_amount_minor_90d": 150_000}]),
    "big_basket": (
        [{"order_amount_minor_365d": 90_000, "order_count_365d": 3}],
        [{"order_amount_minor_365d": 89_997, "order_count_365d": 3}, {"order_amount_minor_365d": 90_000, "order_count_365d": 2}],
    ),
    "small_basket_regular": (
        [{"order_amount_minor_90d": 29_994, "order_count_90d": 6}],
        [{"order_amount_minor_90d": 30_000, "order_count_90d": 6}, {"order_amount_minor_90d": 100, "order_count_90d": 5}],
    ),
    "frequent_buyer": ([{"order_count_90d": 6}], [{"order_count_90d": 5}]),
    "one_time_buyer": (
        [{"order_count_lifetime": 1, "last_order_date": ago(61)}],
        [{"order_count_lifetime": 1, "last_order_date": ago(60)}, {"order_count_lifetime": 2, "last_order_date": ago(61)}],
    ),
    "monthly_staple_buyer": staples(),
    "new_user": ([{"first_visit_date": ago(30)}], [{"first_visit_date": ago(31)}]),
    "sleeping": (
        [{"order_count_lifetime": 2, "last_visit_date": ago(91)}],
        [{"order_count_lifetime": 2, "last_visit_date": ago(90)}, {"order_count_lifetime": 1, "last_visit_date": ago(91)}],
    ),
    "high_value_at_risk": (
        [{"paid_amount_minor_365d": 300_000, "last_order_date": ago(61)}, {"paid_amount_minor_365d": 300_000, "last_order_date": ago(180)}],
        [
            {"paid_amount_minor_365d": 300_000, "returned_amount_minor_365d": 1, "last_order_date": ago(61)},
            {"paid_amount_minor_365d": 300_000, "last_order_date": ago(60)},
            {"paid_amount_minor_365d": 300_000, "last_order_date": ago(181)},
        ],
    ),
    "promotion_driven": promotion(),
    "bargain_seeker": bargain(),
    "quality_seeker": quality(),
    "full_price_buyer": (
        [{"paid_amount_minor_365d": 9_801, "discount_amount_minor_365d": 199, "order_count_365d": 5}],
        [
            {"paid_amount_minor_365d": 9_800, "discount_amount_minor_365d": 200, "order_count_365d": 5},
            {"paid_amount_minor_365d": 9_900, "order_count_365d": 4},
        ],
    ),
    "night_owl": night(),
    "early_bird": (
        [preferred("hour_band", "early_morning", 40)],
        [preferred("hour_band", "early_morning", 39), preferred("hour_band", "night", 90)],
    ),
    "weekend_shopper": (
        [preferred("weekday", "saturday", 40), preferred("weekday", "sunday", 100)],
        [preferred("weekday", "saturday", 39), preferred("weekday", "friday", 90)],
    ),
    "cart_abandoner": ([{"cart_count_30d": 3}], [{"cart_count_30d": 2}, {"cart_count_30d": 3, "pay_count_30d": 1}]),
    "window_shopper": ([{"view_count_30d": 30}], [{"view_count_30d": 29}, {"view_count_30d": 30, "pay_count_30d": 1}]),
    "hesitant_buyer": ([{"favourite_count_90d": 5}], [{"favourite_count_90d": 4}, {"favourite_count_90d": 5, "pay_count_90d": 1}]),
    "frequent_returner": (
        [{"return_count_365d": 3, "paid_line_count_365d": 10}],
        [{"return_count_365d": 2, "paid_line_count_365d": 10}, {"return_count_365d": 4, "paid_line_count_365d": 4}],
    ),
    "reviewer": ([{"review_count_365d": 3}], [{"review_count_365d": 2}]),
    "advocate": ([{"share_count_90d": 2, "invite_count_90d": 3}], [{"share_count_90d": 2, "invite_count_90d": 2}]),
    "service_heavy": ([{"service_count_90d": 3}], [{"service_count_90d": 2}]),
    "content_lover": ([{"content_view_count_30d": 20}], [{"content_view_count_30d": 19}]),
    "daily_visitor": ([{"active_day_count_30d": 20}], [{"active_day_count_30d": 19}]),
    "bot_suspect": (
        [{"event_count_365d": 1500, "active_day_count_365d": 10, "order_count_365d": 1}],
        [
            {"event_count_365d": 1499, "active_day_count_365d": 10},
            {"event_count_365d": 1500, "active_day_count_365d": 10, "order_count_365d": 2},
        ],
    ),
    "registered_never_bought": (
        [{"registered_date": ago(30)}],
        [{"registered_date": ago(29)}, {"registered_date": ago(30), "order_count_lifetime": 1}],
    ),
    "long_standing_member": ([{"registered_date": ago(730)}], [{"registered_date": ago(729)}]),
    "young_adult": ([woman(18), woman(25)], [woman(17), woman(26)]),
    "senior": ([woman(60), {"age_band": "65+"}], [woman(59), {"age_band": "55-64"}]),
    "family_with_children": ([{"kids_count": "1"}, {"kids_count": "3+"}], [{"kids_count": "0"}, {"kids_count": "None/Unknown"}]),
    "high_income": ([{"income_band": "100-124K"}, {"income_band": "250K+"}], [{"income_band": "75-99K"}]),
    "new_mother": interest("new_mother", ("baby",), "sports"),
    "young_sports_fashion_woman": interest("young_sports_fashion_woman", ("sports", "fashion"), "baby", order_count_365d=9),
    "category_devotee": (
        [{**preferred("category", "any", 60), "event_count_90d": 10}],
        [{**preferred("category", "any", 59), "event_count_90d": 10}, {**preferred("category", "any", 60), "event_count_90d": 9}],
    ),
    "brand_loyal": (
        [{**preferred("brand", "any", 50), "order_count_365d": 4}],
        [{**preferred("brand", "any", 49), "order_count_365d": 4}, {**preferred("brand", "any", 50), "order_count_365d": 3}],
    ),
    "omnivore": (
        [{**preferred("category", "any", 19), "order_count_365d": 10}],
        [{**preferred("category", "any", 20), "order_count_365d": 10}, {**preferred("category", "any", 19), "order_count_365d": 9}],
    ),
}
SCORED = {"came_back": ("lifecycle_stage", "returning", "active")}


def profiles(lake: Lake, users: dict[str, Stated]) -> DataFrame:
    conf = demo_conf()
    frame = published(feature_rows(lake, conf, DAY, users), conf.features)
    stage = F.when(F.col("user_id").startswith("came_back/yes"), "returning").otherwise("active")
    return frame.withColumn("lifecycle_stage", stage)


def test_every_tag_has_edges() -> None:
    assert set(EDGES) | set(SCORED) == set(demo_conf().tags.tags)


@pytest.fixture
def cases() -> dict[str, Stated]:
    rows = {
        f"{name}/{word}/{at}": row
        for name, sides in EDGES.items()
        for word, side in zip(("yes", "no"), sides, strict=True)
        for at, row in enumerate(side)
    }
    return {**rows, "came_back/yes/0": {}, "came_back/no/0": {}, "blank": {}}


def test_each_tag_holds_exactly_to_its_edges(lake: Lake, cases: dict[str, Stated]) -> None:
    rows = profiles(lake, cases).select("user_id", tags_held(demo_conf().tags).alias("tags")).collect()
    tags = {row.user_id: row.tags for row in rows}
    wrong = [user for user in cases if "/" in user and ((user.split("/")[0] in tags[user]) is not (user.split("/")[1] == "yes"))]
    assert wrong == []
    assert all(held == sorted(held) for held in tags.values())


def test_users_of_whom_nothing_is_known_hold_no_tag(lake: Lake) -> None:
    conf = demo_conf()
    frame = published(feature_rows(lake, conf, DAY, {"blank": {}}), conf.features)
    nulls = frame.select(*(F.lit(None).cast(kind).alias(name) for name, kind in frame.dtypes)).withColumn(
        "lifecycle_stage", F.lit(None).cast("string")
    )
    both = frame.withColumn("lifecycle_stage", F.lit("prospect")).unionByName(nulls)
    assert [row.tags for row in both.select(tags_held(conf.tags).alias("tags")).collect()] == [[], []]


def test_all_tags_in_one_pass_without_a_join(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(profiles(lake, {"blank": {}}), demo_conf().tags).explain(mode="extended")
    plan = capsys.readouterr().out.partition("== Physical Plan ==")[2]
    assert plan.count("Generate explode") == 1
    assert "Join" not in plan
    assert plan.count("Scan") == 1


def test_evaluate_gives_a_row_a_tag(spark: SparkSession, lake: Lake) -> None:
    rows = evaluate(
        profiles(lake, {"a": {"order_count_90d": 6, "order_amount_minor_90d": 90_000, "review_count_365d": 3}, "b": {}}), demo_conf().tags
    ).collect()
    assert sorted((row.as_of, row.user_id, row.tag) for row in rows) == [(DAY, "a", "frequent_buyer"), (DAY, "a", "reviewer")]
    assert spark is lake.spark
