"""The score stage: RFM and lifecycle of every user at an as_of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.day_state import SCORES, begin_day, end_day
from persona_spark.lake.result import StageResult
from persona_spark.projection import profile_frame
from persona_spark.schema import USER_SCORES
from persona_spark.scores.lifecycle import lifecycle_stage
from persona_spark.scores.rfm import rfm

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.config.scores import ScoresSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf


def score(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Score all users of `user_features` at as_of, for all of them: quintiles depend on everybody.

    Writes `user_scores`, partition as_of, in one commit, and its row of `day_state`.

    Raises:
        LakeError: when the features of as_of have not been computed.
    """
    profiles = profile_frame(lake, conf, as_of)
    begin_day(lake, SCORES, as_of.date)
    rows = lake.replace_where(scores(profiles, conf.scores), USER_SCORES, f"as_of = '{as_of.date}'")
    end_day(lake, SCORES, conf, as_of)
    return StageResult(rows, rows)


def scores(profiles: DataFrame, spec: ScoresSpec) -> DataFrame:
    """One row a user with the columns of `user_scores`.

    Args:
        profiles: one row a user with the published columns and as_of.
        spec: RFM and lifecycle.
    """
    staged = profiles.withColumn("lifecycle_stage", lifecycle_stage(spec))
    return rfm(staged, spec.rfm).select(*(F.col(name) for name in USER_SCORES.names))
