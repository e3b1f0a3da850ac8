"""Whose turn it is to ingest: of two ingests at once at most one can commit, whatever the order of their writes.

Each ingest takes a turn, whose number is higher than all before, and every write carries it: a table that has seen a later turn
refuses the write within the commit itself. An ingest that finds the turn before it unfinished, because it was killed or still runs, first
shows its own turn to all tables. From then on nothing of the earlier one can be written, and what it left is removed.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from persona_spark.errors import LakeError
from persona_spark.lake.contract import frame_of
from persona_spark.lake.known import committed_seq
from persona_spark.lake.mark import Mark
from persona_spark.schema import ACCOUNTS, EVENTS, INGEST, INGEST_FILE, INGEST_TURN, ITEMS, QUARANTINE, RETRACTIONS

if TYPE_CHECKING:
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table

_NUMBERED = (EVENTS, ACCOUNTS, ITEMS, QUARANTINE, INGEST_FILE, RETRACTIONS)
_MOST_WRITES = 1000
"""Above the writes of a turn: some to each table."""


class Turn:
    """The turn of one ingest, and the only way to write what carries its number.

    Args:
        lake: the lake.
        number: the turn.
        seq: number of the ingest, one more than the last that is committed.
    """

    def __init__(self, lake: Lake, number: int, seq: int) -> None:
        self.lake = lake
        self.number = number
        self.seq = seq
        self._writes = 0
        # Whoever makes the table of turns anew starts again with turn 1.
        self._order = f"ingest turn {lake.table_id(INGEST_TURN)}"

    def write(self, rows: DataFrame, table: Table) -> int:
        """Make `rows` all that `table` has of this ingest, in one commit; returns the rows written.

        Raises:
            LakeError: when a later turn was taken.
        """
        return self._replace(rows, table, f"ingest_seq >= {self.seq}")

    def commit(self, row: DataFrame) -> None:
        """Write the row of `ingest`, which makes known what was written and ends the turn.

        Raises:
            LakeError: when a later turn was taken.
        """
        self.write(row, INGEST)

    def end(self) -> None:
        """End the turn without an ingest, so that the next one need not look for what this one left; nothing may be written after it."""
        _insert(self.lake, self.number + 1, self.seq - 1)

    def show(self) -> None:
        """Make all tables refuse the turns before; not one row is touched, so that an ingest that was just committed stays whole."""
        for table in (*_NUMBERED, INGEST):
            self._replace(frame_of(self.lake.spark, table), table, "ingest_seq < 0")

    def clear(self) -> None:
        """Remove what a killed ingest wrote, so that no later number makes it known."""
        tables = {table.name: table for table in _NUMBERED if self.lake.exists(table)}
        if not tables:
            return
        beyond = F.col("ingest_seq") >= self.seq
        left = [self.lake.read(table).where(beyond).select(F.lit(name).alias("name")).limit(1) for name, table in tables.items()]
        for row in reduce(DataFrame.unionAll, left).collect():
            self.write(frame_of(self.lake.spark, tables[row.name]), tables[row.name])

    def _replace(self, rows: DataFrame, table: Table, condition: str) -> int:
        self._writes += 1
        return self.lake.replace_where(rows, table, condition, Mark(self._order, self.number * _MOST_WRITES + self._writes))


def take_turn(lake: Lake, committed: int) -> Turn:
    """Begin the ingest after `committed`; from here on no other can be committed under its number.

    Args:
        lake: the lake.
        committed: number of the last committed ingest, on which the caller's work is built.

    Raises:
        LakeError: when another ingest was committed since, or takes its turn at the same time.
    """
    last = _last(lake)
    number, before = last or (0, 0)
    # Not less than before: were this one killed right here, those that it would have shut out must not pass for finished.
    _insert(lake, number + 1, max(before, committed + 1))
    turn = Turn(lake, number + 1, committed + 1)
    if before > committed:
        turn.show()
    # Only now: an earlier turn could commit until it was refused.
    if committed_seq(lake) != committed:
        raise LakeError("another ingest ran at the same time: run again")
    if last is None or before > committed:
        turn.clear()
    return turn


def _last(lake: Lake) -> tuple[int, int] | None:
    rows = lake.read(INGEST_TURN).orderBy(F.desc("turn")).limit(1).collect()
    return (int(rows[0].turn), int(rows[0].ingest_seq)) if rows else None


def _insert(lake: Lake, number: int, seq: int) -> None:
    row = frame_of(lake.spark, INGEST_TURN, [{"turn": number, "ingest_seq": seq}])
    lake.replace_where(row, INGEST_TURN, f"turn = {number}", Mark("turn", number))
