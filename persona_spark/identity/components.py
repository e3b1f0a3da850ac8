"""Connected components of the graph of accounts and the keys that they share, by passing the smallest label on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.kept import kept

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def founders(links: DataFrame) -> tuple[DataFrame, int]:
    """The founder of each linked account: the smallest label among all accounts that can be reached through shared keys.

    The rounds are those of FastSV (Zhang, Azad, Hu, "FastSV: a distributed-memory connected component algorithm with fast
    convergence", 2020): each account takes the smallest label among its neighbours, hands it to the account that its old
    label names too, and then takes the label of the account that its new label names. A chain of n accounts takes about
    log(n) rounds.

    Args:
        links: columns account_id, link_key, label; one row an account and key. label is a struct that ends in the account's
            own account_id and orders the accounts.

    Returns:
        Columns account_id, label (the founder's), one row a linked account; and the number of rounds until nothing changed.
    """
    # Each round builds on the one before: otherwise the plan would double every time.
    edges, passed = kept(links.select("account_id", "link_key")), kept(links.select("account_id", "label").distinct())
    rounds, done = 0, False
    while not done:
        rounds, before = rounds + 1, passed
        passed = kept(_pass_on(edges, before.select("account_id", "label")))
        before.unpersist()
        done = passed.where("label != before").isEmpty()
    labels = passed.select("account_id", "label").localCheckpoint()
    for frame in (edges, passed):
        frame.unpersist()
    return labels, rounds


def _pass_on(edges: DataFrame, labels: DataFrame) -> DataFrame:
    """One round: columns account_id, label, before."""
    by_key = edges.join(labels, on="account_id", how="inner").groupBy("link_key").agg(F.min("label").alias("label"))
    near = edges.join(by_key, on="link_key", how="inner").groupBy("account_id").agg(F.min("label").alias("label"))
    found = near.join(labels.withColumnRenamed("label", "before"), on="account_id", how="inner")
    handed = found.groupBy(F.col("before.account_id").alias("account_id")).agg(F.min("label").alias("handed"))
    hooked = found.join(handed, on="account_id", how="left").select("account_id", F.least("label", "handed").alias("label"), "before")
    far = hooked.select(F.col("account_id").alias("via"), F.col("label").alias("far"))
    return (
        hooked.withColumn("via", F.col("label.account_id"))
        .join(far, on="via", how="inner")
        .select("account_id", F.col("far").alias("label"), "before")
    )
