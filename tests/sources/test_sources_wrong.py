"""Feeds that are wrong as a whole stop before anything is written, and the error says what, where and what to do."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from small_feed import mapping, take_in

from persona_spark.errors import ConfigError, FeedError, PersonaError, SetupError
from persona_spark.schema import EVENTS, INGEST

if TYPE_CHECKING:
    from pathlib import Path

    from persona_spark.lake.tables import Lake

HEADER = "user,item,type,at,price,qty\n"
ROW = "u1,i1,buy,2024-01-01 10:00:00,3.50,2\n"
JSON = '{"user":"u1","item":"i1","type":"buy","at":"2024-01-01","price":1,"qty":1}\n'
FOUND = "columns found: user, item, type, at, Price, qty"


@pytest.mark.parametrize(
    ("content", "changes", "said"),
    [
        pytest.param((HEADER + ROW).replace("price", "Price"), {}, ["feed.csv has no column 'price'", FOUND, "mean Price"], id="column"),
        pytest.param((HEADER + ROW).replace(",", ";"), {}, ["feed.csv", "user;item;type", "delimiter semicolon"], id="delimiter"),
        pytest.param(HEADER + ROW.replace(",", "\t") * 6, {}, ["feed.csv", "1 field", "has 6", "delimiter tab"], id="rows' delimiter"),
        pytest.param("", {}, ["no file with content", "feed.csv"], id="empty"),
        pytest.param("\n \n", {}, ["feed.csv", "is empty"], id="blank"),
        pytest.param(HEADER, {}, ["feed.csv", "no rows"], id="header only"),
        pytest.param(HEADER.replace("qty", "qty,user") + ROW, {}, ["feed.csv", "'user' twice", "columns found"], id="needed column twice"),
        pytest.param((HEADER + ROW).replace("u1", "用户").encode("gbk"), {}, ["is not UTF-8 text", "encoding"], id="rows' encoding"),
        pytest.param("用户,item\n1,2\n".encode("gbk"), {}, ["feed.csv", "not UTF-8 text"], id="encoding of the header"),
        pytest.param(ROW, {"files": {"header": False, "columns": ["user", "item", "type", "at", "price", "qty", "more"]}},
                     ["feed.csv have 6 fields", "files.columns names 7: user, item"], id="width without header"),
        pytest.param(JSON, {}, ["feed.csv has no column 'at', 'item'"], id="json read as csv"),
        pytest.param(HEADER + ROW, {"files": {"format": "json"}}, ["feed.csv holds no JSON object", "files.format"], id="csv read as json"),
        pytest.param(JSON.replace("price", "cost"), {"files": {"format": "json"}},
                     ["feed.csv has no column 'price'", "columns found: at, cost, item, qty, type, user"], id="json column"),
        pytest.param(HEADER + ROW, {"files": {"format": "parquet"}}, ["shop", "feed.csv", "Parquet format"], id="csv read as parquet"),
        pytest.param(HEADER + ROW, {"files": {"format": "delta"}}, ["no Delta table at", "feed.csv"], id="csv read as delta"),
        pytest.param(HEADER + ROW, {"path": "nowhere/*.csv"}, ["no file with content", "nowhere/*.csv", "files.path"], id="folder"),
        pytest.param(gzip.compress((HEADER + ROW * 99).encode())[:70], {"path": "feed.csv.gz"}, ["shop", "feed.csv.gz"], id="torn gz"),
    ],
)  # fmt: skip
def test_the_error_names_file_columns_and_remedy(
    lake: Lake, tmp_path: Path, content: str | bytes, changes: dict[str, Any], said: list[str]
) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / ("feed.csv.gz" if changes.get("path") == "feed.csv.gz" else "feed.csv")).write_bytes(data)
    with pytest.raises(FeedError) as error:
        take_in(lake, tmp_path, mapping(**changes))
    text = str(error.value)
    assert [part for part in said if part not in text] == [], text
    assert "\tat " not in text
    assert len(text.splitlines()) == 1
    assert not lake.exists(EVENTS)


def test_what_the_machine_lacks_is_said_before_any_feed_is_opened(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERSONA_NOWHERE", raising=False)
    monkeypatch.delenv("PERSONA_KEY", raising=False)
    wrong: list[tuple[dict[str, Any], type[PersonaError], str]] = [
        (mapping("${PERSONA_NOWHERE}/a.csv"), SetupError, "environment variable PERSONA_NOWHERE"),
        (mapping("package:no_such_package/a.csv"), SetupError, "pip install no-such-package"),
        (mapping(personal={"user": "hash"}), SetupError, "PERSONA_KEY is not set"),
        (mapping(money={"currency": "USD"}), ConfigError, "one USD must be stated in CNY"),
        (mapping(money={"currency": "CNY", "rate": 2}), ConfigError, "its rate is 1"),
    ]
    for content, kind, said in wrong:
        with pytest.raises(kind, match=said):
            take_in(lake, tmp_path, content)
    monkeypatch.setenv("PERSONA_KEY", "short")
    with pytest.raises(SetupError, match="shorter than 16 bytes"):
        take_in(lake, tmp_path, mapping(personal={"user": "hash"}))
    assert not lake.exists(INGEST)


def test_expressions_that_do_not_fit_the_columns_name_the_key(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "feed.csv").write_text(HEADER + ROW, encoding="utf-8")
    with pytest.raises(FeedError, match=r"feed shop: quantity: 'array_size\(qty\)' does not fit"):
        take_in(lake, tmp_path, mapping(set={"quantity": "array_size(qty)"}))
    lake.spark.createDataFrame([("u1", "2")], "user string, qty string").write.parquet(str(tmp_path / "feed.parquet"))
    content = mapping("feed.parquet", target="accounts", files={"format": "parquet"}, set={"attributes": {"double": "qty * 2"}})
    with pytest.raises(ConfigError, match=r"column 'qty' is text in feed.parquet but used as a number \(types: \{qty: bigint\}"):
        take_in(lake, tmp_path, content)
