"""JSON lines, Parquet and Delta."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pytest
from small_feed import map_feed, mapping, rows_of, take_in

from persona_spark.errors import FeedError
from persona_spark.schema import EVENTS

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from persona_spark.lake.tables import Lake

AT = datetime(2024, 1, 1, 10)  # noqa: DTZ001 - as the session, in UTC, gives it back
EVENT = {"who": {"id": 17}, "item": "i1", "type": "buy", "at": "2024-01-01T10:00:00Z", "price": 12.5, "qty": 1, "tags": ["a", "b"]}
NESTED: dict[str, Any] = {
    "path": "feed.json",
    "files": {"format": "json"},
    "set": {"account_id": "who.id", "attributes": {"first_tag": "get_json_object(tags, '$[0]')"}},
    "event_id": ["who.id", "at"],
}


def write_lines(folder: Path, *lines: str, name: str = "feed.json") -> None:
    (folder / name).write_text("\n".join(lines), encoding="utf-8")


def test_json_fields_inside_objects(spark: SparkSession, tmp_path: Path) -> None:
    write_lines(tmp_path, json.dumps(EVENT), "", json.dumps({**EVENT, "who": {"id": "张三", "x": 1}, "price": None, "item": None}))
    mapped = map_feed(spark, tmp_path, mapping(**NESTED))
    assert mapped.bad == []
    found = mapped.values("account_id", "item_id", "amount", "quantity", "event_time", "attributes")
    assert found == [
        ("shop:17", "shop:i1", Decimal("12.50"), 1, AT, {"first_tag": "a"}),
        ("shop:张三", None, None, 1, AT, {"first_tag": "a"}),
    ]


def test_broken_json_lines_go_to_quarantine_whole(spark: SparkSession, tmp_path: Path) -> None:
    good = json.dumps(EVENT)
    broken = [good[:40], good + good, good + " rest", f"[{good}]", "5", "null", f"{good},{good}", "user,item"]
    write_lines(tmp_path, good, *broken)
    mapped = map_feed(spark, tmp_path, mapping(**NESTED))
    assert mapped.values("account_id") == ["shop:17"]
    assert sorted(raw for raw, _ in mapped.bad) == sorted(broken)
    assert mapped.reasons == {"unreadable row": len(broken)}


def test_json_arrays_over_many_lines(spark: SparkSession, tmp_path: Path) -> None:
    write_lines(tmp_path, json.dumps([EVENT, {**EVENT, "who": {"id": 18}}], indent=2))
    mapped = map_feed(spark, tmp_path, mapping(**{**NESTED, "files": {"format": "json", "multiline": True}}))
    assert mapped.values("account_id") == ["shop:17", "shop:18"]


def test_json_types_hold_each_value(spark: SparkSession, tmp_path: Path) -> None:
    write_lines(tmp_path, json.dumps(EVENT), json.dumps({**EVENT, "qty": "many", "price": "1e2"}), json.dumps({**EVENT, "price": "x"}))
    mapped = map_feed(spark, tmp_path, mapping(**NESTED, types={"qty": "bigint", "price": "decimal(18,4)"}))
    assert mapped.values("amount") == [Decimal("12.50")]
    assert mapped.reasons == {"unparsable value of column qty": 1, "unparsable value of column price": 1}


def test_only_the_first_json_files_must_name_every_column(lake: Lake, tmp_path: Path) -> None:
    bare = {key: value for key, value in EVENT.items() if key not in ("price", "tags")}
    write_lines(tmp_path, json.dumps(bare))
    with pytest.raises(FeedError, match=r"feed.json has no column 'price', 'tags', .*columns found: at, item, qty, type, who"):
        take_in(lake, tmp_path, mapping(**NESTED))
    write_lines(tmp_path, json.dumps(EVENT))
    content = mapping(**{**NESTED, "path": "*.json"})
    take_in(lake, tmp_path, content)
    write_lines(tmp_path, json.dumps({**bare, "who": {"id": 18}}), name="second.json")
    take_in(lake, tmp_path, content)
    assert rows_of(lake, EVENTS, "account_id", "amount") == [("shop:17", Decimal("12.50")), ("shop:18", None)]
    write_lines(tmp_path, json.dumps({"who": {"id": 19}, "at": "2024-01-01"}), name="third.json")
    with pytest.raises(FeedError, match=r"third.json has no column 'type'"):
        take_in(lake, tmp_path, content)


def pandas_rows(at: Any, user: Any = 17) -> pd.DataFrame:
    return pd.DataFrame({"user": [user], "item": ["i1"], "type": ["buy"], "at": [at], "price": [3.99], "qty": [2.0], "other": [b"x"]})


@pytest.mark.parametrize(
    ("at", "unit", "form"),
    [
        (pd.Timestamp("2024-01-01 10:00"), "us", "timestamp"),
        (pd.Timestamp("2024-01-01 10:00"), "ms", "timestamp"),
        (pd.Timestamp("2024-01-01 18:00", tz="Asia/Shanghai"), "us", "timestamp"),
        (pd.Timestamp("2024-01-01 10:00"), "ns", "epoch_nanos"),
    ],
)
def test_parquet_as_pandas_writes_it(
    spark: SparkSession, tmp_path: Path, at: pd.Timestamp, unit: Literal["ms", "us", "ns"], form: str
) -> None:
    frame = pandas_rows(at, user=17.0)
    frame["at"] = frame["at"].dt.as_unit(unit)
    frame.to_parquet(tmp_path / "feed.parquet", index=False)
    content = mapping("feed.parquet", files={"format": "parquet"}, time={"from": "at", "as": form, "zone": "UTC"})
    mapped = map_feed(spark, tmp_path, content)
    assert mapped.bad == []
    assert mapped.values("account_id", "amount", "quantity", "event_time") == [("shop:17", Decimal("3.99"), 2, AT)]


def test_parquet_folder_with_partitions_other_orders_and_wider_numbers(spark: SparkSession, tmp_path: Path) -> None:
    at = pd.Timestamp("2024-01-01 10:00").as_unit("us")
    for day, frame in (("2024-01-01", pandas_rows(at)), ("2024-01-02", pandas_rows(at, user=18).iloc[:, ::-1].assign(qty=3))):
        folder = tmp_path / "shop" / f"day={day}"
        folder.mkdir(parents=True)
        frame.assign(at=frame["at"].dt.as_unit("us")).to_parquet(folder / "a b.parquet", index=False)
    content = mapping("shop", files={"format": "parquet"}, set={"attributes": {"day": "day"}})
    mapped = map_feed(spark, tmp_path, content)
    assert mapped.values("account_id", "quantity", "attributes") == [
        ("shop:17", 2, {"day": "2024-01-01"}),
        ("shop:18", 3, {"day": "2024-01-02"}),
    ]


def test_each_version_of_a_delta_table_brings_what_it_added(lake: Lake, tmp_path: Path) -> None:
    spark = lake.spark
    table = str(tmp_path / "clicks")
    content = mapping("clicks", files={"format": "delta"})

    def write(user: str) -> None:
        frame = spark.createDataFrame([(user, "i1", "buy", datetime(2024, 1, 1, 10, tzinfo=UTC), 1.5, 1)], "user string, item string, "
                                      "type string, at timestamp, price double, qty int")  # fmt: skip
        frame.write.format("delta").mode("append").save(table)

    write("u1")
    assert take_in(lake, tmp_path, content).notes == {"shop": "read 1 = 1 loaded + 0 duplicates + 0 quarantined"}
    assert take_in(lake, tmp_path, content).skipped
    write("u2")
    assert take_in(lake, tmp_path, content).notes == {"shop": "read 2 = 1 loaded + 1 duplicates + 0 quarantined"}
    assert rows_of(lake, EVENTS, "account_id", "event_time") == [("shop:u1", AT), ("shop:u2", AT)]
