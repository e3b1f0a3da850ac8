"""What can be said of columns in numbers: one pass for all of them, one more for their bins, one for each column of text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pyspark.sql import functions as F

from persona_spark.preview.bins import Scale, Spread, scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, Row

    from persona_spark.config.features_columns import FeatureColumn

Kind = Literal["number", "date", "text", "array"]
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MEDIAN = QUANTILES.index(0.5)
ACCURACY = 10_000
"""Of percentile_approx: a quantile's rank is off by at most a ten-thousandth of the values; up to that many it is exact."""
MOST_VALUES = 10
_EPOCH = date(1970, 1, 1).toordinal()
_BODY = (0.01, 0.75, 0.99)
_TEXTS = {"string", "boolean"}
_WHOLE = {"bigint", "int", "smallint", "tinyint", "date"}


@dataclass(frozen=True)
class ColumnSummary:
    """What a column holds. Of arrays everything is said of their sizes.

    Attributes:
        feature: the column: name, type, label, unit, what null means.
        kind: number, date, text or array.
        users: all users looked at.
        nulls: users without a value.
        zeros: users with a zero; 0 for text and dates.
        not_finite: users whose value is infinite or no number; they are in no other figure but `users`.
        least, greatest: in the column's type; None without values, and for text.
        quantiles: the values at `QUANTILES`, each one that occurs; empty without values, and for text.
        mean: None without values, for dates and for text.
        distinct: how many different texts; None for other kinds.
        texts: the most frequent texts with their users, ties by the text; empty for other kinds.
        scale: the bins; None without values, and for text.
        counts: users in each bin.
    """

    feature: FeatureColumn
    kind: Kind
    users: int
    nulls: int
    zeros: int = 0
    not_finite: int = 0
    least: Any = None
    greatest: Any = None
    quantiles: tuple[Any, ...] = ()
    mean: float | None = None
    distinct: int | None = None
    texts: tuple[tuple[str, int], ...] = ()
    scale: Scale | None = None
    counts: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The published column."""
        return self.feature.column.name

    @property
    def valued(self) -> int:
        """Users with a finite value."""
        return self.users - self.nulls - self.not_finite


def kind_of(feature: FeatureColumn) -> Kind:
    """How a column's values are to be summed up, by its published type."""
    kind = feature.column.type
    if kind.startswith("array"):
        return "array"
    if kind == "date":
        return "date"
    return "text" if kind in _TEXTS else "number"


def shown(feature: FeatureColumn) -> Column:
    """A column's value as it is summed up: the size of an array, null for what is not finite."""
    value = F.col(f"`{feature.column.name}`")
    kind = feature.column.type
    if kind.startswith("array"):
        return F.when(value.isNotNull(), F.size(value))
    if kind == "boolean":
        return value.cast("string")
    return F.when(~_not_finite(value), value) if kind in {"double", "float"} else value


def position(feature: FeatureColumn) -> Column:
    """The value as a number: a date as days since 1970."""
    value = shown(feature)
    return (F.unix_date(value) if feature.column.type == "date" else value).cast("double")


def summaries(frame: DataFrame, features: Sequence[FeatureColumn]) -> tuple[ColumnSummary, ...]:
    """What each column holds.

    Args:
        frame: one row a user, with the columns.
        features: which columns.
    """
    row = frame.agg(F.count("*").alias("users"), *(_figures(feature).alias(feature.column.name) for feature in features)).collect()[0]
    found = [_summary(feature, row.users, row[feature.column.name]) for feature in features]
    counts = _bin_counts(frame, found)
    return tuple(
        _with_values(frame, summary) if summary.kind == "text" else replace(summary, counts=tuple(counts.get(place, ())))
        for place, summary in enumerate(found)
    )


def _not_finite(value: Column) -> Column:
    number = value.cast("double")
    return F.coalesce(F.isnan(number) | (F.abs(number) == F.lit(float("inf"))), F.lit(False))  # noqa: FBT003 - a literal of SQL


def _figures(feature: FeatureColumn) -> Column:
    raw, value = F.col(f"`{feature.column.name}`"), shown(feature)
    nulls = F.count_if(raw.isNull()).alias("nulls")
    if kind_of(feature) == "text":
        return F.struct(nulls)
    number = position(feature)
    not_finite = F.count_if(_not_finite(raw)) if feature.column.type in {"double", "float"} else F.lit(0)
    return F.struct(
        nulls,
        not_finite.alias("not_finite"),
        F.count_if(number == 0).alias("zeros"),
        F.min(value).alias("least"),
        F.max(value).alias("greatest"),
        F.percentile_approx(value, list(QUANTILES), ACCURACY).alias("quantiles"),
        F.avg(number).alias("mean"),
        F.percentile_approx(F.when(number != 0, number), list(_BODY), ACCURACY).alias("body"),
        F.min(F.when(number > 0, number)).alias("least_positive"),
    )


def _summary(feature: FeatureColumn, users: int, figures: Row) -> ColumnSummary:
    kind = kind_of(feature)
    if kind == "text":
        return ColumnSummary(feature, kind, users, figures.nulls)
    dated = kind == "date"
    summary = ColumnSummary(feature, kind, users, figures.nulls, 0 if dated else figures.zeros, figures.not_finite)
    if figures.least is None:
        return summary
    body = tuple(figures.body) if figures.body else (0.0, 0.0, 0.0)
    whole = kind == "array" or feature.column.type in _WHOLE
    least, greatest = as_number(figures.least), as_number(figures.greatest)
    spread = Spread(least, greatest, body, figures.least_positive, figures.zeros / summary.valued, whole)
    return replace(
        summary,
        least=figures.least,
        greatest=figures.greatest,
        quantiles=tuple(figures.quantiles),
        mean=None if dated else figures.mean,
        scale=scale_of(spread, zero_is_special=not dated),
    )


def as_number(value: Any) -> float:
    """A value in the measure of `position`."""
    return float(value.toordinal() - _EPOCH) if isinstance(value, date) else float(value)


def _bin_counts(frame: DataFrame, found: Sequence[ColumnSummary]) -> dict[int, list[int]]:
    """Users in each bin of each column that has bins, by the column's place."""
    scales = {place: summary.scale for place, summary in enumerate(found) if summary.scale is not None}
    if not scales:
        return {}
    bins = (
        F.struct(F.lit(place).alias("place"), scale.bin_of(position(found[place].feature)).alias("bin")) for place, scale in scales.items()
    )
    rows = frame.select(F.inline(F.array(*bins))).where(F.col("bin") >= 0).groupBy("place", "bin").count().collect()
    counts = {place: [0] * scale.bins for place, scale in scales.items()}
    for row in rows:
        counts[row.place][row.bin] = row["count"]
    return counts


def _with_values(frame: DataFrame, summary: ColumnSummary) -> ColumnSummary:
    text = shown(summary.feature).alias("text")
    counts = frame.select(text).where(F.col("text").isNotNull()).groupBy("text").agg(F.count("*").alias("users"))
    best = counts.agg(
        F.count("*").alias("distinct"), F.expr(f"min_by(struct(text, users), struct(-users, text), {MOST_VALUES})").alias("best")
    )
    row = best.collect()[0]
    return replace(summary, distinct=row.distinct, texts=tuple((found.text, found.users) for found in row.best or ()))
