"""Tables of which one stage makes a day at a time: which days are whole, and what they were made from.

A stage says that a day begins before it writes the day's rows, and that it has ended after all that follows from them, such as a
history. So what a kill leaves behind shows, to whoever reads the day and to the next run of the stage, whatever its day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import LakeError
from persona_spark.lake.code import code_version
from persona_spark.lake.contract import frame_of
from persona_spark.lake.dates import on_days
from persona_spark.schema import DAY_STATE, IDENTITY, USER_SCORES, USER_SEGMENTS, USER_TAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date
    from typing import Any

    from persona_spark.config.load import Conf, SpecName
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table
    from persona_spark.time import AsOf


@dataclass(frozen=True)
class Daily:
    """A table of which a stage makes a day at a time.

    Attributes:
        table: the table.
        command: of the stage, after `persona`.
        specs: the definitions that decide its rows; which model gave the segments stands in their rows.
    """

    table: Table
    command: str
    specs: tuple[SpecName, ...] = ()

    def definition(self, conf: Conf) -> str:
        """What decides its rows: hash of the definitions, labels among them, and the code."""
        return f"{conf.digest_of(*self.specs)} {code_version()}" if self.specs else code_version()


IDENTITIES = Daily(IDENTITY, "identify")
SCORES = Daily(USER_SCORES, "score", ("features", "scores"))
TAGS = Daily(USER_TAGS, "tag", ("features", "scores", "tags"))
SEGMENTS = Daily(USER_SEGMENTS, "segments assign", ("features", "scores", "tags"))
MARKED = tuple(daily.table for daily in (SCORES, TAGS, SEGMENTS, IDENTITIES))
"""The tables of which `day_state` has days: what is made of others first."""


def begin_day(lake: Lake, daily: Daily, day: date) -> None:
    """Say that a day's rows are about to be written."""
    _write(lake, daily, day, {})


def tell_days(lake: Lake, daily: Daily, day: date, tell: Callable[[date, set[date]], None]) -> None:
    """Write what follows from the rows of a day, and of each other day that began and did not end.

    Args:
        lake: the lake.
        daily: whose days.
        day: the day whose rows were just written.
        tell: writes what follows from the rows of `day` and of the others; of one that had no rows yet, nothing does.
    """
    others = begun_days(lake, daily.table) - {day}
    tell(day, others)
    if others:
        # Not those that another run has ended meanwhile.
        lake.delete(DAY_STATE, f"{_on(daily.table, others)} AND definition IS NULL")


def end_day(lake: Lake, daily: Daily, conf: Conf, as_of: AsOf) -> None:
    """Say that a day is whole."""
    _write(lake, daily, as_of.date, {"ingest_seq": as_of.ingest_seq, "definition": daily.definition(conf)})


def begun_days(lake: Lake, table: Table) -> set[date]:
    """Days that began and did not end."""
    begun = (F.col("table_name") == F.lit(table.name)) & F.col("definition").isNull()
    return {row.as_of for row in lake.read(DAY_STATE).where(begun).collect()}


def forget_days(lake: Lake, table: Table, before: date, stay: Collection[date]) -> None:
    """Say of the days before one, but for those that `stay`, that they are not whole: their rows are about to be removed."""
    kept = f" AND NOT {on_days(stay)}" if stay else ""
    lake.delete(DAY_STATE, f"table_name = '{table.name}' AND as_of < DATE'{before}'{kept}")


def check_day(lake: Lake, daily: Daily, conf: Conf, as_of: AsOf) -> None:
    """Hold a day to what was known and to the definitions in use.

    Raises:
        LakeError: when the day was not made, or not to its end, knows another ingest, or was made by other definitions or other code.
    """
    found = lake.read(DAY_STATE).where(_on(daily.table, [as_of.date])).collect()
    if not found or found[0].definition is None:
        what = "was not made, or the run that made it did not end"
    elif found[0].ingest_seq != as_of.ingest_seq:
        what = f"knows ingest {found[0].ingest_seq}, not {as_of.ingest_seq}"
    elif found[0].definition != daily.definition(conf):
        what = "was made by other definitions or other code than those in use"
    else:
        return
    raise LakeError(f"{daily.table.name} as of {as_of.date} {what}: run persona {daily.command} --as-of {as_of.date} first")


def _write(lake: Lake, daily: Daily, day: date, made: Mapping[str, Any]) -> None:
    row = {"table_name": daily.table.name, "as_of": day, **made}
    lake.replace_where(frame_of(lake.spark, DAY_STATE, [row]), DAY_STATE, _on(daily.table, [day]))


def _on(table: Table, days: Collection[date]) -> str:
    return f"table_name = '{table.name}' AND {on_days(days)}"
