from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from persona_spark.errors import ContractError, LakeError
from persona_spark.schema import Column, Table

if TYPE_CHECKING:
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
