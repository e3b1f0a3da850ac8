"""CSV as shops write it: every form gives the same rows, and what cannot be read is in quarantine, not lost."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from small_feed import map_feed, mapping

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

HEADER = "user,item,type,at,price,qty"
ROWS = ("u1,i1,buy,2024-01-01 10:00:00,3.50,2", "u2,i2,pv,2024-01-02 11:00:00,,")
TABLE = "\n".join([HEADER, *ROWS]) + "\n"
EXPECTED = [("shop:u1", "shop:i1", "pay", Decimal("3.50"), 2), ("shop:u2", "shop:i2", "view", None, None)]
CHINESE = "用户 名,商品,type,at,price,qty\n张三,丝巾,buy,2024-01-01 10:00:00,3.50,2\n"
CHINESE_SET: dict[str, Any] = {"set": {"account_id": "`用户 名`", "item_id": "`商品`"}, "event_id": ["`用户 名`", "at"]}


def write(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def loaded(spark: SparkSession, folder: Path, **changes: Any) -> list[Any]:
    mapped = map_feed(spark, folder, mapping(**changes))
    assert mapped.bad == []
    return mapped.values("account_id", "item_id", "event_type", "amount", "quantity")


@pytest.mark.parametrize(
    ("content", "files"),
    [
        pytest.param(TABLE, {}, id="plain"),
        pytest.param("\ufeff" + TABLE.replace("\n", "\r\n\r\n"), {}, id="byte order mark, CRLF and blank lines"),
        pytest.param(TABLE.replace(",", ";"), {"delimiter": ";"}, id="semicolon"),
        pytest.param(TABLE.replace(",", "|"), {"delimiter": "|"}, id="bar"),
        pytest.param(TABLE.replace(",", "\t"), {"delimiter": "\t"}, id="tab"),
        pytest.param(TABLE.replace(",", "\t"), {"delimiter": r"\t"}, id="tab written as backslash t"),
        pytest.param(TABLE.replace(",", "\x01"), {"delimiter": r"\x01"}, id="control-A"),
        pytest.param(TABLE.replace(",", "||"), {"delimiter": "||"}, id="two characters"),
        pytest.param(TABLE.replace("\n", ",\n"), {}, id="delimiter at the end of every line"),
        pytest.param(TABLE.replace(HEADER, HEADER + "#").replace("\n", ",\n").replace("#,", ""), {}, id="delimiter at the end of rows"),
        pytest.param("".join(f"{row}\n" for row in ROWS), {"header": False, "columns": HEADER.split(",")}, id="no header"),
        pytest.param(TABLE.encode("utf-16"), {"encoding": "UTF-16", "multiline": True}, id="UTF-16"),
        pytest.param(TABLE.replace(",", " , ").replace("u1", "\tu1\u3000"), {}, id="blanks around values and names"),
        pytest.param('"user","item","type","at","price","qty"\n"u1","i1","buy","2024-01-01 10:00:00","3.50","2"\n'
                     '"u2","i2","pv","2024-01-02 11:00:00","",""\n', {}, id="all quoted"),
    ],
)  # fmt: skip
def test_every_form_gives_the_same_rows(spark: SparkSession, tmp_path: Path, content: str | bytes, files: dict[str, Any]) -> None:
    write(tmp_path, "feed.csv", content)
    assert loaded(spark, tmp_path, files=files) == EXPECTED


@pytest.mark.parametrize("multiline", [False, True])
def test_gbk_with_chinese_header_and_blank_in_a_name(spark: SparkSession, tmp_path: Path, *, multiline: bool) -> None:
    write(tmp_path, "feed.csv", CHINESE.encode("gbk"))
    found = loaded(spark, tmp_path, files={"encoding": "GBK", "multiline": multiline}, **CHINESE_SET)
    assert found == [("shop:张三", "shop:丝巾", "pay", Decimal("3.50"), 2)]


def test_files_of_a_folder_may_order_their_columns_differently(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "订单 2024/第 1 天 +100% [a].csv", "\n".join([HEADER, ROWS[0]]))
    write(
        tmp_path, "订单 2024/more/2.csv.gz", gzip.compress(b"qty,user,extra,item,at,price,type,extra\n,u2,x,i2,2024-01-02 11:00:00,,pv,y\n")
    )
    write(tmp_path, "订单 2024/_SUCCESS", "no data")
    write(tmp_path, "订单 2024/.hidden.csv", "no data")
    write(tmp_path, "订单 2024/more/empty.csv", "")
    assert loaded(spark, tmp_path, path="订单 2024") == EXPECTED
    assert loaded(spark, tmp_path, path="订*/{第*,more/*}.csv*") == EXPECTED


def test_quotes_may_hold_delimiters_quotes_and_with_multiline_line_breaks(spark: SparkSession, tmp_path: Path) -> None:
    write(
        tmp_path, "feed.csv", f'{HEADER}\nu1,"a, ""b""\r\n5"" pipe",buy,2024-01-01 10:00:00,3.50,2\nu2,5" pipe,pv,2024-01-02 11:00:00,,\n'
    )
    found = loaded(spark, tmp_path, files={"multiline": True})
    assert [row[1] for row in found] == ['shop:a, "b"\r\n5" pipe', 'shop:5" pipe']
    write(tmp_path, "escaped.csv", f'{HEADER}\nu1,"a, \\"b\\"",buy,2024-01-01 10:00:00,3.50,2\n')
    assert loaded(spark, tmp_path, path="escaped.csv", files={"escape": "\\"})[0][1] == 'shop:a, "b"'
    write(tmp_path, "bare.csv", f'{HEADER}\nu1,"i1,buy,2024-01-01 10:00:00,3.50,2\n')
    assert loaded(spark, tmp_path, path="bare.csv", files={"quote": ""})[0][1] == 'shop:"i1'


def test_rows_that_the_parser_cannot_read_go_to_quarantine_as_they_are(spark: SparkSession, tmp_path: Path) -> None:
    broken = [
        "u3,i3",
        "u3,i3,pv,2024-01-01 10:00:00,,,surplus",
        'u3,"i3,pv,2024-01-01 10:00:00,,',
        'u3,"two',
        'lines",pv,2024-01-01 10:00:00,,',
    ]
    write(tmp_path, "feed.csv", TABLE + "\n".join(broken))
    mapped = map_feed(spark, tmp_path, mapping())
    assert mapped.values("account_id") == ["shop:u1", "shop:u2"]
    assert sorted(raw for raw, _ in mapped.bad) == sorted(broken)
    unclosed = {raw for raw, reasons in mapped.bad if "quote is not closed" in reasons[0]}
    assert unclosed == {broken[2], broken[3]}
    assert all(len(reasons) == 1 and reasons[0].startswith("unreadable row") for _, reasons in mapped.bad)


def test_placeholders_count_as_nothing(spark: SparkSession, tmp_path: Path) -> None:
    rows = ["u1,N/A,buy,2024-01-01 10:00:00,NULL,\\N", "NULL,i1,buy,2024-01-01 10:00:00,1,1"]
    write(tmp_path, "feed.csv", "\n".join([HEADER, *rows]))
    mapped = map_feed(spark, tmp_path, mapping(files={"nulls": ["N/A", "NULL", "\\N"]}, types={"qty": "bigint", "price": "double"}))
    assert mapped.values("account_id", "item_id", "amount", "quantity") == [("shop:u1", None, None, None)]
    assert mapped.bad == [(rows[1], ["missing account"])]


def test_a_huge_line_and_an_unneeded_column_that_stands_twice(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "feed.csv", f"{HEADER},x,x\n{ROWS[0]},{'y' * 2_000_000},1\n")
    assert loaded(spark, tmp_path) == EXPECTED[:1]
