"""The templates in conf/sources take rows of the public data that they name, here made up; the examples of docs/sources.md are mappings."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from small_feed import Mapped, map_feed, mapping, spec_of

from persona_spark.config.sources import Files, SourceSpec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]
SOURCES, PAGE = ROOT / "conf" / "sources", ROOT / "docs" / "sources.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def mapped(spark: SparkSession, folder: Path, template: str, text: str, encoding: str = "utf-8") -> Mapped:
    content = yaml.safe_load((SOURCES / template).read_text(encoding="utf-8"))
    file = folder / content["files"]["path"].replace("*", "x")
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding=encoding)
    return map_feed(spark, folder, content)


def test_taobao_behaviour(spark: SparkSession, tmp_path: Path) -> None:
    rows = ["1,2268318,2520377,pv,1511544070", "1,2333346,2520771,fav,1511561733", "1,2576651,149192,cart,1511572885",
            "100,4365585,2520377,buy,1512229940", "100,4365585,2520377,buy,-2134949234", "2,1,1,look,1511544070"]  # fmt: skip
    found = mapped(spark, tmp_path, "template_taobao_behaviour.yaml", "\n".join(rows))
    # 1511544070 is 2017-11-24 17:21:10 UTC, which is 01:21:10 of the next day in Shanghai.
    assert found.values("event_type", "account_id", "item_id", "category", "event_time", "event_hour", "amount") == [
        ("cart", "taobao:1", "taobao:2576651", "149192", datetime(2017, 11, 25, 1, 21, 25), 9, None),  # noqa: DTZ001 - UTC
        ("favourite", "taobao:1", "taobao:2333346", "2520771", datetime(2017, 11, 24, 22, 15, 33), 6, None),  # noqa: DTZ001 - UTC
        ("pay", "taobao:100", "taobao:4365585", "2520377", datetime(2017, 12, 2, 15, 52, 20), 23, None),  # noqa: DTZ001 - UTC
        ("view", "taobao:1", "taobao:2268318", "2520377", datetime(2017, 11, 24, 17, 21, 10), 1, None),  # noqa: DTZ001 - UTC
    ]
    assert found.bad == [(rows[4], ["time before 2000-01-01"]), (rows[5], ["unknown type: look"])]


def test_invoice_lines(spark: SparkSession, tmp_path: Path) -> None:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    rows = [
        "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,12/1/2010 8:26,2.55,17850,United Kingdom",
        'C536379,D,"Discount, £5",-1,7/1/2011 9:41,27.50,14527.0,France',
        "536389,22941,CHRISTMAS LIGHTS,-2,12/1/2010 10:03,8.5,12431,Australia",
        "536414,22139,,56,12/1/2010 11:52,0,,United Kingdom",
        "A563187,B,Adjust bad debt,1,8/12/2011 14:52,-11062.06,12345,United Kingdom",
    ]
    found = mapped(spark, tmp_path, "template_invoice_lines.yaml", "\n".join([header, *rows]), "latin-1")
    names = ("order_id", "event_type", "account_id", "quantity", "amount_original", "amount", "event_time", "event_hour")
    assert found.values(*names) == [
        ("gift_shop:536365", "pay", "gift_shop:17850", 6, Decimal("15.30"), Decimal("139.23"), datetime(2010, 12, 1, 8, 26), 8),  # noqa: DTZ001 - UTC
        ("gift_shop:536389", "return", "gift_shop:12431", 2, Decimal("17.00"), Decimal("154.70"), datetime(2010, 12, 1, 10, 3), 10),  # noqa: DTZ001 - UTC
        ("gift_shop:C536379", "return", "gift_shop:14527", 1, Decimal("27.50"), Decimal("250.25"), datetime(2011, 7, 1, 8, 41), 9),  # noqa: DTZ001 - UTC
    ]
    assert found.good[1].attributes == {"country": "France", "description": "Discount, £5"}
    assert found.bad == [(rows[3], ["missing account"]), (rows[4], ["negative amount"])]


def test_web_shop(spark: SparkSession, tmp_path: Path) -> None:
    header = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
    rows = [
        "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde",
        "2019-10-01 00:02:14 UTC,purchase,1004856,2053013555631882655,electronics.smartphone,samsung,130.76,543272936,8187d148",
        "2019-10-01 00:02:15 UTC,purchase,1004857,2053013555631882655,electronics.smartphone,,10,543272936,8187d148",
        "2019-10-01 00:02:16 UTC,remove_from_cart,1004858,1,,,1,543272936,8187d148",
        "2019-10-01 00:02:17 UTC,cart,1004858,1,,,1,543272936,8187d148",
    ]
    found = mapped(spark, tmp_path, "template_web_shop.yaml", "\n".join([header, *rows]))
    assert found.bad == []
    assert Counter(found.values("event_type")) == {"view": 1, "pay": 2, "click": 1, "cart": 1}
    first = next(row for row in found.good if row.event_type == "view")
    assert (first.category, first.brand, first.amount, first.event_hour) == ("2103807459595387724", "shiseido", None, 2)
    names = ("order_id", "session_id", "category", "amount", "amount_original", "currency", "quantity")
    paid = sorted(tuple(row[name] for name in names) for row in found.good if row.event_type == "pay")
    both = ("web_shop:8187d148", "web_shop:8187d148", "electronics.smartphone")
    assert paid == [(*both, Decimal("71.00"), Decimal("10.00"), "USD", 1), (*both, Decimal("928.40"), Decimal("130.76"), "USD", 1)]
    assert {row.attributes["action"] for row in found.good if row.event_type == "click"} == {"remove_from_cart"}


@pytest.mark.parametrize("text", BLOCKS, ids=range(1, len(BLOCKS) + 1))
def test_examples_of_the_page_are_mappings_or_parts_of_one(text: str) -> None:
    content: dict[str, Any] = yaml.safe_load(text)
    if "source" not in content:
        base = mapping("feed.csv", target=content.get("target", "accounts" if {"personal", "links"} & content.keys() else "events"))
        content = {**base, **content, "files": {"path": "feed.csv", "format": "csv", **content.get("files", {})}}
        content["set"] = {**base["set"], **content.get("set", {})}
    spec_of(content)


def test_the_page_explains_every_key() -> None:
    text = PAGE.read_text(encoding="utf-8")
    keys = {field.alias or name for name, field in SourceSpec.model_fields.items()} | set(Files.model_fields)
    assert sorted(key for key in keys if f"`{key}`" not in text and f"`files.{key}`" not in text) == []
