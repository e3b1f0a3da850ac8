"""Writing a shop: its feeds, and the truth about its people."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import UsageError
from persona_spark.lake.result import StageResult
from persona_spark.simulate.accounts import account_ids, accounts
from persona_spark.simulate.catalogue import items
from persona_spark.simulate.draws import Draws, literals
from persona_spark.simulate.people import own_value, people
from persona_spark.simulate.personas import PERSONAS, RANGES
from persona_spark.simulate.promotions import Calendar
from persona_spark.simulate.sessions import sessions
from persona_spark.simulate.steps import events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from pyspark.sql import DataFrame, SparkSession

PARTS = ("items", "accounts", "events", "truth")
"""Folders of a simulated shop, in the order in which they are written; a shop with `truth` is complete."""
_LONGEST = 3660
_WHOLE_STAGE = "spark.sql.codegen.wholeStage"


def simulate(spark: SparkSession, *, users: int, days: int, seed: int, out: str, end: date) -> StageResult:
    """Write a shop with planted personas: the feeds `events`, `accounts`, `items`, and `truth`.

    The rows depend on users, days, seed and end only, not on the machine or how Spark divides the work. A shop that is there
    already is replaced.

    Args:
        spark: the session.
        users: people, at least 1.
        days: length of the history, 1 to 3660 days.
        seed: any whole number.
        out: a new or empty folder, or one that holds a simulated shop.
        end: the local day after the last day of history.

    Returns:
        Rows written, in all and by table.

    Raises:
        UsageError: when an argument cannot work or the folder holds something else.
    """
    folder = _checked(users, days, out)
    draws, calendar = Draws(seed), Calendar(end, days)
    persons = people(spark, users, calendar, draws)
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)
    target = {part: folder.as_uri() + f"/{part}" for part in PARTS}
    with _small_methods(spark):
        items(spark, draws).write.csv(target["items"], header=True)
        accounts(persons, calendar, draws).write.json(target["accounts"])
        events(sessions(persons, calendar, draws), calendar, draws).write.parquet(target["events"])
        truth(persons, draws).write.parquet(target["truth"])
    notes = {
        "events": spark.read.parquet(target["events"]).count(),
        "accounts": spark.read.text(target["accounts"]).count(),
        "items": spark.read.csv(target["items"], header=True).count(),
        "truth": users,
    }
    return StageResult(rows_in=0, rows_out=sum(notes.values()), notes=notes)


def truth(persons: DataFrame, draws: Draws) -> DataFrame:
    """One row a person: the accounts, the personas, and the numbers that the person was drawn with.

    Returns:
        person, account_ids (sorted, as in the feed), persona, is_mixed, second_persona (null unless mixed), share_of_first, gender, age,
        first_day and last_day (days of history; exclusive), orders and visits (sessions with and without an order), and
        own_<range> for every range: the person's own value as the first persona.
    """
    names = literals([persona.name for persona in PERSONAS])
    return persons.select(
        "person",
        account_ids(draws).alias("account_ids"),
        F.get(names, F.col("persona")).alias("persona"),
        "is_mixed",
        F.when(F.col("is_mixed"), F.get(names, F.col("second"))).alias("second_persona"),
        F.when(F.col("is_mixed"), F.col("share_of_first")).otherwise(1.0).alias("share_of_first"),
        "gender",
        "age",
        "first_day",
        "last_day",
        F.col("buys").alias("orders"),
        F.col("browses").alias("visits"),
        *(own_value(name, F.col("persona")).alias(f"own_{name}") for name in RANGES),
    )


@contextmanager
def _small_methods(spark: SparkSession) -> Iterator[None]:
    """Let Spark compile expressions into many small methods.

    In one method a stage, these are so many that Java would never compile it, and events would take three times as long.
    """
    before = spark.conf.get(_WHOLE_STAGE, "true")
    spark.conf.set(_WHOLE_STAGE, "false")
    try:
        yield
    finally:
        spark.conf.set(_WHOLE_STAGE, str(before))


def _checked(users: int, days: int, out: str) -> Path:
    if users < 1:
        raise UsageError(f"users is {users}: a shop needs at least 1")
    if not 1 <= days <= _LONGEST:
        raise UsageError(f"days is {days}: write 1 to {_LONGEST}")
    if "://" in out:
        raise UsageError(f"{out} is a URL: name a folder; on a cluster one that all workers share")
    folder = Path(out).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder for the shop")
    others = sorted({path.name for path in folder.iterdir()} - set(PARTS)) if folder.exists() else []
    if others:
        raise UsageError(f"{folder} holds {', '.join(others[:5])}, which no simulated shop has: name a new or empty folder")
    return folder
