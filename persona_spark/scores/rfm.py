"""Recency, frequency, monetary value in quintiles (Hughes, Strategic Database Marketing, 1994).

The cuts are the exact 20, 40, 60 and 80 percent points, with linear interpolation, over users with a paid order in the
window. A score is 1 plus the number of cuts below the value, so equal values get equal scores; for recency fewer days
score higher: 5 less the number of cuts below the days.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.scores import RfmSpec

CUTS = (0.2, 0.4, 0.6, 0.8)
_MINOR_UNITS = 100


def rfm(profiles: DataFrame, spec: RfmSpec) -> DataFrame:
    """The RFM columns of every user.

    Args:
        profiles: one row a user, with the columns of `spec.columns`.
        spec: window and segments.

    Returns:
        The rows of `profiles` with rfm_recency_days, rfm_frequency, rfm_monetary, rfm_monetary_gross, the three scores, rfm_score and
        rfm_segment.
    """
    measured = _measured(profiles, spec)
    names = {"rfm_recency_days": "recency", "rfm_frequency": "frequency", "_minor": "monetary"}
    cuts = [_cuts(measured, value, f"_{role}_cuts") for value, role in names.items()]
    with_cuts = reduce(lambda left, right: left.crossJoin(F.broadcast(right)), cuts, measured)
    scored = with_cuts.withColumns(
        {
            "rfm_recency_score": F.lit(5) - _cuts_below("rfm_recency_days", "_recency_cuts"),
            "rfm_frequency_score": F.lit(1) + _cuts_below("rfm_frequency", "_frequency_cuts"),
            "rfm_monetary_score": F.lit(1) + _cuts_below("_minor", "_monetary_cuts"),
        }
    )
    digits = [F.col(f"rfm_{part}_score") for part in ("recency", "frequency", "monetary")]
    text = F.when(digits[0].isNotNull(), F.concat(*(digit.cast("string") for digit in digits)))
    named = scored.withColumns({"rfm_score": text, "rfm_segment": _segment(spec)})
    return named.drop("_minor", *(f"_{role}_cuts" for role in names.values()))


def _measured(profiles: DataFrame, spec: RfmSpec) -> DataFrame:
    columns = {role: F.col(name) for role, name in spec.columns.items()}
    buyer = columns["frequency"] > 0
    return profiles.select(
        "*",
        F.when(buyer, columns["recency"]).cast("int").alias("rfm_recency_days"),
        F.when(buyer, columns["frequency"]).alias("rfm_frequency"),
        F.when(buyer, columns["monetary"]).alias("rfm_monetary"),
        F.when(buyer, columns["gross"]).alias("rfm_monetary_gross"),
        F.when(buyer, columns["monetary"] * _MINOR_UNITS).cast("bigint").alias("_minor"),
    )


def _cuts(measured: DataFrame, value: str, name: str) -> DataFrame:
    """One row with the cuts: values are counted first, so that the last step sees distinct values only."""
    counted = measured.where(F.col(value).isNotNull()).groupBy(value).agg(F.count("*").alias("_users"))
    return counted.agg(F.percentile(F.col(value), F.array(*map(F.lit, CUTS)), F.col("_users")).alias(name))


def _cuts_below(value: str, cuts: str) -> Column:
    below = (F.when(F.col(value) > F.get(F.col(cuts), F.lit(at)), 1).otherwise(0) for at in range(len(CUTS)))
    return F.when(F.col(value).isNotNull(), reduce(lambda left, right: left + right, below))


def _segment(spec: RfmSpec) -> Column:
    named = F.when(F.col("rfm_recency_score").isNull(), F.lit(spec.no_purchase))
    for segment in spec.segments:
        inside = (
            F.col("rfm_recency_score").isin(*segment.r)
            & F.col("rfm_frequency_score").isin(*segment.f)
            & F.col("rfm_monetary_score").isin(*segment.m)
        )
        named = named.when(inside, F.lit(segment.name))
    return named
