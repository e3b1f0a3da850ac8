"""From the raw form of `user_features` to the published form of a profile: money as decimals, dates as days, ratios."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.config.features_columns import (
    days_since,
    derived_expr,
    derived_name,
    derived_type,
    derived_windows,
    preferred,
    spread,
    top,
    touch,
    windowed,
)
from persona_spark.config.features_parts import LOGS, parts, preference_columns, sums_columns
from persona_spark.config.tile_tables import user_features_table
from persona_spark.errors import LakeError, UsageError
from persona_spark.lake.code import FEATURE_CODE, code_version
from persona_spark.lake.dates import on_day
from persona_spark.lake.day_state import SCORES, SEGMENTS, TAGS, check_day
from persona_spark.schema import MONEY, USER_SCORES, USER_SEGMENTS, USER_TAGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table
    from persona_spark.time import AsOf

PARTS = {"scores": SCORES, "tags": TAGS, "segments": SEGMENTS}
_MINOR_UNITS = 100
_MINOR_UNIT = Decimal("0.01")
"""Spark divides decimals through forty digits; a product is exact, and much less work."""
_Z = 1.959963984540054


def profile_frame(lake: Lake, conf: Conf, as_of: AsOf, parts: Collection[str] = ()) -> DataFrame:
    """One row a user of `user_features` at `as_of`, in published form.

    Args:
        lake: the lake.
        conf: the configuration.
        as_of: the day, and what was known.
        parts: what to join: `scores` adds the columns of `user_scores`; `tags` a sorted array, empty when none holds; `segments`
            segment_id, segment_name and distance, null when the model does not cover the user.

    Raises:
        UsageError: for a part that does not exist.
        LakeError: when there are no features as of the day, or they know another ingest or were computed by other definitions or
            code; when a part was not made from this, or by a run that did not end.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise UsageError(f"a profile has no part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    spec, day = conf.features, as_of.date
    raw = _features(lake, spec, as_of)
    for part in (PARTS[name] for name in PARTS if name in parts):
        check_day(lake, part, conf, as_of)
    frame = published(raw, spec)
    if "scores" in parts:
        frame = frame.join(_at(lake, USER_SCORES, day), "user_id", "left")
    if "tags" in parts:
        tags = _at(lake, USER_TAGS, day).groupBy("user_id").agg(F.sort_array(F.collect_set("tag")).alias("tags"))
        none = F.array().cast("array<string>")
        frame = frame.join(tags, "user_id", "left").withColumn("tags", F.coalesce(F.col("tags"), none))
    if "segments" in parts:
        segments = _at(lake, USER_SEGMENTS, day).select("user_id", "segment_id", "segment_name", "distance")
        frame = frame.join(segments, "user_id", "left")
    return frame


def published(raw: DataFrame, spec: FeaturesSpec) -> DataFrame:
    """Rows of `user_features` with the columns of `FeaturesSpec.profile_columns`."""
    base = raw.select(
        "user_id",
        "as_of",
        "account_ids",
        *_attributes(spec),
        *_dates(spec),
        *_gaps(spec),
        *spec.streaks,
        *_measures(spec),
        *_preferences(spec),
    )
    derived = base.select("*", *_derived(spec))
    return derived.select(*(column.name for column in spec.profile_columns()))


def _features(lake: Lake, spec: FeaturesSpec, as_of: AsOf) -> DataFrame:
    day, todo = as_of.date, f"run persona features --as-of {as_of.date} first"
    raw = lake.require(user_features_table(spec), todo).where(on_day(day))
    first = raw.select("definition", "code", "ingest_seq").limit(1).collect()
    if not first:
        raise LakeError(f"user_features has no rows as of {day}: {todo}")
    if (first[0].definition, first[0].code) != (spec.value_digest(), code_version(FEATURE_CODE)):
        raise LakeError(f"user_features as of {day} was computed by other definitions or other code than those in use: {todo}")
    if first[0].ingest_seq != as_of.ingest_seq:
        raise LakeError(f"user_features as of {day} knows ingest {first[0].ingest_seq}, not {as_of.ingest_seq}: {todo}")
    return raw


def _at(lake: Lake, table: Table, as_of: date) -> DataFrame:
    return lake.read(table).where(on_day(as_of)).drop("as_of")


def _attributes(spec: FeaturesSpec) -> Iterator[Column]:
    for name, attribute in spec.attributes.items():
        stated = F.col(name)
        if attribute.expr is None:
            yield stated
        else:
            computed = F.expr(f"try_cast(({compile_expression(attribute.expr).sql}) as {attribute.type})")
            yield F.coalesce(stated, computed).alias(name)


def _dates(spec: FeaturesSpec) -> Iterator[Column]:
    for name in spec.dates:
        yield F.col(name)
        yield F.date_diff(F.col("as_of"), F.col(name)).alias(days_since(name))


def _gaps(spec: FeaturesSpec) -> Iterator[Column]:
    for name in spec.gaps:
        number, total, squares = (F.col(column) for column in sums_columns(name))
        yield F.when(number > 0, total.cast("double") / number).alias(name)
        yield F.when(number > 1, _deviation(number, total, squares)).alias(spread(name))


def _measures(spec: FeaturesSpec) -> Iterator[Column]:
    for name, measure in spec.measures.items():
        for window in spec.windows_of(name):
            stored = [F.col(part.over(window)) for part in parts(spec, name)]
            if measure.take == "spread":
                deviation = F.when(stored[0] > 0, _deviation(*stored))
                value = (deviation / F.lit(_MINOR_UNITS)).cast(MONEY) if measure.unit == "money" else deviation
            else:
                value = (stored[0].cast("decimal(20,0)") * F.lit(_MINOR_UNIT)).cast(MONEY) if measure.unit == "money" else stored[0]
            yield value.alias(windowed(name, window))


def _deviation(number: Column, total: Column, squares: Column) -> Column:
    """Population standard deviation from whole numbers: the difference is exact, so that it is zero for equal values."""
    n, total = number.cast("decimal(18,0)"), total.cast("decimal(18,0)")
    difference = F.try_subtract(F.try_multiply(n, squares.cast("decimal(38,0)")), total * total)
    return F.sqrt(difference.cast("double")) / number


def _preferences(spec: FeaturesSpec) -> Iterator[Column]:
    for name, preference in spec.preferences.items():
        sums = {word: F.col(column) for word, column in preference_columns(name).items()}
        total, events = sums["total"].cast("double"), sums["events"].cast("double")
        first = F.get(F.col(top(name)), F.lit(0))
        share = first.getField("weight").cast("double") / total
        yield first.getField("key").alias(preferred(name))
        yield share.alias(f"{preferred(name)}_share")
        yield _least_share(share, events).alias(f"{preferred(name)}_confidence")
        yield F.transform(F.col(top(name)), lambda key: _with_share(key, total, events)).alias(top(name))  # noqa: B023 - called at once
        yield sums["count"]
        entropy = F.log2(total) - sums["logs"].cast("double") / F.lit(LOGS) / total
        # One key has no entropy; from rounded logarithms it would be all but 0.
        yield F.when((entropy < 0) | (sums["count"] == 1), 0.0).otherwise(entropy).alias(f"{name}_diversity")
        if preference.touch:
            yield from (F.col(touch(which, name)) for which in ("first", "last"))


def _with_share(key: Column, total: Column, events: Column) -> Column:
    share = key.getField("weight").cast("double") / total
    return F.struct(key.getField("key").alias("key"), share.alias("share"), _least_share(share, events).alias("confidence"))


def _least_share(share: Column, events: Column) -> Column:
    """Lower end of Wilson's interval at 95 % (Wilson, "Probable inference, the law of succession, and statistical inference", 1927)."""
    z2 = F.lit(_Z * _Z)
    spread_ = F.lit(_Z) * F.sqrt(share * (F.lit(1.0) - share) / events + z2 / (F.lit(4.0) * events * events))
    return (share + z2 / (F.lit(2.0) * events) - spread_) / (F.lit(1.0) + z2 / events)


def _derived(spec: FeaturesSpec) -> Iterator[Column]:
    for name, derived in spec.derived.items():
        for window in derived_windows(spec, derived.expr):
            sql = compile_expression(derived_expr(derived.expr, window)).sql
            yield F.expr(f"try_cast(({sql}) as {derived_type(derived.unit)})").alias(derived_name(name, window))
