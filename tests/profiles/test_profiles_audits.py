"""Each audit fails on the fault that it is for, and only that one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from profile_rows import small_conf
from pyspark.sql import functions as F
from release_inputs import FIRST, SECOND

from persona_spark.config.features import FeaturesSpec
from persona_spark.config.main import AuditConf
from persona_spark.lake.tables import Lake
from persona_spark.profiles.audits import audit
from persona_spark.profiles.tables import user_profile_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.config.load import Conf


@pytest.fixture
def lake(spark: SparkSession, published_once: Path) -> Lake:
    """A lake with one release; tests read it."""
    return Lake(spark, path=published_once)


def failed(lake: Lake, change: Callable[[DataFrame], DataFrame], conf: Conf | None = None) -> list[str]:
    """What fails when the release's rows are changed."""
    rows = change(lake.read(user_profile_table(small_conf())))
    audits, _ = audit(lake, conf or small_conf(), FIRST, rows)
    return [str(item) for item in audits if not item.passed]


def with_column(name: str, sql: str) -> Callable[[DataFrame], DataFrame]:
    return lambda rows: rows.withColumn(name, F.expr(sql))


def test_right_release_passes_all(lake: Lake) -> None:
    rows = lake.read(user_profile_table(small_conf()))
    audits, null_rates = audit(lake, small_conf(), FIRST, rows)
    assert [str(item) for item in audits if not item.passed] == []
    names = {item.name for item in audits}
    assert {"unique user_id", "users of identity", "amount paid in the events", "orders paid in the events"} <= names
    assert null_rates["gender"] == pytest.approx(2 / 3)
    assert "user_id" not in null_rates


CASES: list[tuple[Callable[[DataFrame], DataFrame], list[str]]] = [
    (
        lambda rows: rows.union(rows.where("user_id = 'cem'")),
        ["unique user_id: found 1, expected 0", "users of identity: found 4, expected 3"],
    ),
    (
        with_column("paid_amount_lifetime", "cast(paid_amount_lifetime + 0.01 as decimal(18,2))"),
        ["amount paid in the events: found 170.04, expected 170.01"],
    ),
    (with_column("order_count_lifetime", "order_count_lifetime + 1"), ["orders paid in the events: found 6, expected 3"]),
    (with_column("rfm_segment", "nullif(rfm_segment, 'no_purchase')"), ["nulls in rfm_segment: found 0.333"]),
    (with_column("lifecycle_stage", "if(user_id = 'ann', null, lifecycle_stage)"), ["nulls in lifecycle_stage: found 0.333"]),
    (with_column("event_count_30d", "event_count_30d - 1"), ["columns with negative values: found event_count_30d, expected none"]),
    (with_column("tags", "array('brand_new')"), ["users whose tags are unknown or unsorted: found 3, expected 0"]),
    (with_column("tags", "reverse(tags)"), ["users whose tags are unknown or unsorted: found 1, expected 0"]),
    (with_column("segment_id", "cast(null as int)"), ["users in segments of 2017-12-31-model: found 0, expected at least 1"]),
]


@pytest.mark.parametrize(("change", "messages"), CASES)
def test_fault_is_found(lake: Lake, change: Callable[[DataFrame], DataFrame], messages: list[str]) -> None:
    found = failed(lake, change)
    assert len(found) == len(messages)
    assert all(line.startswith(start) for line, start in zip(found, messages, strict=True)), found


def test_money_may_be_negative_after_returns(lake: Lake) -> None:
    assert failed(lake, with_column("net_amount_lifetime", "cast(-5 as decimal(18,2))")) == []


def test_limits_of_the_configuration(lake: Lake) -> None:
    conf = small_conf()
    limits = AuditConf(largest_null_rate={"gender": 0.5, "segment_id": 0.4})
    strict = replace(conf, main=conf.main.model_copy(update={"audits": limits}))
    assert failed(lake, lambda rows: rows, strict) == ["null rate of gender: found 0.6667, expected at most 0.5000"]


def test_release_with_far_fewer_users_than_the_serving_one(lake: Lake) -> None:
    rows = lake.read(user_profile_table(small_conf())).where("user_id = 'ann'")
    audits, _ = audit(lake, small_conf(), SECOND, rows)
    [drop] = [item for item in audits if item.name.startswith("share of users fewer than in 20180101-")]
    assert (drop.passed, drop.found, drop.expected) == (False, "0.6667", "at most 0.1000")
    older = replace_day(FIRST)
    assert not [item for item in audit(lake, small_conf(), older, rows)[0] if item.name.startswith("share of users")]


def replace_day(as_of: Any) -> Any:
    return replace(as_of, date=as_of.date.replace(year=2017))


def test_totals_follow_the_definitions(lake: Lake) -> None:
    """A shop that leaves small payments out of `paid_amount` still reconciles."""
    conf = small_conf()
    content = conf.features.model_dump(mode="json")
    measures = content["measures"]
    small = {**measures["paid_amount"], "where": "event_type = 'pay' and amount > 1"}
    orders = {**measures["order_count"], "where": "event_type = 'pay' and amount > 60"}
    features = FeaturesSpec.model_validate({**content, "measures": {**measures, "paid_amount": small, "order_count": orders}})
    found = failed(lake, lambda rows: rows, replace(conf, features=features))
    assert found == ["amount paid in the events: found 170.01, expected 170.00", "orders paid in the events: found 3, expected 1"]
