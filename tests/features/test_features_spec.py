from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from feature_history import CONF, load_spec

from persona_spark.config.base import load_model
from persona_spark.config.features import FeaturesSpec
from persona_spark.config.features_doc import features_markdown
from persona_spark.errors import ConfigError
from persona_spark.features.preferences import UNIT, decay_table
from persona_spark.schema import EVENT_TYPES, MONEY

if TYPE_CHECKING:
    from pathlib import Path

LABEL = {"en": "a", "zh": "b"}


def text_of(changes: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((CONF / "features.yaml").read_text(encoding="utf-8"))
    for path, value in changes.items():
        *parents, last = path.split(".")
        target: Any = content
        for parent in parents:
            target = target[parent]
        target[last] = value
    return content


def faults(tmp_path: Path, changes: dict[str, Any]) -> list[str]:
    path = tmp_path / "features.yaml"
    path.write_text(yaml.safe_dump(text_of(changes)), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_model(FeaturesSpec, path)
    return [f"{fault.key}: {fault.message}" for fault in caught.value.faults]


def test_names_are_computed() -> None:
    columns = {column.name: column.type for column in load_spec().profile_columns()}
    for kind in EVENT_TYPES:
        assert f"{kind}_count_30d" in columns
    for measure in ("paid_amount", "returned_amount", "net_amount", "discount_amount", "promotion_paid_amount", "average_order_value"):
        assert columns[f"{measure}_lifetime"] == MONEY
    for share in ("night_share", "promotion_share", "cart_to_pay_rate"):
        assert columns[f"{share}_7d"] == "double"
    for name in ("days_since_first_visit", "days_since_last_order", "days_since_registration", "age"):
        assert columns[name] == "int"
    assert {"preferred_weekday", "preferred_platform_share", "repurchase_gap_days", "placed_order_count_365d"} <= set(columns)


def test_a_new_measure_gets_every_window() -> None:
    spec = FeaturesSpec.model_validate(text_of({"measures.live_count": {"count": True, "where": "channel = 'live'", "label": LABEL}}))
    old = {column.name for column in load_spec().profile_columns()}
    new = [column.name for column in spec.profile_columns() if column.name not in old]
    assert new == [f"live_count_{window}" for window in ("7d", "30d", "90d", "365d", "lifetime")]
    assert spec.tile_digest() != load_spec().tile_digest()


def test_words_and_windows_do_not_change_the_tiles() -> None:
    spec = load_spec()
    other = FeaturesSpec.model_validate(
        text_of({"owner": "crm", "windows": ["7d", "14d", "30d", "90d", "365d", "lifetime"], "measures.view_count.label": LABEL})
    )
    assert other.tile_digest() == spec.tile_digest()
    assert other.value_digest() != spec.value_digest()
    assert FeaturesSpec.model_validate(text_of({"measures.view_count.label": LABEL})).value_digest() == spec.value_digest()


@pytest.mark.parametrize(
    ("section", "first", "second"), [("preferences", "price_band", "viewed_price_band"), ("measures", "view_count", "cart_count")]
)
def test_another_order_makes_tiles_anew_since_columns_are_named_after_the_first(section: str, first: str, second: str) -> None:
    """What several entries share in a tile is stored once, by the name of the first of them."""
    text = text_of({})
    entries = list(text[section].items())
    places = [[name for name, _ in entries].index(name) for name in (first, second)]
    entries[places[0]], entries[places[1]] = entries[places[1]], entries[places[0]]
    other = FeaturesSpec.model_validate({**text, section: dict(entries)})
    assert other.tile_digest() != load_spec().tile_digest()
    assert other.value_digest() == load_spec().value_digest()


def test_ages_are_when_a_day_enters_and_leaves() -> None:
    ages = {feature.column.name: feature.ages for feature in load_spec().feature_columns()}
    assert (ages["paid_amount_30d"], ages["paid_amount_lifetime"]) == ((1, 31), (1,))
    assert (ages["average_order_value_90d"], ages["preferred_category"], ages["last_visit_date"]) == ((1, 91), (1,), (1,))


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        {
            "windows": ["7d", "30d", "90d", "365d", "lifetime"],
            "measures.x_count": {"count": True, "where": "rand() > amont", "label": LABEL},
            "measures.y_count": {"cuont": True, "label": LABEL},
            "measures.z": {"count": True, "unit": "money", "label": LABEL},
            "derived.net_amount.expr": "paid_amount_60d - 1",
            "dates.last_order_date.last": "paid_amount",
            "attributes.paid_amount_7d": {"label": LABEL},
            "attributes.age.expr": "year(current_date()) - birth_year",
            "hour_bands.night": [22, 4],
            "preferences.brand.weights": {"buy": 1},
        },
    )
    for part in (
        "measures.x_count.where: function rand is not allowed",
        "measures.y_count.cuont: is not a known key",
        "measures.z.unit: what is counted has the unit count",
        "derived.net_amount.expr: unknown column 'paid_amount_60d'",
        "dates.last_order_date: 'paid_amount' is not a distinct measure",
        "measures.paid_amount: column paid_amount_7d is made by attributes.paid_amount_7d too",
        "attributes.age.expr: function current_date is not allowed",
        "hour_bands: no band holds hour 4",
        "hour_bands.night: hour 22 is in band evening too",
        "preferences.brand.weights.buy: is not an event type",
    ):
        assert any(line.startswith(part) for line in found), (part, found)
    assert len(found) == 10


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"windows": ["7d", "month"]}, "windows.1: window 'month' is not understood"),
        ({"windows": ["7d", "7d"]}, "windows: window 7d stands 2 times"),
        ({"measures.x": {"count": True, "where": "amont > 1", "label": LABEL}}, "measures.x.where: unknown column 'amont'"),
        ({"measures.x": {"label": LABEL}}, "measures.x: give exactly one of count"),
        ({"measures.Night": {"count": True, "label": LABEL}}, "measures.Night: a name is small letters"),
        ({"measures.rfm": {"count": True, "where": "rank() over () = 1", "label": LABEL}}, "measures.rfm.where"),
        ({"attributes.rfm_score": {"label": LABEL}}, "attributes.rfm_score: column rfm_score is a name of the profile's own"),
        ({"gaps.repurchase_gap_days.between": "orders"}, "gaps.repurchase_gap_days: 'orders' is not a distinct measure"),
        (
            {"attributes.code": {"label": LABEL}},
            "columns: table user_features would have more than one column code: rename what makes one of them",
        ),
        ({"attributes.category_logs": {"label": LABEL}}, "columns: table user_features would have more than one column category_logs"),
        ({"attributes.place": {"label": LABEL}}, "attributes.place: the engine has a column of this name"),
        ({"attributes.user_number": {"label": LABEL}}, "attributes.user_number: column user_number is a name of the profile's own"),
        (
            {"preferences.event_type": {"key": "event_type", "weights": {"view": 1}, "half_life_days": 30, "label": LABEL}},
            "preferences.event_type: the engine has",
        ),
        ({"measures.first_seq": {"count": True, "label": LABEL}}, "columns: table account_day would have more than one column first_seq"),
        ({"preferences.brand.key": "max(brand)"}, "preferences.brand.key: function max is not allowed"),
        ({"preferences.brand.weights": {"return": -1}}, "preferences.brand.weights: no weight is above 0"),
        ({"measures.x": {"count": True, "label": {"en": "", "zh": "一"}}}, "measures.x.label.en"),
        ({"derived.net_amount.expr": "paid_amount_{x}"}, "derived.net_amount.expr: {x} stands for nothing: {w} stands for each window"),
        ({"derived.net_amount.expr": "return_rate_{w} * 2"}, "derived.net_amount.expr: return_rate is derived itself"),
        (
            {"derived.net_amount.expr": "paid_amount_{w} and"},
            "derived.net_amount.expr: is not valid SQL: Required keyword: 'expression' missing for AND",
        ),
    ],
)
def test_each_mistake_names_its_place(tmp_path: Path, changes: dict[str, Any], part: str) -> None:
    found = faults(tmp_path, changes)
    assert any(line.startswith(part) for line in found), found


