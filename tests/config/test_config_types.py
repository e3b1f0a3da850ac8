"""`persona check --types`: Spark analyses every expression alone, and tries odd values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf_edit import CONF, copied, edit, tag

from persona_spark.config.check import check_conf
from persona_spark.config.load import read_conf
from persona_spark.type_check import check_types

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pyspark.sql import SparkSession


def test_default_configuration_has_the_right_types_on_all_values(spark: SparkSession) -> None:
    assert check_types(spark, read_conf(CONF / "demo.yaml")) == []


def test_a_wrong_type_in_each_kind_is_found_at_once(spark: SparkSession, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    conf = copied(tmp_path)
    edit(
        conf,
        "features.yaml",
        {
            "measures.view_count.where": "quantity + 1",
            "measures.paid_amount.sum": "category",
            "measures.item_count.sum": "amount / 2",
            "derived.events_per_active_day.unit": "count",
            "preferences.platform.key": "attributes",
            "attributes.age.expr": "array_size(as_of)",
            "derived.night_share.expr": "preferred_city_{w}",
            "derived.return_rate.expr": "concat(preferred_category, '{w}')",
        },
    )
    edit(conf, "scores.yaml", {"lifecycle.1.when": "days_since_first_order <= as_of"})
    edit(
        conf,
        "tags.yaml",
        {
            "tags.senior.when": "coalesce(age, 0)",
            "tags.wrong": tag("array_contains(city, 'x')", "wrong"),
            "tags.raises": tag("city rlike '('", "raises"),
            "tags.hidden": tag("if(city = '', 0, city) > 5", "hidden"),
        },
    )
    edit(conf, "segments.yaml", {"features.0.expr": "city", "exclude": "coalesce(event_count_lifetime, 1)", "cards.traits.0.expr": "tags"})
    draft = read_conf(conf)
    before = [*draft.faults, *check_conf(draft, None)]
    found = {fault.key: str(fault) for fault in [*before, *check_types(spark, draft, before)]}
    expected = {
        "measures.view_count.where": "'quantity + 1' is not a condition (compare it with something)",
        "measures.paid_amount.sum": "'category' is string, not a number",
        "measures.item_count.sum": "not a whole number (round it",
        "derived.events_per_active_day.expr": "is double, not a whole number",
        "preferences.platform.key": "'attributes' is map<string,string>, not a single value",
        "attributes.age.expr": "Spark cannot analyse 'array_size(as_of)'",
        "derived.night_share.expr": "unknown column 'preferred_city_",
        "derived.return_rate.expr": "is string, not a number",
        "lifecycle.new.when": "Spark cannot analyse",
        "tags.senior.when": "is int, not a condition",
        "tags.wrong.when": "Spark cannot analyse",
        "tags.raises.when": "fails on some values",
        "tags.hidden.when": "fails on some values: [CAST_INVALID_INPUT]",
        "features.night_share.expr": "'city' is string, not a number",
        "exclude": "is bigint, not a condition",
        "cards.traits.gender.expr": "'tags' is array<string>, not a single value",
    }
    assert {key: found.get(key, "nothing") for key, part in expected.items() if part not in found.get(key, "")} == {}
    assert set(found) == set(expected)
    assert "Traceback" not in capfd.readouterr().err
