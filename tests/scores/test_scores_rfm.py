"""RFM against pandas, and the lifecycle stages by hand."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from profile_rows import demo_conf, small_conf, write_features
from pyspark.sql import functions as F

from persona_spark.projection import profile_frame
from persona_spark.schema import USER_SCORES
from persona_spark.scores.rfm import rfm
from persona_spark.scores.score import score, scores
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.config.scores import RfmSpec
    from persona_spark.lake.tables import Lake

DAY = date(2018, 1, 1)
COLUMNS = "user_id string, days_since_last_order int, order_count_365d bigint, net decimal(18,2), paid decimal(18,2)"
Buyer = tuple[str, int | None, int, Decimal, Decimal]


def spec() -> RfmSpec:
    return demo_conf().scores.rfm


def profiles(spark: SparkSession, buyers: Sequence[Buyer]) -> DataFrame:
    frame = spark.createDataFrame(buyers, COLUMNS)
    return frame.withColumnsRenamed({"net": "net_amount_365d", "paid": "paid_amount_365d"})


def found(frame: DataFrame) -> pd.DataFrame:
    rows = rfm(frame, spec()).collect()
    return pd.DataFrame([row.asDict() for row in rows]).set_index("user_id").sort_index()


def random_buyers(count: int, seed: int) -> list[Buyer]:
    """Few distinct values, so that many are equal; a fifth without orders, some with more returned than paid."""
    rng = random.Random(seed)
    buyers: list[Buyer] = []
    for number in range(count):
        orders = 0 if rng.random() < 0.2 else rng.choice([1, 1, 1, 2, 3, 5, 8])
        paid = Decimal(rng.choice([0, 1999, 1999, 5000, 12345, 99999])) / 100 * orders
        back = rng.choice([Decimal(0), Decimal(0), paid / 2, paid + 5]).quantize(Decimal("0.01"))
        buyers.append((f"u{number:03}", rng.randint(0, 40) if orders else rng.choice([None, 400]), orders, paid - back, paid))
    return buyers


def expected(buyers: list[Buyer]) -> pd.DataFrame:
    """Scores by pandas quantiles, user by user."""
    frame = pd.DataFrame(buyers, columns=["user_id", "recency", "frequency", "net", "gross"]).set_index("user_id")
    bought = frame[frame["frequency"] > 0]
    cuts = {
        name: bought[name].astype(float).quantile([0.2, 0.4, 0.6, 0.8]).tolist() if len(bought) else []
        for name in ("recency", "frequency", "net")
    }
    rows: list[dict[str, Any]] = []
    for user, row in frame.iterrows():
        if row["frequency"] == 0:
            rows.append({"user_id": user, "rfm_score": None, "rfm_segment": "no_purchase"})
            continue
        below = {name: sum(float(row[name]) > cut for cut in cuts[name]) for name in cuts}
        digits = (5 - below["recency"], 1 + below["frequency"], 1 + below["net"])
        segment = next(s.name for s in spec().segments if digits in s.cells)
        rows.append({"user_id": user, "rfm_score": "".join(map(str, digits)), "rfm_segment": segment})
    return pd.DataFrame(rows).set_index("user_id").sort_index()


@pytest.mark.parametrize(("count", "seed"), [(1, 1), (2, 2), (3, 3), (7, 4), (300, 5)])
def test_scores_equal_pandas(spark: SparkSession, count: int, seed: int) -> None:
    buyers = random_buyers(count, seed)
    result = found(profiles(spark, buyers))
    pd.testing.assert_frame_equal(result[["rfm_score", "rfm_segment"]], expected(buyers), check_dtype=False)


def test_equal_values_get_equal_scores_and_few_values_few_scores(spark: SparkSession) -> None:
    buyers = [(f"u{n}", 10, 1 if n < 9 else 4, Decimal(5), Decimal(5)) for n in range(10)]
    result = found(profiles(spark, buyers))
    assert set(result["rfm_recency_score"]) == {5}
    assert set(result["rfm_monetary_score"]) == {1}
    assert set(result["rfm_frequency_score"][:9]) == {1}
    assert result["rfm_frequency_score"]["u9"] == 5


def test_five_different_values_get_five_scores(spark: SparkSession) -> None:
    buyers = [(f"u{n}", 10 * n, n, Decimal(n), Decimal(n)) for n in range(1, 6)]
    assert list(found(profiles(spark, buyers))["rfm_score"]) == ["511", "422", "333", "244", "155"]


def test_money_is_net_of_returns_and_gross_stands_beside(spark: SparkSession) -> None:
    buyers = [("back", 3, 1, Decimal("-5.00"), Decimal("95.00")), ("kept", 3, 1, Decimal("50.00"), Decimal("50.00"))]
    result = found(profiles(spark, buyers))
    assert (result["rfm_monetary"]["back"], result["rfm_monetary_gross"]["back"]) == (Decimal("-5.00"), Decimal("95.00"))
    assert result["rfm_monetary_score"]["back"] < result["rfm_monetary_score"]["kept"]


def test_users_without_orders_in_the_window_have_stated_nulls(spark: SparkSession) -> None:
    result = found(profiles(spark, [("never", None, 0, Decimal(0), Decimal(0)), ("long_ago", 400, 0, Decimal(0), Decimal(0))]))
    assert set(result["rfm_segment"]) == {"no_purchase"}
    nullable = [name for name in result.columns if name.startswith("rfm_") and name != "rfm_segment"]
    assert result[nullable].isna().all(axis=None)


def test_every_cell_has_a_segment_by_precedence() -> None:
    for cell in product((1, 2, 3, 4, 5), repeat=3):
        assert any(cell in segment.cells for segment in spec().segments), cell
    assert next(segment.name for segment in spec().segments if (5, 5, 5) in segment.cells) == "champions"


def test_result_does_not_depend_on_partitioning_and_no_window_gathers_all_users(spark: SparkSession) -> None:
    frame = profiles(spark, random_buyers(300, 6)).cache()
    one = found(frame)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "7")
        other = found(frame.repartition(5, F.hash("user_id")).sortWithinPartitions(F.desc("paid_amount_365d")))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", str(before))
        frame.unpersist()
    pd.testing.assert_frame_equal(one, other)


def test_plan_has_no_window(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    rfm(profiles(spark, random_buyers(5, 1)), spec()).explain(mode="extended")
    plan = capsys.readouterr().out
    assert "Percentile" in plan or "percentile" in plan
    assert "Window" not in plan


def days(number: int) -> date:
    return DAY - timedelta(days=number)


def bought(first: int, last: int, ever: int, *recent: int) -> dict[str, Any]:
    """First and last order so many days ago; orders ever and within 30, 90 and 365 days."""
    counts = dict(zip(("order_count_30d", "order_count_90d", "order_count_365d"), recent, strict=True)) if recent else {}
    return {"first_order_date": days(first), "last_order_date": days(last), "order_count_lifetime": ever, **counts}


STAGES = {
    "prospect_no_events": ({}, "prospect"),
    "new_today": (bought(1, 1, 1, 1, 1, 1), "new"),
    "new_on_the_last_day": (bought(30, 2, 5, 5, 5, 5), "new"),
    "new_no_more": (bought(31, 2, 5, 5, 5, 5), "active"),
    "back_after_60_days": (bought(200, 3, 4, 1, 1, 4), "returning"),
    "back_but_bought_between": (bought(200, 3, 4, 1, 2, 4), "active"),
    "active_on_the_last_day": (bought(200, 60, 4, 0, 1, 4), "active"),
    "at_risk_from_61": (bought(200, 61, 4, 0, 1, 4), "at_risk"),
    "at_risk_until_120": (bought(200, 120, 4, 0, 0, 4), "at_risk"),
    "sleeping_from_121": (bought(200, 121, 4, 0, 0, 4), "sleeping"),
    "sleeping_until_365": (bought(500, 365, 4, 0, 0, 1), "sleeping"),
    "lost_from_366": (bought(500, 366, 4), "lost"),
}


def test_score_stage_writes_every_stage_once(lake: Lake) -> None:
    conf = small_conf()
    write_features(lake, conf, DAY, {user: stated for user, (stated, _) in STAGES.items()})
    for _ in range(2):
        assert score(lake, conf, AsOf(DAY, 1)).rows_out == len(STAGES)
    rows = lake.read(USER_SCORES).collect()
    assert {row.user_id: row.lifecycle_stage for row in rows} == {user: stage for user, (_, stage) in STAGES.items()}
    assert {stage for _, stage in STAGES.values()} == {stage.name for stage in conf.scores.lifecycle}
    recency = {row.user_id: row.rfm_recency_days for row in rows}
    assert (recency["sleeping_until_365"], recency["lost_from_366"]) == (365, None)


def test_first_stage_that_holds_wins(lake: Lake) -> None:
    """Both `new` and `active` hold; the order of the file decides."""
    conf = small_conf()
    write_features(lake, conf, DAY, {"u": bought(5, 5, 1, 1, 1, 1)})
    turned = conf.scores.model_copy(update={"lifecycle": (conf.scores.lifecycle[3], *conf.scores.lifecycle)})
    [row] = scores(profile_frame(lake, conf, AsOf(DAY, 1)), turned).collect()
    assert row.lifecycle_stage == "active"
