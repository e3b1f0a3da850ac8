"""The lake: named Delta tables in a folder or in a catalog schema. The only module that imports delta.

Every write is one commit, and writing the same again leaves the same content, so a killed stage is simply run again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
    ProtocolChangedException,
)
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from persona_spark.errors import LakeError
from persona_spark.lake.contract import check_stored, enforce, frame_of, struct_of
from persona_spark.lake.folder import plain_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

    from persona_spark.lake.mark import Mark
    from persona_spark.schema import Table

_CONFLICTS = (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
    ProtocolChangedException,
)
"""What Delta raises when two writers meet; in Python these classes have no common parent of their own."""

_DELETION_VECTORS = "delta.enableDeletionVectors"
_RECENT = 20
"""Commits among which a writer looks for its own: others may have followed it, such as those of upkeep."""


@contextmanager
def alone(table: Table, other: str = "another writer", todo: str = "run again") -> Iterator[None]:
    """Say in words when Delta finds that somebody else changed the table while it was being written.

    Raises:
        LakeError: naming the table, `other` who changed it, and what is `todo`.
    """
    try:
        yield
    except _CONFLICTS as error:
        raise LakeError(f"table {table.name} was changed by {other} at the same time: {todo}") from error


class Lake:
    """Tables by name, in a folder (`path`) or in a catalog schema (`schema`), with the same code for both.

    Args:
        spark: the session.
        path: folder of the lake; each table is a folder in it.
        schema: catalog schema, such as `main.persona`; each table is a table in it.

    Raises:
        LakeError: unless exactly one of `path` and `schema` is given.
    """

    def __init__(self, spark: SparkSession, path: str | Path | None = None, schema: str | None = None) -> None:
        if (path is None) == (schema is None):
            msg = "a lake needs either a folder (path) or a catalog schema (schema)"
            raise LakeError(msg)
        self.spark = spark
        self.schema = schema
        self.root = None if path is None else plain_path(str(path))

    def location(self, table: Table) -> str:
        """Where the table is: its folder, or its name in the catalog."""
        return f"{self.root}/{table.name}" if self.schema is None else f"{self.schema}.{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether the table has been created."""
        if self.schema is None:
            return bool(DeltaTable.isDeltaTable(self.spark, self.location(table)))
        return bool(self.spark.catalog.tableExists(self.location(table)))

    def read(self, table: Table) -> DataFrame:
        """The table's rows; an empty frame with its schema when it does not exist yet."""
        if not self.exists(table):
            return frame_of(self.spark, table)
        if self.schema is None:
            return self.spark.read.format("delta").load(self.location(table))
        return self.spark.read.table(self.location(table))

    def require(self, table: Table, todo: str) -> DataFrame:
        """The table's rows.

        Args:
            table: what to read.
            todo: what to do when it is missing, for example `run persona ingest first`.

        Raises:
            LakeError: when the table does not exist.
        """
        if not self.exists(table):
            msg = f"table {table.name} does not exist in {self.root or self.schema}: {todo}"
            raise LakeError(msg)
        return self.read(table)

    def replace(self, df: DataFrame, table: Table) -> int:
        """Replace the whole table in one commit, its columns too; returns the rows written."""
        gone = self.exists(table) and set(self.read(table).columns) - set(table.names)
        return self._write(enforce(df, table), table, {"overwriteSchema" if gone else "mergeSchema": "true"})

    def replace_where(self, df: DataFrame, table: Table, condition: str, mark: Mark | None = None) -> int:
        """Replace the rows that meet `condition` in one commit; every row of `df` must meet it.

        New columns of the contract are added to the table; returns the rows written.

        Raises:
            LakeError: when another writer changed the table meanwhile, or has a later place in the order of `mark`, or when a stored
                column has another type than the contract says.
        """
        return self._write(enforce(df, table), table, {"replaceWhere": condition, "mergeSchema": "true"}, mark)

    def append(self, df: DataFrame, table: Table) -> None:
        """Add rows without looking at those that are there, also where others add some: only for logs, whose rows never repeat."""
        self._save(enforce(df, table).write.format("delta").mode("append"), table)

    def insert_new(self, df: DataFrame, table: Table) -> int:
        """Insert the rows whose key is not in the table yet; `df` must hold each key once; returns the rows inserted.

        Raises:
            LakeError: when another writer changed the table meanwhile.
        """
        same = " AND ".join(f"new.`{name}` <=> old.`{name}`" for name in table.key)
        with alone(table):
            self.create(table)
            merge = self.native(table).alias("old").merge(enforce(df, table).alias("new"), same).whenNotMatchedInsertAll()
            # The merge's own count: the table's history may show a commit that another writer made meanwhile.
            return int(merge.execute().select("num_inserted_rows").collect()[0][0])

    def create(self, table: Table) -> None:
        """Create the table, empty, with comments, NOT NULL and partitions; one that exists is only held to the contract's types.

        Raises:
            LakeError: when a stored column has another type than the contract says.
        """
        if self.exists(table):
            self.check(table)
            return
        builder = DeltaTable.createIfNotExists(self.spark).addColumns(struct_of(table)).comment(table.comment)
        if table.partition_by:
            builder = builder.partitionedBy(*table.partition_by)
        if table.ranges:
            builder = builder.property("delta.dataSkippingStatsColumns", ",".join(table.ranges))
        if self.schema is None:
            builder.location(self.location(table)).execute()
        else:
            builder.tableName(self.location(table)).execute()

    def check(self, table: Table) -> None:
        """Hold the stored table, if there is one, to the types of the contract; other columns than the contract's may be stored.

        Raises:
            LakeError: when a stored column has another type.
        """
        check_stored(self.read(table).schema, table)

    def delete(self, table: Table, condition: str) -> None:
        """Remove the rows that meet `condition`, in one commit.

        Raises:
            LakeError: when another writer changed the table meanwhile.
        """
        if not self.exists(table):
            return
        with alone(table):
            self.native(table).delete(condition)

    def delete_matching(self, keys: DataFrame, table: Table, within: str) -> None:
        """Remove the rows whose values stand in `keys`, a frame of some of the table's columns, in one commit.

        Args:
            keys: what to remove.
            table: where.
            within: condition on the table's partition columns that all of `keys` meet, so that other partitions need not be read; the
                table's columns are called `old.<name>` in it.

        Raises:
            LakeError: when another writer changed the table meanwhile.
        """
        if not self.exists(table):
            return
        same = " AND ".join([within, *(f"old.`{name}` = gone.`{name}`" for name in keys.columns)])
        with alone(table):
            self._enable_deletion_vectors(table)
            self.native(table).alias("old").merge(keys.distinct().alias("gone"), same).whenMatchedDelete().execute()

    def table_id(self, table: Table) -> str:
        """Delta's id of the table: another one whenever the table is made anew."""
        return str(self.native(table).detail().select("id").collect()[0][0])

    def native(self, table: Table) -> DeltaTable:
        """Delta's own handle of the table, for what concerns its files."""
        if self.schema is None:
            return DeltaTable.forPath(self.spark, self.location(table))
        return DeltaTable.forName(self.spark, self.location(table))

    def sql_name(self, table: Table) -> str:
        """How SQL names the table."""
        return self.location(table) if self.schema is not None else f"delta.`{self.location(table)}`"

    def _enable_deletion_vectors(self, table: Table) -> None:
        """Let Delta mark removed rows of the table instead of writing its files anew.

        Not before rows are removed: Delta lists all files of a table that may have marked rows dozens of times for each query.
        """
        if table.deletion_vectors and _DELETION_VECTORS not in self.native(table).detail().select("properties").collect()[0].properties:
            self.spark.sql(f"ALTER TABLE {self.sql_name(table)} SET TBLPROPERTIES ('{_DELETION_VECTORS}' = 'true')")

    def _write(self, df: DataFrame, table: Table, options: dict[str, str], mark: Mark | None = None) -> int:
        name = uuid4().hex
        options = {**options, "userMetadata": name, **(mark.options if mark else {}), **({"optimizeWrite": "false"} if table.as_is else {})}
        self._save(df.write.format("delta").mode("overwrite").options(**options).partitionBy(*table.partition_by), table)
        written = self._rows_written(table, name)
        if written is None and mark:
            # Delta passes over a write that comes too late in its order, without a word.
            raise LakeError(f"table {table.name} was changed by another writer at the same time, which goes first: run again")
        return written or 0

    def _save(self, writer: DataFrameWriter, table: Table) -> None:
        with alone(table):
            self.create(table)
            if self.schema is None:
                writer.save(self.location(table))
            else:
                writer.saveAsTable(self.location(table))

    def _rows_written(self, table: Table, name: str) -> int | None:
        """Rows of the commit that bears `name`; None when there was nothing to do and so no commit."""
        log = self.native(table).history(_RECENT).where(F.col("userMetadata") == F.lit(name)).select("operationMetrics").collect()
        if not log:
            return None
        # Rows that stand in one file with replaced ones are written again, and counted with the new ones.
        return int(log[0].operationMetrics.get("numOutputRows", 0)) - int(log[0].operationMetrics.get("numCopiedRows", 0))


def max_of(df: DataFrame, column: str) -> int:
    """Largest value of an integer column; 0 when there are no rows."""
    return int(df.agg(F.coalesce(F.max(column), F.lit(0))).collect()[0][0])


def latest_day(df: DataFrame) -> date | None:
    """Latest `as_of` of the rows; None when there are no rows."""
    day: date | None = df.agg(F.max("as_of")).collect()[0][0]
    return day
