"""From days to windows: days are summed in bands between the windows' edges, so that the sum over many windows runs over few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_parts import parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_parts import Part
    from persona_spark.time import Window

_BAND = "__band"
_HOW = {"sum": F.sum, "max": F.max}


def in_windows(days: DataFrame, spec: FeaturesSpec, measures: Sequence[str], as_of: date) -> DataFrame:
    """One row a user with every measure in each of its windows, and the first and last dates that features ask for.

    Args:
        days: user_number, event_date and the parts of the measures before as_of; a day may have several rows.
        spec: the definitions.
        measures: names of the measures.
        as_of: the day.

    Returns:
        user_number, `<part>_<window>` for every part, and for distinct measures that a date names `__first_<measure>` and
        `__last_<measure>`.
    """
    kept = [part for name in measures for part in parts(spec, name)]
    edges = _edges(spec, measures)
    banded = days.groupBy("user_number", _band(edges, as_of).alias(_BAND)).agg(
        *(_HOW[part.combine](part.column).alias(part.column) for part in kept),
        *_band_dates(spec, measures),
    )
    totals = [_total(part, edges, window) for name in measures for window in spec.windows_of(name) for part in parts(spec, name)]
    return banded.groupBy("user_number").agg(*totals, *_user_dates(spec, measures))


def _edges(spec: FeaturesSpec, measures: Sequence[str]) -> list[int]:
    """Ages after which some window starts or ends, in rising order."""
    windows = {window for name in measures for window in spec.windows_of(name)}
    return sorted({age for window in windows for age in (window.offset, window.oldest) if age})


def _band(edges: Sequence[int], as_of: date) -> Column:
    """Number of edges that a day is beyond."""
    age = F.date_diff(F.lit(as_of), F.col("event_date"))
    band = F.lit(len(edges))
    for position, edge in reversed(list(enumerate(edges))):
        band = F.when(age <= edge, position).otherwise(band)
    return band


def _total(part: Part, edges: Sequence[int], window: Window) -> Column:
    first = edges.index(window.offset) + 1 if window.offset else 0
    last = len(edges) if window.oldest is None else edges.index(window.oldest)
    inside = f"when {_BAND} between {first} and {last} then `{part.column}`"
    return F.expr(f"coalesce({part.combine}(case {inside} end), cast(0 as {part.type}))").alias(part.over(window))


def _dated(spec: FeaturesSpec, measures: Sequence[str]) -> list[str]:
    wanted = {date.first or date.last for date in spec.dates.values()}
    return [name for name in measures if name in wanted]


def _band_dates(spec: FeaturesSpec, measures: Sequence[str]) -> list[Column]:
    columns = []
    for name in _dated(spec, measures):
        day = F.when(F.col(name) > 0, F.col("event_date"))
        columns += [F.min(day).alias(f"__first_{name}"), F.max(day).alias(f"__last_{name}")]
    return columns


def _user_dates(spec: FeaturesSpec, measures: Sequence[str]) -> list[Column]:
    how = {"first": F.min, "last": F.max}
    return [function(f"__{word}_{name}").alias(f"__{word}_{name}") for name in _dated(spec, measures) for word, function in how.items()]


def dates(spec: FeaturesSpec) -> list[Column]:
    """The date features, from the columns that `in_windows` gives."""
    return [
        F.col(f"__first_{date.first}" if date.first is not None else f"__last_{date.last}").alias(name) for name, date in spec.dates.items()
    ]
