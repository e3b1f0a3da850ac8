"""What is wrong in a mapping is found without Spark and without the feed, all at once, each with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from small_feed import mapping, spec_of

from persona_spark.config.base import faults_of, load_model
from persona_spark.config.sources import SourceSpec

SOURCES = sorted((Path(__file__).parents[2] / "conf" / "sources").glob("*.yaml"))

COLUMNS = ["user", "item", "type", "at", "price", "qty"]


def faults(content: dict[str, Any]) -> dict[str, str]:
    try:
        spec_of(content)
    except ValidationError as error:
        return {fault.key: f"{fault.message} {fault.hint}" for fault in faults_of(error, SourceSpec, "feed.yaml")}
    return {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_mapping_of_the_package_is_valid(path: Path) -> None:
    assert load_model(SourceSpec, path).namespace


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"set": {"acount_id": "user"}}, "set.acount_id", "did you mean account_id"),
        ({"set": {"account_id": None}}, "set.account_id", "events need account_id"),
        ({"set": {"valid_from": "at"}}, "set.valid_from", "events have no column valid_from"),
        ({"set": {"amount": "qty * 2"}}, "set.amount", "used as a number: give its type, types: {qty: bigint}"),
        ({"set": {"text": "reflect('java.lang.System', 'exit')"}}, "set.text", "not allowed"),
        ({"set": {"text": "item id"}}, "set.text", "a column name with blanks or signs stands in backticks"),
        ({"set": {"text": "current_date()"}}, "set.text", "not allowed"),
        ({"set": {"text": "item.name"}}, "set", "csv has no fields inside columns"),
        ({"time": None}, "time", "events need time"),
        ({"event_id": None}, "event_id", "events need event_id"),
        ({"time": {"from": "at", "as": "epoch_second"}}, "time.as", "epoch_seconds"),
        ({"time": {"from": "at", "as": "%Y-%m-%d"}}, "time.as", "nor a pattern such as"),
        ({"time": {"from": "at", "as": "timestamp", "zone": "Shanghai"}}, "time.zone", "Asia/Shanghai"),
        ({"event_type": {"from": "type", "map": {"pv": "viewed"}}}, "event_type.map.pv", "did you mean view"),
        ({"event_type": {"from": "type", "value": "pay"}}, "event_type", "either from"),
        ({"files": {"header": False}}, "files.columns", "needs the names of its columns"),
        ({"files": {"columns": COLUMNS}}, "files.columns", "names its columns itself"),
        ({"files": {"format": "json", "delimiter": ";"}}, "files.delimiter", "means nothing for json"),
        ({"files": {"format": "parquet", "nulls": ["x"]}}, "files.nulls", "means nothing for parquet"),
        ({"files": {"encoding": "UTF-16LE"}}, "files.multiline", "multiline: true"),
        ({"types": {"qty": "integer"}}, "types.qty", "type 'integer' is not among"),
        ({"types": {"prices": "bigint"}}, "types.prices", "did you mean price"),
        ({"money": {"currency": "rmb"}}, "money.currency", "pattern"),
        ({"money": {"currency": "USD", "rate": "0"}}, "money.rate", "greater than 0"),
        ({"personal": {"user": "link_key"}}, "personal", "only accounts have link keys"),
        ({"links": ["user"]}, "links", "only accounts have links"),
        ({"repeats": "separate", "event_id": "item"}, "repeats", "derived from a list"),
        ({"namespace": "My Shop"}, "namespace", "pattern"),
        ({"zones": "UTC"}, "zones", "did you mean zone"),
    ],
    ids=str,
)
def test_faults_name_the_key_and_what_to_do(changes: dict[str, Any], key: str, said: str) -> None:
    content = mapping(**changes)
    content["set"] = {name: value for name, value in content["set"].items() if value is not None}
    found = faults(content)
    assert said in found.get(key, ""), found


def test_links_of_accounts_read_columns_that_are_not_personal() -> None:
    def links(*texts: str, **changes: Any) -> dict[str, str]:
        return faults(mapping(target="accounts", links=list(texts), **changes))

    assert links("member_no", "concat('union ', union_id)") == {}
    assert "reads no column" in links("'everybody'")["links.0"]
    assert "write personal: {phone: link_key}" in links("member_no", "phone", personal={"phone": "hash"})["links.1"]


def test_all_faults_are_reported_together() -> None:
    found = faults(mapping(set={"amount": "price * qty", "rating": "qty / 2"}, types={"brand": "int"}))
    assert set(found) == {"set.amount", "set.rating", "types.brand"}


def test_items_and_accounts_have_no_event_parts() -> None:
    found = faults({**mapping(target="accounts"), "event_id": ["user"], "event_type": {"value": "pay"}})
    assert set(found) == {"event_id", "event_type"}
    assert set(faults({**mapping(target="items"), "time": {"from": "at", "as": "timestamp"}})) == {"time", "set.account_id", "set.item_id"}
