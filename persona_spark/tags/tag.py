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

    Writes `user_tags` and `tag_history`, partition as_of, each in one commit. When a later as_of has been tagged before, its part
    of `tag_history` is written anew too: what it gained and lost is told against the as_of before it.

    Raises:
        LakeError: when the features of as_of have not been computed.
    """
    profiles = profile_frame(lake, conf, as_of, parts=("scores",))
    rows = lake.replace_where(evaluate(profiles, conf.tags), USER_TAGS, f"as_of = '{as_of.date}'")
    before, after = _neighbours(lake, as_of.date)
    changes = _write_changes(lake, before, as_of.date)
    if after is not None:
        _write_changes(lake, as_of.date, after)
    return StageResult(profiles.count(), rows, {"tags": len(conf.tags.tags), "changes": changes})


def _neighbours(lake: Lake, day: date) -> tuple[date | None, date | None]:
    """The as_of tagged last before `day` and first after it. One where nobody holds a tag shows in the history of what was lost."""
    tagged = lake.read(USER_TAGS).select("as_of").union(lake.read(TAG_HISTORY).select("as_of"))
    at, this = F.col("as_of"), F.lit(day)
    found = tagged.agg(F.max(F.when(at < this, at)).alias("before"), F.min(F.when(at > this, at)).alias("after")).collect()[0]
    return found.before, found.after


def _write_changes(lake: Lake, before: date | None, day: date) -> int:
    return lake.replace_where(changes_between(lake.read(USER_TAGS), before, day), TAG_HISTORY, f"as_of = '{day}'")


def changes_between(user_tags: DataFrame, before: date | None, day: date) -> DataFrame:
    """Tags gained and lost at `day` against `before`; everything is gained when that is None.

    Returns:
        as_of, user_id, tag, change (gained or lost).
    """
    old = user_tags.where(F.col("as_of") == F.lit(before)).select("user_id", "tag", F.col("tag").alias("_old"))
    new = user_tags.where(F.col("as_of") == F.lit(day)).select("user_id", "tag", F.col("tag").alias("_new"))
    both = old.join(new, on=["user_id", "tag"], how="full_outer").where(F.col("_old").isNull() | F.col("_new").isNull())
    change = F.when(F.col("_new").isNull(), "lost").otherwise("gained")
    return both.select(F.lit(day).alias("as_of"), "user_id", "tag", change.alias("change"))
