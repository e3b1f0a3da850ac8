"""From tiles to users: account-days become user-days, user-days become window bands, bands become windows."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import stored_measure, stored_windowed

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.time import Window

LAST_EVENT = "__last_event"


def user_days(tiles: DataFrame, firsts: list[DataFrame], spec: FeaturesSpec) -> DataFrame:
    """One row a user and local day.

    Args:
        tiles: account-days with `user_id`.
        firsts: frames of `user_id`, `event_date`, `measure`, one row for each order or session on the day on which it counts.
        spec: the definitions.

    Returns:
        user_id, event_date and every measure: sums of the accounts' days, 1 for a day on which a `days` measure counts.
    """
    sums = {name: stored_measure(spec, name) for name, measure in spec.measures.items() if measure.in_day_tile}
    zero = F.lit(0).cast("bigint")
    others = [name for name in spec.measures if name not in sums]
    days = tiles.select("user_id", "event_date", *sums.values(), *(zero.alias(name) for name in others))
    counted = [
        first.select(
            "user_id",
            "event_date",
            *(zero.alias(column) for column in sums.values()),
            *(F.when(F.col("measure") == name, 1).otherwise(0).cast("bigint").alias(name) for name in others),
        )
        for first in firsts
    ]
    rows = reduce(lambda one, other: one.unionByName(other), counted, days)
    # One shuffle serves this grouping and those of bands and users after it.
    grouped = rows.repartition("user_id").groupBy("user_id", "event_date")
    return grouped.agg(*(_of_day(spec, name).alias(stored_measure(spec, name)) for name in spec.measures))


def _of_day(spec: FeaturesSpec, name: str) -> Column:
    total = F.sum(stored_measure(spec, name))
    return F.when(total > 0, 1).otherwise(0).cast("bigint") if spec.measures[name].distinct == "days" else total


def windowed_features(days: DataFrame, spec: FeaturesSpec, as_of: date) -> DataFrame:
    """One row a user that did something before as_of: every measure in every window, first and last dates, gaps.

    Days are summed in bands between the windows' edges first, so that the sum over many windows runs over few rows.
    """
    windows = spec.parsed_windows
    measures = [stored_measure(spec, name) for name in spec.measures]
    banded = days.groupBy("user_id", _band(windows, as_of).alias("__band")).agg(
        *(F.sum(name).alias(name) for name in measures),
        *_band_dates(spec),
    )
    totals = [_total(spec, name, position, window) for name in spec.measures for position, window in enumerate(windows)]
    users = banded.groupBy("user_id").agg(*totals, *_user_dates(spec))
    return users.select("user_id", *(column for column in users.columns if not column.startswith("__")), *_dates_and_gaps(spec))


def _total(spec: FeaturesSpec, name: str, position: int, window: Window) -> Column:
    measure = stored_measure(spec, name)
    total = f"coalesce(sum(case when __band <= {position} then `{measure}` end), 0L)"
    return F.expr(f"{total} as `{stored_windowed(spec, name, window)}`")


def _band(windows: tuple[Window, ...], as_of: date) -> Column:
    """Position of the shortest window that holds the day; one more than the last when none does."""
    age = F.date_diff(F.lit(as_of), F.col("event_date"))
    band = F.lit(len(windows))
    for position, window in reversed(list(enumerate(windows))):
        band = F.lit(position) if window.days is None else F.when(age <= window.days, position).otherwise(band)
    return band


def _dated(spec: FeaturesSpec) -> list[str]:
    """Distinct measures whose dates a feature asks for."""
    wanted = {date.first or date.last for date in spec.dates.values()} | {gap.between for gap in spec.gaps.values()}
    return [name for name in spec.measures if name in wanted]


def _band_dates(spec: FeaturesSpec) -> list[Column]:
    columns = []
    for name in _dated(spec):
        day = F.when(F.col(name) > 0, F.col("event_date"))
        columns += [F.min(day).alias(f"__first_{name}"), F.max(day).alias(f"__last_{name}"), F.count(day).alias(f"__dates_{name}")]
    return columns


def _user_dates(spec: FeaturesSpec) -> list[Column]:
    how = {"first": F.min, "last": F.max, "dates": F.sum}
    return [function(f"__{word}_{name}").alias(f"__{word}_{name}") for name in _dated(spec) for word, function in how.items()]


def _dates_and_gaps(spec: FeaturesSpec) -> list[Column]:
    dates = [
        F.col(f"__first_{date.first}" if date.first is not None else f"__last_{date.last}").alias(name) for name, date in spec.dates.items()
    ]
    return [*dates, *(_gap(gap.between).alias(name) for name, gap in spec.gaps.items())]


def _gap(measure: str) -> Column:
    days = F.date_diff(F.col(f"__last_{measure}"), F.col(f"__first_{measure}"))
    return F.when(F.col(f"__dates_{measure}") > 1, days.cast("double") / (F.col(f"__dates_{measure}") - 1))


def first_of_user(tiles: DataFrame, id_name: str, measures: list[str]) -> DataFrame:
    """Each order (or session) of a user once, on the first date across the user's accounts on which it counts.

    Args:
        tiles: parts of `account_order` or `account_session` before as_of, with `user_id`.
        id_name: `order_id` or `session_id`.
        measures: measures that count them: flags of the tile.

    Returns:
        user_id, event_date, measure; no row for a measure under which the order does not count.
    """
    firsts = tiles.groupBy("user_id", id_name).agg(*(F.min(F.when(F.col(name), F.col("event_date"))).alias(name) for name in measures))
    rows = F.array(*(F.struct(F.lit(name).alias("measure"), F.col(name).alias("event_date")) for name in measures))
    return firsts.select("user_id", F.inline(rows)).where(F.col("event_date").isNotNull()).select("user_id", "event_date", "measure")
