"""Tags of every user, all rules in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.tags import TagsSpec


def tags_held(spec: TagsSpec) -> Column:
    """Sorted array of the names whose condition is true; a condition that is null does not hold."""
    names = [F.when(F.expr(spec.tags[name].condition.sql), F.lit(name)) for name in sorted(spec.tags)]
    return F.array_compact(F.array(*names))


def evaluate(profiles: DataFrame, spec: TagsSpec) -> DataFrame:
    """One row a user and tag that holds: as_of, user_id, tag.

    Args:
        profiles: one row a user with as_of, user_id and every column that the tags read.
        spec: the tags.
    """
    return profiles.select("as_of", "user_id", F.explode(tags_held(spec)).alias("tag"))
