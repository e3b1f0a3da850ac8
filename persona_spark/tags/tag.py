"""The tag stage: which tags hold at an as_of, and what changed since the as_of before."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from persona_spark.lake.dates import on_day, on_days
from persona_spark.lake.day_state import TAGS, begin_day, end_day, tell_days
from persona_spark.lake.days import expired_days, last_before, next_after
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
    begin_day(lake, TAGS, as_of.date)
    rows = lake.replace_where(evaluate(profiles, conf.tags), USER_TAGS, f"as_of = '{as_of.date}'")
    tell_days(lake, TAGS, as_of.date, partial(_write_changes, lake))
    end_day(lake, TAGS, conf, as_of)
    changes = lake.read(TAG_HISTORY).where(on_day(as_of.date)).count()
    return StageResult(profiles.count(), rows, {"tags": len(conf.tags.tags), "changes": changes})


def _write_changes(lake: Lake, day: date, others: set[date]) -> None:
    """Write what `day`, those of `others` that have been tagged, and the as_of after each of them gained and lost."""
    tagged = _tagged(lake)
    line = sorted({day, *tagged})
    told = {day, *(others & tagged)}
    told |= {after for one in told if (after := next_after(line, one)) is not None}

    def held(one: date | None) -> DataFrame:
        return _rows(lake, day) if one == day else _held(lake, one)

    changes = [changes_between(held(last_before(line, one)), held(one), one) for one in sorted(told)]
    # In one commit: what was held at an as_of that expired is told by the history alone, so no kill may leave half of a change in it.
    lake.replace_where(reduce(DataFrame.unionByName, changes), TAG_HISTORY, on_days(told))


def _tagged(lake: Lake) -> set[date]:
    """All that were ever tagged, expired ones too. One where nobody holds a tag shows in the history of what was lost."""
    first, *rest = (frame.select("as_of") for frame in (lake.read(USER_TAGS), lake.read(TAG_HISTORY), expired_days(lake, USER_TAGS)))
    return {row.as_of for row in reduce(DataFrame.union, rest, first).distinct().collect()}


def _rows(lake: Lake, day: date) -> DataFrame:
    return lake.read(USER_TAGS).where(on_day(day)).select("user_id", "tag")


def _held(lake: Lake, day: date | None) -> DataFrame:
    """user_id and tag at an as_of: its rows, or what the history says once they have expired; none when it is None."""
    if day is None:
        return lake.read(USER_TAGS).where("false").select("user_id", "tag")
    rows = _rows(lake, day)
    if expired_days(lake, USER_TAGS).where(on_day(day)).isEmpty() or not rows.isEmpty():
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
