"""The tag stage: which tags hold at an as_of, and what changed since the as_of before."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from persona_spark.lake.daily import TAGS, mark_day, unmark_days
from persona_spark.lake.days import expired_days
from persona_spark.lake.result import StageResult
from persona_spark.projection import profile_frame
from persona_spark.schema import TAG_HISTORY, USER_TAGS
from persona_spark.tags.rules import evaluate

if TYPE_CHECKING:
    from datetime import date

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf


def tag(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Evaluate all tags for all users of as_of.

    Writes `user_tags` and `tag_history`, partition as_of, each in one commit, and then its row of `day_state`. When a later as_of has
    been tagged before, its part of `tag_history` is written anew in the same commit: what it gained and lost is told against the as_of
    before it. So is that of an as_of whose run did not end.

    Raises:
        LakeError: when the features or the scores of as_of have not been computed from what is known now.
    """
    profiles = profile_frame(lake, conf, as_of, parts=("scores",))
    unmark_days(lake, TAGS.table, as_of.date)
    rows = lake.replace_where(evaluate(profiles, conf.tags), USER_TAGS, f"as_of = '{as_of.date}'")
    mark_day(lake, TAGS, conf, as_of, lambda day: _write_changes(lake, day))
    changes = lake.read(TAG_HISTORY).where(F.col("as_of") == F.lit(as_of.date)).count()
    return StageResult(profiles.count(), rows, {"tags": len(conf.tags.tags), "changes": changes})


def _write_changes(lake: Lake, day: date) -> None:
    """Write what `day` and the as_of after it gained and lost."""
    before, after = _neighbours(lake, day)
    now = _rows(lake, day)
    changes = changes_between(_held(lake, before), now, day)
    if after is not None:
        changes = changes.unionByName(changes_between(now, _held(lake, after), after))
    # In one commit: what was held at an as_of that expired is told by the history alone, so no kill may leave half of a change in it.
    days = ", ".join(f"DATE'{one}'" for one in (day, after) if one is not None)
    lake.replace_where(changes, TAG_HISTORY, f"as_of IN ({days})")


def _neighbours(lake: Lake, day: date) -> tuple[date | None, date | None]:
    """The as_of tagged last before `day` and first after it. One where nobody holds a tag shows in the history of what was lost."""
    first, *rest = (frame.select("as_of") for frame in (lake.read(USER_TAGS), lake.read(TAG_HISTORY), expired_days(lake, USER_TAGS)))
    tagged = reduce(DataFrame.union, rest, first)
    at, this = F.col("as_of"), F.lit(day)
    found = tagged.agg(F.max(F.when(at < this, at)).alias("before"), F.min(F.when(at > this, at)).alias("after")).collect()[0]
    return found.before, found.after


def _rows(lake: Lake, day: date | None) -> DataFrame:
    return lake.read(USER_TAGS).where(F.col("as_of") == F.lit(day)).select("user_id", "tag")


def _held(lake: Lake, day: date | None) -> DataFrame:
    """user_id and tag at an as_of: its rows, or what the history says once they have expired; none when it is None."""
    rows = _rows(lake, day)
    if expired_days(lake, USER_TAGS).where(F.col("as_of") == F.lit(day)).isEmpty() or not rows.isEmpty():
        return rows
    told = lake.read(TAG_HISTORY).where(F.col("as_of") <= F.lit(day))
    last = told.groupBy("user_id", "tag").agg(F.max_by("change", "as_of").alias("change"))
    return last.where(F.col("change") == F.lit("gained")).select("user_id", "tag")


def changes_between(old: DataFrame, new: DataFrame, day: date) -> DataFrame:
    """Tags gained and lost at `day`.

    Args:
        old: user_id and tag, held at the as_of before.
        new: the same at `day`.
        day: the as_of of the changes.

    Returns:
        as_of, user_id, tag, change (gained or lost).
    """
    before, after = old.withColumn("_old", F.col("tag")), new.withColumn("_new", F.col("tag"))
    both = before.join(after, on=["user_id", "tag"], how="full_outer")
    changed = both.where(F.col("_old").isNull() | F.col("_new").isNull())
    change = F.when(F.col("_new").isNull(), "lost").otherwise("gained")
    return changed.select(F.lit(day).alias("as_of"), "user_id", "tag", change.alias("change"))
