"""`persona check`: every mistake of every file at once, each with file, key and what to do."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from conf_edit import CONF, copied, edit, tag

from persona_spark.cli import main as cli
from persona_spark.config.check import checked_conf
from persona_spark.config.load import load_conf
from persona_spark.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 24)
ORDERS = "order_count_90d >= 6"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    main: Path = copied(tmp_path)
    return main


def faults(conf: Path, today: date | None = TODAY) -> list[str]:
    """Each fault as `file: key: message (hint)`, with the file's name only."""
    with pytest.raises(ConfigError) as caught:
        checked_conf(conf, today)
    assert all(fault.file.startswith(str(conf.parent)) for fault in caught.value.faults)
    return [str(fault).removeprefix(f"{conf.parent}/") for fault in caught.value.faults]


def the_fault(conf: Path, name: str, changes: dict[str, Any]) -> str:
    edit(conf, name, changes)
    [only] = faults(conf)
    return only


@pytest.mark.parametrize("name", ["demo.yaml", "simulator.yaml", "persona.yaml"])
def test_default_configurations_have_no_mistakes(name: str) -> None:
    assert len(checked_conf(CONF / name, TODAY).tags.tags) >= 25


def test_tags_are_of_all_kinds_and_complete() -> None:
    tags = load_conf(CONF / "demo.yaml").tags.tags.values()
    assert {item.kind for item in tags} == {"attribute", "behaviour", "interest"}
    assert all(item.label.en and item.label.zh and item.action and item.owner for item in tags)


def test_all_faults_of_all_files_are_told_at_once(conf: Path) -> None:
    edit(conf, "demo.yaml", {"lake.zon": "x", "audits": {"largest_null_rate": {"agee": 0.5}}})
    edit(
        conf,
        "tags.yaml",
        {
            "tags.a_unknown": tag("paid_amout_90d > 1", "one"),
            "tags.b_forbidden": tag("reflect('java.lang.System', 'exit', 1)", "two"),
            "tags.c_clash": tag("age < 18 and age > 60", "three"),
            "tags.d_same": tag("6 <= order_count_90d", "four"),
            "tags.e_overdue": tag("age > 99", "five", review_by="2026-11-23"),
            "tags.f_incomplete": {"kind": "mood", "when": "age > 98"},
            "tags.g_value": tag("paid_amount_90d / 3", "six"),
            "tags.h_stage": tag("lifecycle_stage = 'actve'", "seven"),
            "tags.i_text": tag("kids_count >= 2", "eight"),
        },
    )
    edit(conf, "scores.yaml", {"rfm.window": "60d", "lifecycle.1.when": "days_since_order <= 30"})
    edit(conf, "features.yaml", {"measures.view_count.where": "event_typ = 'view'", "derived.net_amount.expr": "rand() * paid_amount_{w}"})
    edit(
        conf,
        "segments.yaml",
        {"features.0.expr": "night_shar_365d", "features.1.expr": "now()", "exclude": "array_contains(tags, 'bot_suspct')"},
    )
    edit(conf, "sources/complete_journey_items.yaml", {"target": "thing"})
    found = faults(conf)
    expected = [
        "demo.yaml: audits.largest_null_rate.agee: unknown column (did you mean age",
        "demo.yaml: lake.zon: is not a known key (did you mean zone?",
        "features.yaml: derived.net_amount.expr: function rand is not allowed",
        "features.yaml: measures.view_count.where: unknown column 'event_typ' (did you mean event_type",
        "scores.yaml: lifecycle.new.when: unknown column 'days_since_order' (did you mean days_since_",
        "scores.yaml: rfm.window: needs column net_amount_60d for monetary (choose a window of features.yaml)",
        "segments.yaml: exclude: 'bot_suspct' is no value of tags (did you mean bot_suspect?)",
        "segments.yaml: features.night_share.expr: unknown column 'night_shar_365d' (did you mean night_share_365d",
        "segments.yaml: features.1.expr: expression 'now()': function now is not allowed",
        "sources/complete_journey_items.yaml: target: input should be 'events', 'accounts' or 'items' (found 'thing')",
        "tags.yaml: tags.a_unknown.when: unknown column 'paid_amout_90d' (did you mean paid_amount_90d",
        "tags.yaml: tags.b_forbidden.when: \"reflect('java.lang.System', 'exit', 1)\": function reflect is not allowed (it calls Java)",
        "tags.yaml: tags.c_clash.when: no value satisfies 'age < 18 AND age > 60' (two of its comparisons exclude each other)",
        "tags.yaml: tags.d_same.when: means the same as tags.frequent_buyer (remove one of them",
        "tags.yaml: tags.e_overdue.review_by: the review was due by 2026-11-23 (crm reviews the tag and sets a new day)",
        "tags.yaml: tags.f_incomplete.action: is missing (add it)",
        "tags.yaml: tags.f_incomplete.kind: input should be 'attribute', 'behaviour' or 'interest' (found 'mood')",
        "tags.yaml: tags.g_value.when: 'paid_amount_90d / 3' is not a condition (compare it with something)",
        "tags.yaml: tags.h_stage.when: 'actve' is no value of lifecycle_stage (did you mean active?)",
        "tags.yaml: tags.i_text.when: column kids_count is text but stands beside 2",
    ]
    missing = [start for start in expected if not any(line.startswith(start) for line in found)]
    assert missing == [], "\n".join(found)
    assert len(found) == 25  # two more of rfm.window, three more of f_incomplete; nothing that follows from another mistake


