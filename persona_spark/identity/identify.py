"""The stage that finds the user behind each account, and writes down which user ids changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.identity.accounts import accounts_base, identities, known_accounts
from persona_spark.identity.components import founders
from persona_spark.identity.links import LARGEST_GROUP, account_keys, key_sizes, relinked
from persona_spark.lake.code import IDENTITY_CODE, code_version
from persona_spark.lake.dates import on_day
from persona_spark.lake.day_state import IDENTITIES, begin_day, end_day, tell_days
from persona_spark.lake.days import expired_days, last_before, next_after
from persona_spark.lake.result import StageResult
from persona_spark.schema import IDENTITY, USER_ALIAS
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake


def user_id_of(account_id: Column) -> Column:
    """The user id minted from a founder's account_id: `u_` and 24 hexadecimal digits."""
    return F.concat(F.lit("u_"), F.substring(F.sha2(account_id, 256), 1, 24))


def identify(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Write `identity` of as_of, and `user_alias` of as_of and of the next later one that exists, then its row of `day_state`.

    Accounts that share a link key, directly or through others, are one user; the founder is the account with the lowest
    (first ingest_seq, account_id). Keys that more than `LARGEST_GROUP` accounts share are ignored and counted. Which accounts there
    are and who is behind them is taken over from the `accounts_base`; anew are new accounts and users of whom a key came or went.
    """
    known, notes = _identities(lake, as_of)
    begin_day(lake, IDENTITIES, as_of.date)
    rows = lake.replace_where(known, IDENTITY, on_day(as_of.date))
    tell_days(lake, IDENTITIES, as_of.date, partial(write_aliases, lake))
    end_day(lake, IDENTITIES, conf, as_of)
    changed = lake.read(USER_ALIAS).where(on_day(as_of.date)).count()
    users = identities(lake, as_of.date).select(F.count_distinct("user_id")).collect()[0][0]
    return StageResult(rows_in=rows, rows_out=rows, notes={"users": users, **notes, "changed_user_ids": changed})


def _identities(lake: Lake, as_of: AsOf) -> tuple[DataFrame, dict[str, Any]]:
    """The rows of `identity` at as_of, and how they were found."""
    keys = account_keys(lake, as_of).localCheckpoint()
    sizes = key_sizes(keys).agg(F.count_if(F.col("accounts") <= LARGEST_GROUP), F.count_if(F.col("accounts") > LARGEST_GROUP)).collect()[0]
    linking, ignored = int(sizes[0]), int(sizes[1])
    base = accounts_base(lake, as_of)
    accounts = known_accounts(lake, as_of, base).localCheckpoint()
    anew = (keys.select("account_id").distinct() if base is None else relinked(lake, as_of, base, keys)).localCheckpoint()
    groups, rounds = anew.withColumn("founder", F.col("account_id")), 0
    if linking and not anew.isEmpty():
        groups, rounds = _groups(keys, anew, accounts)
    user_id = F.coalesce(user_id_of(F.col("founder")), F.col("user_id"), user_id_of(F.col("account_id")))
    rows = accounts.join(groups, on="account_id", how="left").select(
        F.lit(as_of.date).alias("as_of"),
        "account_id",
        user_id.alias("user_id"),
        F.lit(as_of.ingest_seq).cast("bigint").alias("ingest_seq"),
        "first_seq",
        F.lit(code_version(IDENTITY_CODE)).alias("code"),
    )
    taken = {} if base is None else {"base": str(base)}
    return rows, {**taken, "linking_keys": linking, "ignored_keys": ignored, "rounds": rounds}


def _groups(keys: DataFrame, anew: DataFrame, accounts: DataFrame) -> tuple[DataFrame, int]:
    """The founder of each account of `anew`: columns account_id, founder; and the rounds that it took."""
    useful = key_sizes(keys).where(F.col("accounts") <= LARGEST_GROUP).select("link_key")
    links = keys.join(anew, on="account_id", how="left_semi").join(useful, on="link_key", how="left_semi")
    label = F.struct(F.col("first_seq").alias("ingest_seq"), F.col("account_id").alias("account_id"))
    labels, rounds = founders(links.join(accounts, on="account_id", how="inner").select("account_id", "link_key", label.alias("label")))
    founder = F.coalesce(F.col("label.account_id"), F.col("account_id"))
    return anew.join(labels, on="account_id", how="left").select("account_id", founder.alias("founder")), rounds


def write_aliases(lake: Lake, day: date, others: set[date]) -> None:
    """Compare the identities of `day`, of `others`, and of the next day after each with the ones before them.

    The later days are written again because a day may have been filled in before them.
    """
    found = lake.read(IDENTITY).select("as_of").union(expired_days(lake, IDENTITY).select("as_of")).distinct().collect()
    line = sorted({row.as_of for row in found})
    told = {day, *others}
    told |= {after for one in told if (after := next_after(line, one)) is not None}
    for current in sorted(told):
        lake.replace_where(_changes(lake, last_before(line, current), current), USER_ALIAS, on_day(current))


def _changes(lake: Lake, before: date | None, day: date) -> DataFrame:
    # Without an earlier day nothing is before, and nothing has changed.
    old = _identified(lake, before or day).select("account_id", F.col("user_id").alias("old_user_id"))
    new = _identified(lake, day).select("as_of", "account_id", F.col("user_id").alias("new_user_id"))
    return (
        new.join(old, on="account_id", how="inner")
        .where("old_user_id != new_user_id")
        .select("as_of", "account_id", "old_user_id", "new_user_id")
    )


def _identified(lake: Lake, day: date) -> DataFrame:
    """The rows of `identity` at a day; those that have expired are found again from what was known then."""
    rows = identities(lake, day)
    expired = expired_days(lake, IDENTITY).where(on_day(day)).collect()
    if not expired or not rows.isEmpty():
        return rows
    return _identities(lake, AsOf(day, int(expired[0].ingest_seq)))[0]
