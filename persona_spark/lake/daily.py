"""Tables of which one stage makes a day at a time: which days are whole, and what they were made from.

A stage takes a day's mark away before it writes the day's rows, and sets it after all that follows from them, such as a history.
So what a kill leaves behind shows, to whoever reads the day and to the next run of the stage, whatever its day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import LakeError
from persona_spark.lake.code import code_version
from persona_spark.lake.contract import struct_of
from persona_spark.schema import DAY_STATE, IDENTITY, USER_SCORES, USER_SEGMENTS, USER_TAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    from persona_spark.config.load import Conf, Spec
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table
    from persona_spark.time import AsOf


@dataclass(frozen=True)
class Daily:
    """A table of which a stage makes a day at a time.

    Attributes:
        table: the table.
        command: of the stage, after `persona`.
        specs: the definitions that decide its rows.
    """

    table: Table
    command: str
    specs: tuple[Spec, ...] = ()

    def definition(self, conf: Conf) -> str:
        """What decides its rows: hash of the definitions, and the code."""
        return f"{conf.digest_of(*self.specs)} {code_version()}" if self.specs else code_version()


IDENTITIES = Daily(IDENTITY, "identify")
SCORES = Daily(USER_SCORES, "score", ("features", "scores"))
TAGS = Daily(USER_TAGS, "tag", ("features", "scores", "tags"))
SEGMENTS = Daily(USER_SEGMENTS, "segments assign", ("features", "scores", "tags"))


def unmark_days(lake: Lake, table: Table, *days: date) -> None:
    """Say that days are not whole: their rows are about to be written or removed."""
    lake.delete(DAY_STATE, _on(table, days))


def mark_day(lake: Lake, daily: Daily, conf: Conf, as_of: AsOf, tell: Callable[[date], object] | None = None) -> None:
    """Say that a day is whole.

    Args:
        lake: the lake.
        daily: whose day.
        conf: the configuration.
        as_of: the day, and what was known.
        tell: writes what follows from a day's rows; called for `as_of`, and for each day with rows of which a run did not end, in order.
    """
    row = (daily.table.name, as_of.date, as_of.ingest_seq, daily.definition(conf))
    left: set[date] = set()
    if tell is not None:
        left = _unmarked(lake, daily.table) - {as_of.date}
        for day in sorted({*left, as_of.date}):
            tell(day)
    # What the rows of such a day were made from is not known.
    rows = [row, *((daily.table.name, day, None, None) for day in left)]
    lake.replace_where(lake.spark.createDataFrame(rows, struct_of(DAY_STATE)), DAY_STATE, _on(daily.table, [as_of.date, *left]))


def check_day(lake: Lake, daily: Daily, conf: Conf, as_of: AsOf) -> None:
    """Hold a day to what was known and to the definitions in use.

    Raises:
        LakeError: when the day has not been made, or not to its end, knows another ingest, or was made by other definitions or other code.
    """
    found = lake.read(DAY_STATE).where(F.expr(_on(daily.table, [as_of.date]))).collect()
    if not found or found[0].definition is None:
        what = "was not made, or the run that made it did not end"
    elif found[0].ingest_seq != as_of.ingest_seq:
        what = f"knows ingest {found[0].ingest_seq}, not {as_of.ingest_seq}"
    elif found[0].definition != daily.definition(conf):
        what = "was made by other definitions or other code than those in use"
    else:
        return
    raise LakeError(f"{daily.table.name} as of {as_of.date} {what}: run persona {daily.command} --as-of {as_of.date} first")


def _unmarked(lake: Lake, table: Table) -> set[date]:
    """Days that have rows and no mark."""
    marked = lake.read(DAY_STATE).where(F.col("table_name") == F.lit(table.name)).select("as_of")
    return {row.as_of for row in lake.read(table).select("as_of").distinct().join(marked, "as_of", "left_anti").collect()}


def _on(table: Table, days: Collection[date]) -> str:
    dates = ", ".join(f"DATE'{day}'" for day in days)
    return f"table_name = '{table.name}' AND as_of IN ({dates})"
