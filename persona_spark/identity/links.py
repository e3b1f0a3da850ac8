"""The keys that link accounts to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.identity.accounts import identities, stated_since
from persona_spark.lake.known import known_rows
from persona_spark.schema import ACCOUNTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf

LARGEST_GROUP = 50
"""A key that more accounts share says nothing about a person: it is a shop's own phone number or a placeholder."""


def account_keys(lake: Lake, as_of: AsOf) -> DataFrame:
    """The keys that each feed's latest version of an account, valid before as_of, states.

    A newer version of the same feed takes the keys of the older one back; another feed's version does not, as it may not carry keys.

    Returns:
        Columns account_id, link_key; distinct.
    """
    latest = F.max_by("link_keys", F.struct("valid_from", "ingest_seq")).alias("link_keys")
    return (
        known_rows(lake, ACCOUNTS, as_of.ingest_seq)
        .where(F.col("valid_from") < F.lit(as_of.date))
        .groupBy("account_id", "source")
        .agg(latest)
        .select("account_id", F.explode("link_keys").alias("link_key"))
        .where(F.trim("link_key") != "")
        .distinct()
    )


def relinked(lake: Lake, as_of: AsOf, base: AsOf, keys: DataFrame) -> DataFrame:
    """Accounts whose user may be another than at the base: of every user and every key to which a key's coming or going matters.

    A key that came or went changes the user of the account that states it, of all accounts that share it, and, as the key may have
    held them together, of all that were one user with any of these. Nobody else shares a key with them that links.

    Args:
        lake: the lake.
        as_of: the day, and what was known.
        base: an earlier one.
        keys: `account_keys` of as_of.

    Returns:
        Column account_id, distinct.
    """
    in_force = F.col("valid_from") < F.lit(as_of.date)
    stating = stated_since(lake, as_of, base).where(in_force).select("account_id").distinct().localCheckpoint()
    now = keys.join(stating, "account_id", "left_semi")
    before = account_keys(lake, base).join(stating, "account_id", "left_semi")
    differing = now.exceptAll(before).unionByName(before.exceptAll(now)).localCheckpoint()
    sharing = keys.join(differing.select("link_key").distinct(), "link_key", "left_semi").select("account_id")
    accounts = differing.select("account_id").unionByName(sharing)
    old = identities(lake, base.date)
    users = old.join(accounts, "account_id", "left_semi").select("user_id").distinct()
    return accounts.unionByName(old.join(users, "user_id", "left_semi").select("account_id")).distinct()


def key_sizes(keys: DataFrame) -> DataFrame:
    """Keys that at least two accounts share: columns link_key, accounts."""
    return keys.groupBy("link_key").agg(F.count("*").alias("accounts")).where("accounts > 1")