def test_a_wrong_window_hides_nothing_but_columns_that_may_be_its_own(tmp_path: Path) -> None:
    wrong = {"windows": ["7d", "month"], "attributes.rfm_score": {"label": LABEL}, "derived.net_amount.expr": "paid_amount_90d - rand()"}
    found = faults(tmp_path, wrong)
    places = ["attributes.rfm_score", "derived.net_amount.expr", "windows.1"]
    assert [next(place for place in places if f" {place}: " in f" {line}") for line in found] == places


def test_a_column_that_is_wrong_in_every_window_is_told_once(tmp_path: Path) -> None:
    [only] = faults(tmp_path, {"derived.net_amount.expr": "paid_amout_{w} * 2"})
    assert "unknown column 'paid_amout_7d'" in only


def test_decay_halves_exactly() -> None:
    table = decay_table(load_spec().preferences["category"])
    assert (table[0], table[30], table[60], len(table)) == (UNIT, UNIT // 2, UNIT // 4, 241)
    assert table == sorted(table, reverse=True)


def test_the_committed_page_is_up_to_date(tmp_path: Path) -> None:
    page = CONF.parent / "docs" / "features.md"
    assert page.read_text(encoding="utf-8") == features_markdown(load_spec())
    written = tmp_path / "features.md"
    command = [sys.executable, "-m", "persona_spark.config.features_doc", str(CONF / "features.yaml"), str(written)]
    subprocess.run(command, check=True, cwd=CONF.parent)
    assert written.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")


def test_comments_state_unit_and_null() -> None:
    column = next(column for column in load_spec().profile_columns() if column.name == "average_order_value_90d")
    assert column.comment == "Average amount of a paid order, last 90 days (money); null when there was no paid order."
