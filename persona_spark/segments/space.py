"""The feature space as column expressions: scaled values, distances, the nearest segment. No UDF, no model server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

    from persona_spark.segments.model import FrozenFeature, Segment


def covered(users: DataFrame, exclude: str | None) -> DataFrame:
    """The users who get a segment: all but those who meet `exclude`; null does not exclude."""
    if exclude is None:
        return users
    return users.where(~F.coalesce(F.expr(compile_expression(exclude).sql), F.lit(False)))  # noqa: FBT003 - a literal column


def transformed(expr: str, fill: float, transform: str) -> Column:
    """The value of a feature before scaling, never null."""
    value = F.coalesce(F.expr(compile_expression(expr).sql).cast("double"), F.lit(float(fill)))
    value = F.when(F.isnan(value), F.lit(float(fill))).otherwise(value)
    return F.log1p(F.greatest(value, F.lit(0.0))) if transform == "log1p" else value


def scaled(feature: FrozenFeature, clip: float) -> Column:
    """The feature's coordinate."""
    value = (transformed(feature.expr, feature.fill, feature.transform) - F.lit(feature.centre)) / F.lit(feature.scale)
    return F.least(F.greatest(value, F.lit(-clip)), F.lit(clip)) * F.lit(feature.weight)


def point(features: Sequence[FrozenFeature], clip: float) -> Column:
    """The user's coordinates as array<double>, in the order of `features`."""
    return F.array(*(scaled(feature, clip) for feature in features))


def square_distance(coordinates: Column, centroid: Sequence[float]) -> Column:
    """Square of the Euclidean distance; terms are added in the order of the features, so it is the same on every machine."""
    squares = F.zip_with(coordinates, F.array(*(F.lit(float(value)) for value in centroid)), lambda a, b: (a - b) * (a - b))
    return F.aggregate(squares, F.lit(0.0), lambda total, square: total + square)


def nearest(coordinates: Column, segments: Sequence[Segment]) -> Column:
    """Struct of (square, segment_id, segment_name) of the nearest segment; ties go to the smaller number."""
    options = (
        F.struct(
            square_distance(coordinates, segment.centroid).alias("square"),
            F.lit(segment.segment_id).alias("segment_id"),
            F.lit(segment.segment_name).alias("segment_name"),
        )
        for segment in segments
    )
    return F.array_min(F.array(*options))
