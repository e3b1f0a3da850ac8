"""A published release as others read it: Polars, deltalake, DuckDB, the examples of docs/profiles.md."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from profile_rows import small_conf
from release_inputs import FIRST, MODEL

from persona_spark.lake.tables import Lake
from persona_spark.profiles.ledger import release_id
from persona_spark.profiles.tables import user_profile_history_table, user_profile_table
from persona_spark.schema import PROFILE_RELEASE

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from persona_spark.schema import Table

PAGE = Path(__file__).parents[2] / "docs" / "profiles.md"
ARROW = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "decimal(18,2)": pa.decimal128(18, 2),
}


@pytest.fixture
def lake(spark: SparkSession, published_once: Path) -> Lake:
    """A lake with one release; tests read it."""
    return Lake(spark, path=published_once)


def tables() -> tuple[Table, ...]:
    return user_profile_table(small_conf()), user_profile_history_table(small_conf()), PROFILE_RELEASE


@pytest.fixture
def path(lake: Lake) -> str:
    return lake.location(user_profile_table(small_conf()))


def test_documented_types_reach_arrow(path: str) -> None:
    found = {field.name: field.type for field in pa.schema(DeltaTable(path).schema().to_arrow())}
    table = user_profile_table(small_conf())
    assert list(found) == list(table.names)
    scalar = {column.name: ARROW[column.type] for column in table.columns if not column.type.startswith("array")}
    assert {name: kind for name, kind in scalar.items() if found[name] != kind} == {}
    assert all(pa.types.is_list(found[name]) for name in ("tags", "account_ids"))


def test_polars_reads_values(path: str) -> None:
    users = pl.read_delta(path).sort("user_id")
    assert users["paid_amount_lifetime"].to_list() == [Decimal("150.01"), Decimal("20.00"), Decimal("0.00")]
    assert users["tags"].to_list() == [["frequent_buyer", "reviewer"], ["reviewer"], []]
    assert users["segment_id"].to_list() == [1, 1, None]
    assert users["as_of"].to_list() == [FIRST.date] * 3


def test_duckdb_reads_values_through_arrow(path: str) -> None:
    con = duckdb.connect()
    con.register("users", DeltaTable(path).to_pyarrow_table())
    assert con.execute("SELECT sum(paid_amount_lifetime), sum(order_count_lifetime), count(*) FROM users").fetchall() == [
        (Decimal("170.01"), 3, 3)
    ]
    assert con.execute("SELECT user_id FROM users WHERE list_contains(tags, 'frequent_buyer')").fetchall() == [("ann",)]


def test_tables_need_reader_version_1(lake: Lake) -> None:
    assert {table.name: DeltaTable(lake.location(table)).protocol().min_reader_version for table in tables()} == {
        table.name: 1 for table in tables()
    }


def test_every_column_carries_its_comment(lake: Lake) -> None:
    for table in tables():
        fields = {field.name: field.metadata.get("comment") for field in DeltaTable(lake.location(table)).schema().fields}
        assert fields == {column.name: column.comment for column in table.columns}


def test_never_null_is_kept_by_the_table(lake: Lake, path: str) -> None:
    found = {field.name: field.nullable for field in DeltaTable(path).schema().fields}
    table = user_profile_table(small_conf())
    assert found == {column.name: table.may_be_null(column) for column in table.columns}
    with pytest.raises(Exception, match=r"(?i)not null"):
        lake.spark.sql(f"UPDATE delta.`{path}` SET order_count_lifetime = NULL")


def test_examples_of_the_page_run(lake: Lake) -> None:
    names: dict[str, Any] = {"spark": lake.spark, "release_id": release_id(small_conf(), FIRST, MODEL)}
    text = PAGE.read_text(encoding="utf-8").replace("lake/demo", str(lake.root))
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "docs/profiles.md", "exec"), names)  # noqa: S102 - our own page
    [sql] = re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert lake.spark.sql(sql).count() == 1
