"""From the definitions of features to frozen dimensions: which names become features, centres, scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.segments.model import FrozenFeature
from persona_spark.segments.space import transformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from persona_spark.config.segments import SegmentChoice, SegmentFeature, SegmentsSpec

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SPREADS = ((2, 4, 1.349), (1, 5, 3.290), (0, 6, 4.653))
"""Pairs of quantiles by index, and how many standard deviations of a normal distribution lie between them."""
_DIGITS = 9


def freeze_features(users: DataFrame, spec: SegmentsSpec) -> tuple[FrozenFeature, ...]:
    """The dimensions of the space, scaled by what `users` are like.

    Args:
        users: the users to fit on, with the columns of the profile; read once a choice and once for all features.
        spec: what to cluster on.
    """
    return (*_numbers(users, spec.features), *(feature for choice in spec.choices for feature in _names(users, choice)))


def robust_scale(quantiles: Sequence[float]) -> tuple[float, float]:
    """Median, and a spread in standard deviations that outliers do not move.

    The quartiles give the spread; when half of the users or more share a value, wider quantiles do, and when 98% share
    it the feature is left unscaled.

    Args:
        quantiles: values at `QUANTILES`.
    """
    for low, high, deviations in _SPREADS:
        spread = round((quantiles[high] - quantiles[low]) / deviations, _DIGITS)
        if spread > 0:
            return round(quantiles[3], _DIGITS), spread
    return round(quantiles[3], _DIGITS), 1.0


def _numbers(users: DataFrame, features: Sequence[SegmentFeature]) -> list[FrozenFeature]:
    wanted = [feature for feature in features if feature.scaling == "robust"]
    columns = (
        F.percentile(transformed(feature.expr, feature.fill, feature.transform), list(QUANTILES)).alias(feature.name) for feature in wanted
    )
    found = users.agg(F.count("*").alias("users"), *columns).collect()[0].asDict()
    return [_number(feature, found.get(feature.name)) for feature in features]


def _number(feature: SegmentFeature, quantiles: Sequence[float] | None) -> FrozenFeature:
    centre, spread = (0.0, 1.0) if quantiles is None else robust_scale(quantiles)
    scale = spread if quantiles is None else max(spread, feature.floor)
    return FrozenFeature(feature.name, feature.expr, feature.transform, feature.fill, centre, scale, feature.weight)


def _names(users: DataFrame, choice: SegmentChoice) -> list[FrozenFeature]:
    name = F.expr(compile_expression(choice.column).sql)
    counts = users.where(name.isNotNull()).groupBy(name.alias("name")).count()
    rows = counts.orderBy(F.desc("count"), "name").limit(choice.top).collect()
    share = choice.share or "1"
    return [
        FrozenFeature(
            name=f"{choice.column}={row.name}",
            expr=f"case when {choice.column} = {_literal(row.name)} then coalesce({share}, 1) else 0 end",
            transform="none",
            fill=0.0,
            centre=0.0,
            scale=1.0,
            weight=choice.weight,
        )
        for row in rows
    ]


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
