"""A lake whose writes stay in memory: stages run on it as on any other, and nothing of the real one changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pyspark.sql import functions as F

from persona_spark.lake.contract import enforce, frame_of
from persona_spark.lake.tables import Lake

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

    from pyspark.sql import Column, DataFrame, SparkSession

    from persona_spark.lake.mark import Mark
    from persona_spark.schema import Table


class MemoryLake(Lake):
    """Reads go to a lake unless the table was written here; writes are kept by Spark, in memory and on local disks, until the end.

    Args:
        lake: the lake below, which is only read.
        visible: the tables of it that are seen; None for all.
    """

    def __init__(self, lake: Lake, visible: Collection[Table] | None = None) -> None:
        super().__init__(lake.spark, path=lake.root, schema=lake.schema)
        self._below = lake
        self._visible = None if visible is None else {table.name for table in visible}
        self._written: dict[str, DataFrame] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Give back the memory; what was written is gone."""
        self._written = {}

    def exists(self, table: Table) -> bool:
        """Whether the table was written here, or is visible and exists below."""
        return table.name in self._written or (self._sees(table) and self._below.exists(table))

    def read(self, table: Table) -> DataFrame:
        """The table's rows; an empty frame with its schema when it does not exist."""
        if table.name in self._written:
            return self._written[table.name]
        return self._below.read(table) if self._sees(table) else frame_of(self.spark, table)

    def replace(self, df: DataFrame, table: Table) -> int:
        """Replace the whole table; returns its rows."""
        return self._keep(table, enforce(df, table))

    def replace_where(self, df: DataFrame, table: Table, condition: str, mark: Mark | None = None) -> int:  # noqa: ARG002 - nobody else writes
        """Replace the rows that meet `condition`; returns the rows written."""
        return self._add(table, df, ~_holds(F.expr(condition)))

    def append(self, df: DataFrame, table: Table) -> None:
        """Add rows."""
        self._add(table, df, F.expr("true"))

    def insert_new(self, df: DataFrame, table: Table) -> int:
        """Add the rows whose key is not there yet; returns the rows added."""
        return self._add(table, df.join(self.read(table).select(*table.key), list(table.key), "left_anti"), F.expr("true"))

    def create(self, table: Table) -> None:
        """Create the table, empty, unless it exists."""
        if not self.exists(table):
            self._written[table.name] = frame_of(self.spark, table)

    def delete(self, table: Table, condition: str) -> None:
        """Remove the rows that meet `condition`."""
        if self.exists(table):
            self._put(table, self.read(table).where(~_holds(F.expr(condition))))

    def delete_matching(self, keys: DataFrame, table: Table, within: str) -> None:  # noqa: ARG002 - what is read needs no pruning here
        """Remove the rows whose values stand in `keys`."""
        if self.exists(table):
            old = self.read(table)
            self._put(table, old.join(keys.distinct(), keys.columns, "left_anti").select(*old.columns))

    def table_id(self, table: Table) -> str:
        """An id of the table; one written here is nobody else's."""
        return f"memory {table.name}" if table.name in self._written else self._below.table_id(table)

    def _sees(self, table: Table) -> bool:
        return self._visible is None or table.name in self._visible

    def _add(self, table: Table, df: DataFrame, stays: Column) -> int:
        new = self._hold(enforce(df, table))
        rows = new.count()
        self._put(table, self.read(table).where(stays).unionByName(new, allowMissingColumns=True) if self.exists(table) else new)
        return rows

    def _put(self, table: Table, rows: DataFrame) -> None:
        """Without this, what is written again and again would be a plan that grows, and that every read runs; rows below stay there."""
        again = table.name in self._written
        self._written[table.name] = self._hold(rows.coalesce(_partitions(self.spark))) if again else rows

    def _keep(self, table: Table, df: DataFrame) -> int:
        self._written[table.name] = self._hold(df)
        return self._written[table.name].count()

    def _hold(self, df: DataFrame) -> DataFrame:
        # What is persisted would be computed again where a query reads a union in it twice.
        return df.localCheckpoint()


def _partitions(spark: SparkSession) -> int:
    return int(spark.conf.get("spark.sql.shuffle.partitions") or 1)


def _holds(condition: Column) -> Column:
    return F.coalesce(condition, F.expr("false"))
