from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F

from persona_spark.errors import ContractError, LakeError
from persona_spark.lake.mark import Mark
from persona_spark.schema import Column, Table

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake

TABLE = Table(
    "things",
    "Things for tests.",
    (Column("day", "date", "A day."), Column("id", "bigint", "An id."), Column("word", "string", "A word.")),
    key=("day", "id"),
    partition_by=("day",),
)


def rows(lake: Lake, text: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in lake.spark.sql(text).collect())


def values(lake: Lake, text: str) -> DataFrame:
    return lake.spark.sql(f"SELECT * FROM VALUES {text} AS t(day, id, word)").selectExpr("date(day) AS day", "bigint(id) AS id", "word")


def stored(lake: Lake) -> list[tuple[str, int, str]]:
    return sorted((str(row.day), row.id, row.word) for row in lake.read(TABLE).collect())


def test_missing_table_reads_as_empty_with_its_schema(lake: Lake) -> None:
    assert lake.read(TABLE).columns == ["day", "id", "word"]
    assert not lake.exists(TABLE)


def test_require_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"things does not exist in .*: make things first"):
        lake.require(TABLE, "make things first")


def test_replace_where_twice_leaves_one_copy(lake: Lake) -> None:
    assert lake.replace_where(values(lake, "('2024-01-01', 1, 'a')"), TABLE, "day = '2024-01-01'") == 1
    lake.replace_where(values(lake, "('2024-01-02', 1, 'b')"), TABLE, "day = '2024-01-02'")
    lake.replace_where(values(lake, "('2024-01-02', 2, 'c')"), TABLE, "day = '2024-01-02'")
    assert stored(lake) == [("2024-01-01", 1, "a"), ("2024-01-02", 2, "c")]


def test_insert_new_leaves_known_keys_alone(lake: Lake) -> None:
    assert lake.insert_new(values(lake, "('2024-01-01', 1, 'a')"), TABLE) == 1
    assert lake.insert_new(values(lake, "('2024-01-01', 1, 'z'), ('2024-01-01', 2, 'b')"), TABLE) == 1
    assert stored(lake) == [("2024-01-01", 1, "a"), ("2024-01-01", 2, "b")]


def test_nothing_to_do_counts_as_nothing(lake: Lake) -> None:
    one = values(lake, "('2024-01-01', 1, 'a')")
    assert lake.insert_new(one, TABLE) == 1
    assert lake.insert_new(one, TABLE) == 0
    assert lake.replace_where(one.where("id > 1"), TABLE, "day = '2024-01-02'") == 0
    assert lake.replace_where(one.where("id > 1"), TABLE, "day = '2024-01-01'") == 0
    assert stored(lake) == []


def test_null_in_a_key_is_refused(lake: Lake) -> None:
    with pytest.raises(Exception, match=r"(?i)not null"):
        lake.replace(values(lake, "('2024-01-01', cast(null as bigint), 'a')"), TABLE)


def test_wrong_columns_are_named_all_at_once(lake: Lake) -> None:
    frame = lake.spark.sql("SELECT 1 AS id, 'x' AS extra, DATE'2024-01-01' AS day")
    with pytest.raises(ContractError, match=r"extra is not part.*id is int, the table has bigint.*word \(string\) is missing"):
        lake.replace(frame, TABLE)


def test_columns_carry_their_comments(lake: Lake) -> None:
    lake.create(TABLE)
    described = {row.col_name: row.comment for row in lake.spark.sql(f"DESCRIBE delta.`{lake.location(TABLE)}`").collect()}
    assert described["word"] == "A word."


def test_rows_that_are_written_again_with_their_file_do_not_count_as_new(lake: Lake) -> None:
    lake.replace_where(values(lake, "('2024-01-01', 1, 'a'), ('2024-01-01', 2, 'b')").coalesce(1), TABLE, "id > 0")
    assert lake.replace_where(values(lake, "('2024-01-01', 2, 'c')"), TABLE, "id > 1") == 1
    assert stored(lake) == [("2024-01-01", 1, "a"), ("2024-01-01", 2, "c")]


