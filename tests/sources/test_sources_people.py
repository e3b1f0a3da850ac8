"""Accounts and items: versions, personal columns, links, and what events take from items."""

from __future__ import annotations

import hmac
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from small_feed import map_feed, mapping, rows_of, take_in

from persona_spark.schema import ACCOUNTS, EVENTS, ITEMS, QUARANTINE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pyspark.sql import SparkSession

    from persona_spark.lake.memory import MemoryLake

KEY = "a secret of the shop that nobody else knows"
MEMBERS: dict[str, Any] = mapping(
    "members.csv",
    target="accounts",
    source="members",
    time={"from": "opened", "as": "yyyy-MM-dd HH:mm", "zone": "Asia/Shanghai"},
    personal={"phone": "link_key", "email": "hash"},
    links=["member_no", "concat('union ', union_id)"],
    set={"account_id": "id", "attributes": {"city": "city", "email": "email"}},
)
HEADER = "id,opened,phone,email,member_no,union_id,city\n"


def hashed(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()


def test_personal_columns_are_kept_only_as_keyed_hashes(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_KEY", KEY)
    rows = ["1,2024-01-01 00:30,13800000001,a@b.cn,m1,x,上海", "2,, 13800000001 ,,,,", "3,soon,13800000003,c@d.cn,m3,,", "4,13800000004"]
    (tmp_path / "members.csv").write_text(HEADER + "\n".join(rows), encoding="utf-8")
    found = map_feed(spark, tmp_path, MEMBERS, earliest_date=date(2010, 1, 1))
    assert found.values("account_id", "registered_at", "valid_from", "link_keys", "attributes") == [
        (
            "shop:1",
            datetime(2023, 12, 31, 16, 30),  # noqa: DTZ001 - UTC
            date(2024, 1, 1),
            sorted([hashed("13800000001"), "m1", "union x"]),
            {"city": "上海", "email": hashed("a@b.cn")},
        ),
        ("shop:2", None, date(2010, 1, 1), [hashed("13800000001")], {}),
    ]
    assert sorted(reasons[0] for _, reasons in found.bad) == ["unparsable time", "unreadable row"]
    everything = repr(found)
    assert "1380000000" not in everything
    assert "@" not in everything
    assert any(hashed("13800000003") in raw for raw, _ in found.bad)


def test_a_key_of_any_length_is_hmac(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "k" * 100
    monkeypatch.setenv("PERSONA_KEY", long)
    frame = spark.createDataFrame([(1, 13800000001.0)], "id int, phone double")
    frame.write.parquet(str(tmp_path / "members"))
    content = mapping("members", target="accounts", files={"format": "parquet"}, set={"account_id": "id"}, personal={"phone": "link_key"})
    expected = hmac.new(long.encode(), b"13800000001", "sha256").hexdigest()
    assert map_feed(spark, tmp_path, content).values("link_keys") == [[expected]]


def test_versions_of_accounts_and_items_and_what_events_take_from_items(memory: MemoryLake, tmp_path: Path) -> None:
    def write(name: str, header: str, *rows: str) -> None:
        (tmp_path / name).write_text("\n".join([header, *rows]), encoding="utf-8")

    accounts = mapping("accounts.csv", target="accounts", source="accounts", links=["member_no"],
                       set={"account_id": "id", "valid_from": "since", "platform": "'app'", "attributes": {"city": "city"}})  # fmt: skip
    items = mapping("items.csv", target="items", source="items", money={"currency": "USD", "rate": 7})
    items["set"] = {"item_id": "id", "category": "category", "brand": "brand", "name": "id", "price": "price"}
    events = mapping("events.csv", set={"category": "category"})
    write(
        "accounts.csv", "id,since,city,member_no", "1,2024-01-01,Beijing,m1", "1,2024-01-01,Beijing,m1", "2,,Xi'an,m1", ",,x,", "3,later,x,"
    )
    write("items.csv", "id,category,brand,price", "i1,tea,B1,1.50", "i2,,B2,-1", "i3,cups,,")
    header = "user,item,type,at,price,qty,category"
    write("events.csv", header, "1,i1,buy,2024-01-05,10,1,", "1,i1,pv,2024-01-05,,,gift", "1,i3,pv,2024-01-05,,,", "1,i9,pv,2024-01-05,,,")
    found = take_in(memory, tmp_path, events, accounts, items)
    assert found.notes == {
        "items": "read 3 = 2 loaded + 0 duplicates + 1 quarantined",
        "accounts": "read 5 = 2 loaded + 1 duplicates + 2 quarantined",
        "shop": "read 4 = 4 loaded + 0 duplicates + 0 quarantined",
    }
    assert rows_of(memory, EVENTS, "item_id", "category", "brand") == [
        ("shop:i1", "gift", "B1"), ("shop:i1", "tea", "B1"), ("shop:i3", "cups", None), ("shop:i9", None, None),
    ]  # fmt: skip
    assert sorted(tuple(row) for row in rows_of(memory, QUARANTINE, "target", "reasons")) == [
        ("accounts", ["missing account"]), ("accounts", ["unparsable valid_from"]), ("items", ["negative price"]),
    ]  # fmt: skip

    columns = "id,since,city,member_no"
    write("accounts.csv", columns, "1,2024-01-01,Tianjin,m1", "2,,Xi'an,m1", "1,2024-06-01,Beijing,m1")
    write("items.csv", "id,category,brand,price", "i1,coffee,B1,1.50", "i3,cups,,")
    write("events.csv", header, "1,i1,buy,2024-01-05,10,1,", "1,i1,buy,2024-01-06,10,1,")
    assert take_in(memory, tmp_path, events, accounts, items).notes == {
        "items": "read 2 = 1 loaded + 1 duplicates + 0 quarantined",
        "accounts": "read 3 = 2 loaded + 1 duplicates + 0 quarantined",
        "shop": "read 2 = 1 loaded + 1 duplicates + 0 quarantined",
    }
    assert rows_of(memory, ACCOUNTS, "account_id", "valid_from", "ingest_seq", "attributes", "link_keys", "platform") == [
        ("shop:1", date(2024, 1, 1), 2, {"city": "Beijing"}, ["m1"], "app"),
        ("shop:1", date(2024, 1, 1), 5, {"city": "Tianjin"}, ["m1"], "app"),
        ("shop:1", date(2024, 6, 1), 5, {"city": "Beijing"}, ["m1"], "app"),
        ("shop:2", date(2000, 1, 1), 2, {"city": "Xi'an"}, ["m1"], "app"),
    ]
    assert rows_of(memory, ITEMS, "item_id", "category", "ingest_seq") == [
        ("shop:i1", "coffee", 4), ("shop:i1", "tea", 1), ("shop:i3", "cups", 1),
    ]  # fmt: skip
    newest = memory.read(EVENTS).where("ingest_seq = 6").select("category").collect()
    assert [row.category for row in newest] == ["coffee"]
