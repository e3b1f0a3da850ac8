"""The keys that link accounts to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

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


def key_sizes(keys: DataFrame) -> DataFrame:
    """Keys that at least two accounts share: columns link_key, accounts."""
    return keys.groupBy("link_key").agg(F.count("*").alias("accounts")).where("accounts > 1")