def test_a_write_that_comes_too_late_in_its_order_is_refused(lake: Lake) -> None:
    day, one = "day = '2024-01-01'", values(lake, "('2024-01-01', 1, 'a')")
    assert lake.replace_where(one, TABLE, day, Mark("turns", 2)) == 1
    assert lake.replace_where(one.limit(0), TABLE, "day = '2024-01-02'", Mark("turns", 3)) == 0
    for late in (1, 3):
        with pytest.raises(LakeError, match="table things was changed by another writer at the same time, which goes first: run again"):
            lake.replace_where(one.limit(0), TABLE, day, Mark("turns", late))
    assert lake.replace_where(one, TABLE, day, Mark("others", 1)) == 1
    assert stored(lake) == [("2024-01-01", 1, "a")]


def test_a_write_under_way_fails_when_a_later_one_of_its_order_ends_before(lake: Lake, tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"

    def waiting(word: str) -> str:
        started.touch()
        while not go.exists():
            time.sleep(0.05)
        return word

    lake.create(TABLE)
    rows = values(lake, "('2024-01-01', 1, 'early')").withColumn("word", F.udf(waiting, "string", useArrow=False)("word"))
    with ThreadPoolExecutor() as pool:
        early = pool.submit(lake.replace_where, rows, TABLE, "id > 0", Mark("turns", 1))
        while not started.exists() and not early.done():
            time.sleep(0.05)
        # Neither touches what the other reads or writes.
        lake.replace_where(values(lake, "('2024-01-02', -1, 'late')"), TABLE, "day = '2024-01-02'", Mark("turns", 2))
        go.touch()
        with pytest.raises(LakeError, match="table things was changed by another writer at the same time: run again"):
            early.result()
    assert stored(lake) == [("2024-01-02", -1, "late")]


def test_a_column_keeps_its_type_and_who_wants_another_is_told_before_anything_is_written(lake: Lake) -> None:
    lake.replace(values(lake, "('2024-01-01', 1, 'a')"), TABLE)
    day, number, word = TABLE.columns
    other = replace(TABLE, columns=(day, replace(number, type="int"), replace(word, type="date"), replace(word, name="new")))
    frame = lake.spark.sql("SELECT DATE'2024-01-01' AS day, 1 AS id, DATE'2024-01-01' AS word, 'x' AS new")
    told = (
        "table things: column id is stored as bigint, the definitions say int; column word is stored as string, the definitions say date. "
        ".* give what changed a new name"
    )
    for write in (
        lambda: lake.replace(frame, other),
        lambda: lake.replace_where(frame, other, "id = 1"),
        lambda: lake.append(frame, other),
    ):
        with pytest.raises(LakeError, match=told):
            write()
    assert stored(lake) == [("2024-01-01", 1, "a")]


def test_structs_of_a_stored_column_can_get_further_fields(lake: Lake) -> None:
    day, number, word = TABLE.columns
    small, large = (
        replace(TABLE, columns=(day, number, replace(word, type=f"array<struct<{inner}>>"))) for inner in ("a:int", "a:int,b:int")
    )
    frame = lake.spark.sql("SELECT DATE'2024-01-01' AS day, 1L AS id, array(named_struct('a', 1)) AS word")
    lake.replace_where(frame, small, "id = 1")
    lake.replace_where(frame.selectExpr("day", "2L AS id", "array(named_struct('a', 2, 'b', 3)) AS word"), large, "id = 2")
    found = {row.id: row.word[0].asDict() for row in lake.read(large).collect()}
    assert found == {1: {"a": 1, "b": None}, 2: {"a": 2, "b": 3}}
    with pytest.raises(LakeError, match="column word is stored as array<struct<a:int,b:int>>, the definitions say array<struct<a:int>>"):
        lake.check(small)
