"""Which accounts are known as of a day, and since which ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.code import IDENTITY_CODE, code_version
from persona_spark.lake.dates import on_day
from persona_spark.lake.known import known_rows
from persona_spark.lake.tables import latest_day
from persona_spark.lake.tile_state import EVER, active_days
from persona_spark.schema import ACCOUNTS, EVENTS, IDENTITY, RETRACTIONS
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake

_BEGINNING = AsOf(EVER[0], 0)
_OF_ACCOUNT = {"first_seq": F.min, "since": F.min, "user_id": F.max}


def accounts_base(lake: Lake, as_of: AsOf) -> AsOf | None:
    """The last day that has identities, up to as_of, unless it knew more, other code made it, or events have been taken back since."""
    identity = lake.read(IDENTITY)
    day = latest_day(identity.where(F.col("as_of") <= F.lit(as_of.date)))
    if day is None:
        return None
    row = identities(lake, day).select("ingest_seq", "code").first()
    if row is None or row.code != code_version(IDENTITY_CODE) or row.ingest_seq > as_of.ingest_seq:
        return None
    taken_back = known_rows(lake, RETRACTIONS, as_of.ingest_seq, row.ingest_seq)
    return AsOf(day, int(row.ingest_seq)) if taken_back.isEmpty() else None


def known_accounts(lake: Lake, as_of: AsOf, base: AsOf | None) -> DataFrame:
    """Accounts with an event or a registration before as_of.

    The first ingest is taken over all dates, so that an account keeps its rank whatever as_of is looked at. What the base knew of an
    account that it does not have is dated on its day or later, so nothing older is read but what later ingests brought.

    Args:
        lake: the lake.
        as_of: the day, and what was known.
        base: an `accounts_base` of as_of, whose accounts are taken over; None to look at everything.

    Returns:
        Columns account_id, first_seq, user_id (the base's, else null); one row an account.
    """
    after = base or _BEGINNING
    active = active_days(lake, as_of.ingest_seq, ((after.date, EVER[1]),))
    found = _dated(stated_since(lake, as_of, after), "ingest_seq", "valid_from").unionByName(_dated(active, "first_seq", "event_date"))
    found = found.withColumn("user_id", F.lit(None).cast("string"))
    if base is not None:
        taken = identities(lake, base.date).select("account_id", "first_seq", F.lit(_BEGINNING.date).alias("since"), "user_id")
        new = _dated(known_rows(lake, EVENTS, as_of.ingest_seq, base.ingest_seq), "ingest_seq", "event_date")
        found = found.unionByName(new, allowMissingColumns=True).unionByName(taken)
    first = found.groupBy("account_id").agg(*(how(name).alias(name) for name, how in _OF_ACCOUNT.items()))
    return first.where(F.col("since") < F.lit(as_of.date)).drop("since")


def stated_since(lake: Lake, as_of: AsOf, base: AsOf) -> DataFrame:
    """Known versions of accounts that the base did not see, of days after as_of too: rows of `accounts`."""
    recent = (F.col("valid_from") >= F.lit(base.date)) | (F.col("ingest_seq") > F.lit(base.ingest_seq))
    return known_rows(lake, ACCOUNTS, as_of.ingest_seq).where(recent)


def identities(lake: Lake, day: date) -> DataFrame:
    """Rows of `identity` as of a day."""
    return lake.read(IDENTITY).where(on_day(day))


def _dated(rows: DataFrame, seq: str, day: str) -> DataFrame:
    return rows.select("account_id", F.col(seq).alias("first_seq"), F.col(day).alias("since"))
