"""The tag stage: which tags hold at an as_of, and what changed since the as_of before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.result import StageResult
from persona_spark.projection import profile_frame
from persona_spark.schema import TAG_HISTORY, USER_TAGS
from persona_spark.tags.rules import evaluate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf


def tag(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Evaluate all tags for all users of as_of.

    Writes `user_tags` and `tag_history`, partition as_of, each in one commit.

    Raises:
        LakeError: when the features of as_of have not been computed.
    """
    profiles = profile_frame(lake, conf, as_of.date, parts=("scores",))
    condition = f"as_of = '{as_of.date}'"
    rows = lake.replace_where(evaluate(profiles, conf.tags), USER_TAGS, condition)
    changes = lake.replace_where(changes_at(lake.read(USER_TAGS), as_of.date), TAG_HISTORY, condition)
    return StageResult(profiles.count(), rows, {"tags": len(conf.tags.tags), "changes": changes})


def changes_at(user_tags: DataFrame, day: date) -> DataFrame:
    """Tags gained and lost at `day` against the latest as_of before it; everything is gained when there is none.

    Returns:
        as_of, user_id, tag, change (gained or lost).
    """
    before = user_tags.where(F.col("as_of") < F.lit(day))
    last = before.agg(F.max("as_of").alias("as_of"))
    old = before.join(F.broadcast(last), on="as_of", how="left_semi").select("user_id", "tag", F.col("tag").alias("_old"))
    new = user_tags.where(F.col("as_of") == F.lit(day)).select("user_id", "tag", F.col("tag").alias("_new"))
    both = old.join(new, on=["user_id", "tag"], how="full_outer").where(F.col("_old").isNull() | F.col("_new").isNull())
    change = F.when(F.col("_new").isNull(), "lost").otherwise("gained")
    return both.select(F.lit(day).alias("as_of"), "user_id", "tag", change.alias("change"))
