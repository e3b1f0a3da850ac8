"""Giving users their segment with the live model, from `segment_model` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import ModelError
from persona_spark.lake.dates import on_day
from persona_spark.lake.day_state import SEGMENTS, begin_day, end_day
from persona_spark.lake.result import StageResult
from persona_spark.projection import profile_frame
from persona_spark.schema import USER_SEGMENTS
from persona_spark.segments.model import champion, check_columns, check_fits, models
from persona_spark.segments.space import covered, nearest, point

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.segments.model import SegmentModel
    from persona_spark.time import AsOf


def assign(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Write the segment of every user that the live model covers, in one commit for `as_of`, and then its row of `day_state`.

    Without a live model nobody has a segment: that is what a configuration that never trains asks for, and what a first
    model that fails its gates leaves behind.

    Raises:
        LakeError: when the scores or the tags of as_of have not been computed from what is known now.
        ModelError: when no model was ever trained though the configuration wants one, or when the live model was trained
            with other features than the configuration names, or on columns that profiles lack.
    """
    users = profile_frame(lake, conf, as_of, parts=("scores", "tags"))
    model = champion(lake)
    if model is None:
        note = _without_model(lake, conf)
        _write(lake, conf, as_of, lake.read(USER_SEGMENTS).limit(0))
        return StageResult(0, 0, {"model": note}, skipped=True)
    check_fits(model, conf.segments)
    check_columns(model, users.columns)
    rows_in = users.count()
    written = _write(lake, conf, as_of, assigned(users, model))
    return StageResult(rows_in, written, {"model": model.model_version, "without segment": rows_in - written})


def _write(lake: Lake, conf: Conf, as_of: AsOf, rows: DataFrame) -> int:
    begin_day(lake, SEGMENTS, as_of.date)
    written = lake.replace_where(rows, USER_SEGMENTS, on_day(as_of.date))
    end_day(lake, SEGMENTS, conf, as_of)
    return written


def assigned(users: DataFrame, model: SegmentModel) -> DataFrame:
    """One row for each user that the model covers, with the columns of `user_segments`.

    Args:
        users: profiles, one row a user, with their column as_of.
        model: the model; its centres decide, ties go to the smaller segment number.
    """
    placed = covered(users, model.exclude).select("as_of", "user_id", point(model.features, model.clip).alias("point"))
    found = placed.select("as_of", "user_id", nearest(F.col("point"), model.segments).alias("nearest"))
    return found.select(
        "as_of",
        "user_id",
        F.col("nearest.segment_id").alias("segment_id"),
        F.col("nearest.segment_name").alias("segment_name"),
        F.sqrt("nearest.square").alias("distance"),
        F.lit(model.model_version).alias("model_version"),
    )


def _without_model(lake: Lake, conf: Conf) -> str:
    if conf.segments.training.when == "never":
        return "none: training.when is never"
    tried = models(lake)
    if not tried:
        raise ModelError("there is no segment model: run `persona segments train` first")
    return f"none: {tried[-1].model_version} was rejected: {tried[-1].reason}"