def test_measures_are_held_to_words_types_and_contradictions(conf: Path) -> None:
    edit(
        conf,
        "features.yaml",
        {
            "measures.view_count.where": "event_type = 'vieww'",
            "measures.click_count.where": "event_type = 'click' and event_type = 'view'",
            "measures.search_count.where": "length(text) + 1",
            "measures.item_count.sum": "category + 1",
            "measures.discount_amount.unit": "pieces",
        },
    )
    excluded = "two of its comparisons exclude each other"
    assert faults(conf) == [
        f"features.yaml: measures.click_count.where: no value satisfies \"event_type = 'click' AND event_type = 'view'\" ({excluded})",
        "features.yaml: measures.discount_amount.unit: discount is money, whose cents the unit pieces would cut off (write unit: money)",
        "features.yaml: measures.item_count.sum: column category is text but is calculated with: write try_cast(category as int)",
        "features.yaml: measures.search_count.where: 'length(text) + 1' is not a condition (compare it with something)",
        "features.yaml: measures.view_count.where: 'vieww' is no value of event_type (did you mean view or review?)",
    ]


def test_reviews_are_overdue_only_after_the_day(conf: Path) -> None:
    edit(conf, "tags.yaml", {"tags.senior.review_by": "2026-11-24"})
    checked_conf(conf, TODAY)
    checked_conf(conf, None)
    assert "tags.senior.review_by" in faults(conf, date(2026, 11, 25))[0]


def test_impossible_alternative_of_an_or_is_told(conf: Path) -> None:
    found = the_fault(conf, "tags.yaml", {"tags.senior.when": "(age >= 60 and age < 50) or age_band = '65+'"})
    assert found.startswith("tags.yaml: tags.senior.when: no value satisfies 'age >= 60 AND age < 50'")


def test_types_of_columns_matter_for_contradictions(conf: Path) -> None:
    assert "no value satisfies" in the_fault(conf, "tags.yaml", {"tags.new_user.when": "order_count_30d > 3 and order_count_30d < 4"})


def test_lifecycle_rules_are_checked_too(conf: Path) -> None:
    edit(conf, "scores.yaml", {"lifecycle.3.when": "days_since_last_order <= 60 and days_since_last_order > 90"})
    edit(conf, "scores.yaml", {"lifecycle.5.when": "120 >= days_since_last_order"})
    assert [line.split(" (")[0] for line in faults(conf)] == [
        "scores.yaml: lifecycle.active.when: no value satisfies 'days_since_last_order <= 60 AND days_since_last_order > 90'",
        "scores.yaml: lifecycle.sleeping.when: means the same as lifecycle.at_risk",
    ]


def test_labels_stand_once(conf: Path) -> None:
    found = the_fault(conf, "tags.yaml", {"tags.senior.label.zh": "年轻人"})
    assert found == "tags.yaml: tags.senior.label.zh: '年轻人' is the label of tags.young_adult too (say what differs)"


def test_name_that_stands_twice_hides_nothing(conf: Path) -> None:
    path = conf.parent / "tags.yaml"
    text = path.read_text(encoding="utf-8")
    again = text.count("\n") + 1
    path.write_text(f'{text}  senior: {{kind: mood, when: "agee > 60", when: "agee > 61"}}\n', encoding="utf-8")
    found = faults(conf)
    assert any(line.startswith("tags.yaml: senior: stands twice, on lines ") and f" and {again} " in line for line in found)
    assert f"tags.yaml: when: stands twice, on lines {again} and {again} (remove or rename one)" in found
    assert any(line.startswith("tags.yaml: tags.senior.kind: input should be") for line in found)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("tags.yaml", {"tags.Big Spender": tag("age > 98", "big")}, "tag names must be"),
        ("tags.yaml", {"tags.senior.review_by": "soon"}, "found 'soon'"),
        ("tags.yaml", {"tags.senior.whn": "age > 1"}, "tags.senior.whn: is not a known key (did you mean when"),
        ("scores.yaml", {"rfm.segments.9": None}, "RFM cells belong to no segment, for example 1"),
        ("scores.yaml", {"rfm.segments.0.r": [1, 6]}, "must be a list of different scores from 1 to 5"),
        ("scores.yaml", {"rfm.segments.3.name": "loyal"}, "segment loyal stands twice"),
        ("scores.yaml", {"rfm.segments.0.f": [1, 2, 3, 4, 5], "rfm.segments.0.m": [1, 2, 3, 4, 5]}, "segment new_buyers is never reached"),
        ("scores.yaml", {"rfm.window": "a year"}, "is not understood: write a number of days such as 30d"),
        ("scores.yaml", {"lifecycle.6.when": "order_count_lifetime = 0"}, "exactly one stage, the last, must have no `when`"),
        ("scores.yaml", {"lifecycle.1.name": "active"}, "stages stand twice: active"),
        ("demo.yaml", {"lake.zone": "America/Newyork"}, "is not an IANA time zone"),
        ("demo.yaml", {"lake.catalog_schema": "main.persona"}, "give either path (a folder) or catalog_schema"),
        ("demo.yaml", {"tags": "tag.yaml"}, "tag.yaml: cannot be read: No such file"),
        ("demo.yaml", {"sources": []}, "sources:"),
        ("features.yaml", {"measures.order_count": None}, "column order_count_lifetime is missing: audits reconcile it"),
    ],
)
def test_mistake_names_its_place_and_what_to_do(conf: Path, name: str, changes: dict[str, Any], message: str) -> None:
    edit(conf, name, changes)
    assert any(message in line for line in faults(conf)), faults(conf)


