"""Which users have other features than at the base, and why.

A stored value of a user is a function of the parts of tiles before as_of, of the versions of accounts before as_of, and of
which accounts are the user's. So a user whose accounts are the same has the same values unless a day's events are new or were
taken back, a day crossed an age at which some value changes, or a version of an account is new or came into force. Only measures
in windows change at ages beyond the first.
"""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from persona_spark.config.features_columns import ages_of
from persona_spark.config.tile_tables import user_features_table
from persona_spark.features.users import accounts_of
from persona_spark.lake.dates import on_day
from persona_spark.lake.known import known_rows, touched_days
from persona_spark.lake.tile_state import active_days
from persona_spark.schema import ACCOUNTS
from persona_spark.time import Window

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf

GONE, WINDOW = "gone", "window"
REASONS = (GONE, "accounts", "events", "attributes", WINDOW)
"""In the order in which a user with several of them is counted: has no accounts any more; has other accounts, or is new; events
are new, were taken back, or their day came to lie before as_of; an attribute is new or came into force; a day passed from a window
into another, which changes measures in windows and nothing else."""
_SEEN = ages_of(Window.parse("lifetime"))
"""The age at which a day comes to lie before as_of."""


def changed_users(lake: Lake, conf: Conf, base: AsOf, as_of: AsOf, owners: DataFrame) -> DataFrame:
    """Users whose row is not the base's.

    Args:
        lake: the lake.
        conf: the configuration.
        base: the as_of whose rows are carried over.
        as_of: the as_of that is made.
        owners: account_id, user_id at as_of.

    Returns:
        Columns user_id, reason; one row a user, the first of `REASONS` that holds.
    """
    base_users = lake.read(user_features_table(conf.features)).where(on_day(base.date))
    # Back in time, an event between the two days may have been taken back: the base counted it.
    touched = touched_days(lake, base.ingest_seq, as_of.ingest_seq).where(F.col("event_date") < F.lit(max(base.date, as_of.date)))
    crossing = active_days(lake, as_of.ingest_seq, crossing_ranges(base.date, as_of.date, (*_SEEN, *conf.features.ages())))
    came = F.when(F.col("event_date") >= F.lit(min(base.date, as_of.date)), _rank("events")).otherwise(_rank(WINDOW))
    found = [
        touched.select("account_id", _rank("events").alias("rank")),
        _stated(lake, conf, base, as_of).select("account_id", _rank("attributes").alias("rank")),
        crossing.select("account_id", came.alias("rank")),
    ]
    by_account = reduce(DataFrame.unionByName, found).groupBy("account_id").agg(F.min("rank").alias("rank"))
    by_user = by_account.join(owners, "account_id", "inner").select("user_id", "rank")
    rows = by_user.unionByName(other_accounts(owners, base_users))
    names = F.array(*(F.lit(reason) for reason in REASONS))
    return rows.groupBy("user_id").agg(F.min("rank").alias("rank")).select("user_id", F.get(names, F.col("rank")).alias("reason"))


def _rank(reason: str) -> Column:
    return F.lit(REASONS.index(reason))


def other_accounts(owners: DataFrame, base_users: DataFrame) -> DataFrame:
    """Users who have other accounts than in `base_users`, rows of `user_features`, or stand in one of the two only: user_id, rank."""
    now = accounts_of(owners)
    before = base_users.select("user_id", F.col("account_ids").alias("before"))
    both = now.join(before, "user_id", "full_outer").where(~F.col("account_ids").eqNullSafe(F.col("before")))
    rank = F.when(F.col("account_ids").isNull(), REASONS.index(GONE)).otherwise(REASONS.index("accounts"))
    return both.select("user_id", rank.alias("rank"))


def crossing_ranges(base: date, as_of: date, ages: tuple[int, ...]) -> list[tuple[date, date]]:
    """Half-open ranges of dates whose age passes one of `ages` between two days, in either direction; none overlap.

    A day counts from age 1 on in all windows, and leaves `30d` at age 31: of a step from D to D + 1, the day D gets age 1 and the day
    D - 30 gets age 31.
    """
    first, last = min(base, as_of), max(base, as_of)
    merged: list[tuple[date, date]] = []
    for age in sorted(ages, reverse=True):
        start, end = first - timedelta(days=age - 1), last - timedelta(days=age - 1)
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged


def _stated(lake: Lake, conf: Conf, base: AsOf, as_of: AsOf) -> DataFrame:
    """Accounts with versions that are new and in force, that came into force or are not any more, or whose day of registration did."""
    first, last = min(base.date, as_of.date), max(base.date, as_of.date)
    registered = F.to_date(F.from_utc_timestamp("registered_at", conf.main.lake.zone))
    came = [(day >= F.lit(first)) & (day < F.lit(last)) for day in (F.col("valid_from"), registered)]
    new = (F.col("ingest_seq") > F.lit(base.ingest_seq)) & (F.col("valid_from") < F.lit(as_of.date))
    return known_rows(lake, ACCOUNTS, as_of.ingest_seq).where(new | came[0] | came[1])
