"""Users while their features are made: a whole number each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.kept import checkpointed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


FEW_USERS = 1_000_000
"""The accounts of no more users are sent to all tasks, so that tiles need not be shuffled by account before they are by user."""


def accounts_of(owners: DataFrame) -> DataFrame:
    """One row a user: user_id, account_ids (sorted).

    Args:
        owners: account_id, user_id.
    """
    return owners.groupBy("user_id").agg(F.sort_array(F.collect_set("account_id")).alias("account_ids"))


def numbered(users: DataFrame) -> DataFrame:
    """The same rows with `user_number`, a whole number of each user, which is hashed, compared and shuffled faster than the user's id.

    Numbers are those of this frame, so it is checkpointed. Users are sorted so that a task that runs again numbers them alike.

    Args:
        users: one row a user_id.
    """
    return checkpointed(users.sortWithinPartitions("user_id").withColumn("user_number", F.monotonically_increasing_id()))


def owners_of(users: DataFrame) -> DataFrame:
    """One row an account of `numbered` users: account_id, user_number."""
    return sent(users.select(F.explode("account_ids").alias("account_id"), "user_number"), users.count())


def sent(frame: DataFrame, users: int) -> DataFrame:
    """A frame of so many users, or of some of them, that is sent to all tasks when the users are few, and shuffled when not.

    Left to itself, Spark holds the bytes of such rows against those of compressed files, and sends the rows of tiles to all tasks.
    """
    return F.broadcast(frame) if users <= FEW_USERS else frame.hint("merge")