def test_one_mistake_is_told_once(conf: Path) -> None:
    """What follows from it is not: columns of a wrong measure, stages of a wrong rule, windows."""
    edit(conf, "features.yaml", {"measures.review_count.where": "rand() > 1", "windows": ["7d", "30 days", "90d", "365d", "lifetime"]})
    edit(conf, "scores.yaml", {"lifecycle.2.when": "rand() > 2"})
    edit(conf, "sources/complete_journey_items.yaml", {"set.order": "amount"})
    assert [line.split(" (")[0] for line in faults(conf)] == [
        "features.yaml: measures.review_count.where: function rand is not allowed",
        (
            "features.yaml: windows.1: window '30 days' is not understood: write a number of days such as 30d, "
            "prev_30d for the 30 days before those, or lifetime"
        ),
        "scores.yaml: lifecycle.2.when: 'rand() > 2': function rand is not allowed",
        "sources/complete_journey_items.yaml: set.order: is not a known key",
    ]


def test_wrong_feed_hides_no_unknown_column(conf: Path) -> None:
    edit(conf, "sources/complete_journey_items.yaml", {"set.amount": "price"})
    edit(conf, "tags.yaml", {"tags.high_spender.when": "amount_90d > 5"})
    assert any("unknown column 'amount_90d'" in line for line in faults(conf))


@pytest.mark.parametrize(
    ("text", "message"),
    [("tags: [", "is not valid YAML"), ("- a\n", "must be a mapping of keys to values"), ("", "must be a mapping"), ("? [a]\n: b", "YAML")],
)
def test_file_that_is_no_mapping_is_told_beside_the_others(conf: Path, text: str, message: str) -> None:
    (conf.parent / "tags.yaml").write_text(text, encoding="utf-8")
    edit(conf, "scores.yaml", {"lifecycle.1.when": "days_since_order <= 30"})
    found = faults(conf)
    assert any(line.startswith("tags.yaml") and message in line for line in found)
    assert any("lifecycle.new.when" in line for line in found)


def test_a_wrong_main_file_hides_no_mistake_of_the_others(conf: Path) -> None:
    edit(conf, "demo.yaml", {"lake.zone": "America/Newyork", "lake.currency": "dollar", "mlflow": {"experimnt": "x"}})
    edit(conf, "tags.yaml", {"tags.senior.when": "agee >= 60"})
    edit(conf, "sources/complete_journey_items.yaml", {"set.order": "amount"})
    assert [line.split(":")[1].strip() for line in faults(conf)] == [
        "lake.currency",
        "lake.zone",
        "mlflow.experimnt",
        "set.order",
        "tags.senior.when",
    ]


def test_main_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.yaml: cannot be read: No such file"):
        load_conf(tmp_path / "nothing.yaml")


def test_source_in_two_files(conf: Path) -> None:
    text = (conf.parent / "sources/complete_journey_items.yaml").read_text(encoding="utf-8")
    (conf.parent / "sources/again.yaml").write_text(text, encoding="utf-8")
    edit(conf, "demo.yaml", {"sources.0": "sources/again.yaml", "sources.1": "sources/complete_journey_items.yaml"})
    assert any("stands in more than one file" in line for line in faults(conf))


def test_words_and_order_do_not_change_what_a_profile_says(conf: Path) -> None:
    before = load_conf(conf).spec_hash()
    edit(conf, "tags.yaml", {})
    assert load_conf(conf).spec_hash() == before
    edit(conf, "tags.yaml", {"tags.senior.when": "age >= 61"})
    assert load_conf(conf).spec_hash() != before


def test_command_exits_with_2_and_shows_all(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(conf, "tags.yaml", {"tags.senior.when": "agee >= 60", "tags.high_spender.when": "uuid() = city"})
    with pytest.raises(SystemExit) as stop:
        cli(["check", "--conf", str(conf), "--today", "2026-11-24"])
    shown = capsys.readouterr().err
    assert stop.value.code == 2
    assert "2 mistakes in the configuration" in shown
    assert "tags.senior.when" in shown
    assert "tags.high_spender.when" in shown


def test_command_says_what_it_found_when_all_is_well(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli(["check", "--conf", str(conf), "--today", "2026-11-24"])
    assert stop.value.code == 0
    assert "no mistakes. 3 sources" in capsys.readouterr().out
