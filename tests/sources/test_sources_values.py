"""Amounts, quantities, types, ids and returns, each by a value computed by hand."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from small_feed import Mapped, map_feed, mapping

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

HEADER = "user,item,type,at,price,qty"
AT = "2024-01-01 10:00:00"


def mapped(spark: SparkSession, folder: Path, rows: list[str], conf: dict[str, Any] | None = None, **changes: Any) -> Mapped:
    (folder / "feed.csv").write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    return map_feed(spark, folder, mapping(**changes), **(conf or {}))


def amounts(found: Mapped) -> dict[str, Any]:
    return {row.item_id.removeprefix("shop:"): row.amount for row in found.good}


def test_amounts_are_taken_exactly_or_not_at_all(spark: SparkSession, tmp_path: Path) -> None:
    expected = {"3.5": "3.50", "1e3": "1000.00", " 7 ": "7.00", "+7": "7.00", "0.005": "0.01", "2.675": "2.68", "0.0049": "0.00",
                "10000000": "10000000.00", "": None}  # fmt: skip
    refused = {"1,234.50": "unparsable", "¥12.00": "unparsable", "N/A": "unparsable", "NaN": "unparsable", "-3": "negative",
               "10000000.01": "absurd", "99999999999999999999": "unparsable"}  # fmt: skip
    rows = [f'u1,{index},buy,{AT},"{text}",1' for index, text in enumerate([*expected, *refused])]
    found = mapped(spark, tmp_path, rows)
    good = dict(zip(expected, range(len(expected)), strict=True))
    assert amounts(found) == {str(good[text]): value and Decimal(value) for text, value in expected.items()}
    assert dict(found.bad) == {rows[len(good) + index]: [f"{word} amount"] for index, word in enumerate(refused.values())}


def test_a_mapping_can_clean_amounts_words_and_keys(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f'17850.0,a,BUY,{AT},"¥1,234.50",1', f"17850, b ,Buy ,{AT},￥12,1"]
    changes: dict[str, Any] = {
        "set": {"account_id": "regexp_replace(user, '[.]0$', '')", "amount": "regexp_replace(price, '[¥￥,]', '')"},
        "event_type": {"from": "lower(type)", "map": {"buy": "pay"}},
    }
    found = mapped(spark, tmp_path, rows, **changes)
    assert found.bad == []
    assert found.values("account_id", "item_id", "event_type", "amount") == [
        ("shop:17850", "shop:a", "pay", Decimal("1234.50")),
        ("shop:17850", "shop:b", "pay", Decimal("12.00")),
    ]


def test_a_rate_converts_once_and_rounds_half_up(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f"u1,{index},buy,{AT},{text},1" for index, text in enumerate(["0.05", "1.005", "3.333"])]
    found = mapped(spark, tmp_path, rows, money={"currency": "USD", "rate": "7.1"}, set={"discount": "price"})
    # 0.05 x 7.1 = 0.355; 1.005 x 7.1 = 7.1355, not 1.01 x 7.1 = 7.171; 3.333 x 7.1 = 23.6643.
    assert found.values("amount", "amount_original", "currency", "discount") == [
        (Decimal("0.36"), Decimal("0.05"), "USD", Decimal("0.36")),
        (Decimal("23.66"), Decimal("3.33"), "USD", Decimal("23.66")),
        (Decimal("7.14"), Decimal("1.01"), "USD", Decimal("7.14")),
    ]


def test_price_times_quantity_and_returns_by_sign_or_invoice(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f"C1,a,x,{AT},2.55,-3", f"2,b,x,{AT},0.333,10", f"3,c,x,{AT},1.10,-1", f"C4,d,x,{AT},9.99,1"]
    changes: dict[str, Any] = {
        "types": {"price": "decimal(18,4)", "qty": "bigint"},
        "event_type": {"from": "CASE WHEN startswith(user, 'C') OR qty < 0 THEN 'return' ELSE 'pay' END"},
        "set": {"quantity": "abs(qty)", "amount": "price * abs(qty)"},
    }
    found = mapped(spark, tmp_path, rows, **changes)
    assert found.values("item_id", "event_type", "quantity", "amount") == [
        ("shop:a", "return", 3, Decimal("7.65")),
        ("shop:b", "pay", 10, Decimal("3.33")),
        ("shop:c", "return", 1, Decimal("1.10")),
        ("shop:d", "return", 1, Decimal("9.99")),
    ]


def test_quantities_are_whole_and_not_negative(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f"u1,i,buy,{AT},1,{text}" for text in ("2", "2.0", "1e1", "-1", "1.5", "two")]
    found = mapped(spark, tmp_path, rows)
    assert found.values("quantity") == [10, 2, 2]
    assert found.reasons == {"negative quantity": 1, "quantity is not a whole number": 1, "unparsable quantity": 1}
    typed = mapped(spark, tmp_path, rows, types={"qty": "bigint"})
    assert typed.values("quantity") == [2]
    assert typed.reasons == {"unparsable value of column qty": 4, "negative quantity": 1}


def test_types_are_compared_exactly_and_constants_need_no_column(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f"u1,i,{word},{AT},1,1" for word in ("buy", " buy ", "BUY", "", "x" * 150)]
    found = mapped(spark, tmp_path, rows)
    assert found.values("event_type") == ["pay", "pay"]
    assert found.reasons == {"unknown type: BUY": 1, "unknown type: (none)": 1, "unknown type: " + "x" * 100: 1}
    constant = mapped(spark, tmp_path, rows[2:], event_type={"value": "cart"}, set={"platform": "'tmall'", "channel": "'app'"})
    assert set(constant.values("event_type", "platform", "channel")) == {("cart", "tmall", "app")}


def test_derived_ids_follow_the_meaning_of_a_row_not_its_spelling(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f"u1,i1,buy,{AT},1,1", f" u1 ,i1,buy,{AT},9,9", f"u1,i1,pv,{AT},1,1", f"u1,,buy,{AT},1,1"]
    ids = mapped(spark, tmp_path, rows).values("event_id")
    assert len(set(ids)) == 3
    said = f"pay\x1fu1\x1fi1\x1fbuy\x1f{AT}"
    assert hashlib.sha256(said.encode()).hexdigest()[:32] in ids
    given = mapped(spark, tmp_path, [*rows, f"u2,,buy,{AT},1,1"], event_id="item")
    assert set(given.values("event_id")) == {"i1"}
    assert given.reasons == {"missing event id": 2}


def test_a_payment_without_an_order_is_its_own(spark: SparkSession, tmp_path: Path) -> None:
    rows = [f"u1,i1,buy,{AT},1,1", f"u1,i1,pv,{AT},1,1"]
    pay, view = sorted(mapped(spark, tmp_path, rows).good, key=lambda row: row.event_type)
    assert pay.order_id == f"shop:{pay.event_id}"
    assert view.order_id is None
    stated = mapped(spark, tmp_path, rows, set={"order_id": "qty"})
    assert stated.values("order_id") == ["shop:1", "shop:1"]


def test_ids_that_lost_characters_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    lines = [HEADER, f"用户,i1,buy,{AT},1,1", f"u1,i1,buy,{AT},1,1"]
    (tmp_path / "feed.csv").write_bytes("\n".join(lines).encode() + f"\n\xff,i1,buy,{AT},1,1\n".encode("latin-1"))
    found = map_feed(spark, tmp_path, mapping())
    assert found.values("account_id") == ["shop:u1", "shop:用户"]
    assert found.reasons == {"account is not UTF-8 text": 1}
