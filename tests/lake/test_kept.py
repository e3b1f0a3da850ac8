from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F
from settings import settings_of

from persona_spark.lake.kept import checkpointed, kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession


def users(spark: SparkSession) -> DataFrame:
    return spark.range(40).select((F.col("id") % 7).alias("user_id"), "id").sortWithinPartitions("user_id")


@pytest.mark.parametrize("keep", [checkpointed, kept])
def test_rows_are_computed_once_and_stay(spark: SparkSession, keep: Callable[[DataFrame], DataFrame]) -> None:
    # Unlike F.rand, whose seed belongs to the plan, it draws anew whenever it is computed.
    drawn = keep(users(spark).withColumn("drawn", F.expr("reflect('java.util.UUID', 'randomUUID')")))
    try:
        assert drawn.columns == ["user_id", "id", "drawn"]
        first = sorted(map(tuple, drawn.collect()))
        assert len(first) == 40
        assert sorted(map(tuple, drawn.collect())) == first
        both = drawn.join(drawn.select("id", F.col("drawn").alias("again")), "id")
        assert both.where("drawn = again").count() == 40
    finally:
        drawn.unpersist()


@pytest.mark.parametrize("adaptive", ["false", "true"])
def test_what_is_made_of_a_checkpoint_for_two_uses_in_a_query_is_made_once(
    spark: SparkSession, capsys: pytest.CaptureFixture[str], adaptive: str
) -> None:
    with settings_of(spark, {"spark.sql.adaptive.enabled": adaptive}):
        owners = F.broadcast(checkpointed(users(spark)).select(F.col("id").alias("account"), "user_id"))
        events = spark.range(100).select((F.col("id") % 40).alias("account"), F.col("id").alias("value"))
        owned = events.join(owners, "account").groupBy("user_id")
        sums, most = owned.agg(F.sum("value").alias("sum")), owned.agg(F.max("value").alias("most"))
        both = sums.join(most, "user_id")
        assert len(both.collect()) == 7
        both.explain()
    plan = capsys.readouterr().out.split("== Initial Plan ==")[0]
    assert (plan.count("Scan ExistingRDD"), plan.count("ReusedExchange")) == (1, 1), plan
