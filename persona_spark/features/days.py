"""From the tiles of accounts to the days of users: of account-days, of orders and of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_parts import groups, id_column, measures_of, parts, span_columns, value_column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_parts import Group


def summed(spec: FeaturesSpec) -> tuple[str, ...]:
    """Measures of days that add up over parts of tiles as they do over days; the others say whether a day counts."""
    return tuple(name for name in measures_of(spec, "days") if spec.measures[name].distinct is None)


def user_days(tiles: DataFrame, measures: Sequence[str]) -> DataFrame:
    """One row a user and local day with any event: user_number, event_date and for each measure whether the day counts, 1 or 0.

    Args:
        tiles: parts of `account_day` with `user_number`.
        measures: names of distinct measures of days.
    """
    # One shuffle serves this grouping and those of bands and users after it.
    grouped = tiles.repartition("user_number").groupBy("user_number", "event_date")
    return grouped.agg(*((F.max(name) > 0).cast("bigint").alias(name) for name in measures))


def counted_days(tiles: DataFrame, spec: FeaturesSpec, kind: Literal["orders", "sessions"]) -> DataFrame:
    """One row a user and day on which orders (or sessions) count: user_number, event_date and the parts of their measures.

    Each order counts once, on the first date across the user's accounts on which an event met the condition; what it is worth is
    taken from all its days.

    Args:
        tiles: parts of `account_order` or `account_session` before as_of, with `user_number`.
        spec: the definitions.
        kind: which of them.
    """
    found = groups(spec, kind)
    by_id = tiles.repartition("user_number").groupBy("user_number", id_column(kind))
    whole = by_id.agg(*(column for group in found for column in _whole(spec, group)))
    rows = F.array(*(_row(spec, found, group) for group in found))
    dated = whole.select("user_number", F.inline(rows)).where(F.col("event_date").isNotNull())
    values = [column for name in measures_of(spec, kind) for column in _of_date(spec, name)]
    return dated.groupBy("user_number", "event_date").agg(*values)


def counting_dates(tiles: DataFrame, spec: FeaturesSpec, measure: str) -> DataFrame:
    """One row a user: user_number and `dates`, those on which orders or sessions count.

    Args:
        tiles: parts of `account_order` or `account_session` before as_of, with `user_number`.
        spec: the definitions.
        measure: name of the distinct measure under which they count.
    """
    kind = spec.measures[measure].kind
    if kind == "days":
        raise ValueError(f"{measure} counts days")
    flag = next(group.flag for group in groups(spec, kind) if measure in group.measures)
    by_id = tiles.where(flag).repartition("user_number").groupBy("user_number", id_column(kind))
    firsts = by_id.agg(F.min("event_date").alias("event_date"))
    return firsts.groupBy("user_number").agg(F.collect_set("event_date").alias("dates"))


def _whole(spec: FeaturesSpec, group: Group) -> list[Column]:
    """An order or a session over all its days."""
    columns = [F.min(F.when(F.col(group.flag), F.col("event_date"))).alias(group.flag)]
    for name in group.measures:
        take = spec.measures[name].take
        if take == "span":
            first, last = span_columns(name)
            columns.append((F.max(last) - F.min(first)).alias(name))
        elif take is not None:
            columns.append(F.sum(value_column(spec, name)).alias(name))
    return columns


def _row(spec: FeaturesSpec, found: tuple[Group, ...], mine: Group) -> Column:
    """The date on which a group counts and its values; those of other groups are null, and so do not count on that date."""
    values = []
    for group in found:
        for name in group.measures:
            value = F.lit(1).cast("bigint") if spec.measures[name].take is None else F.col(name)
            values.append((value if group is mine else F.lit(None).cast("bigint")).alias(f"__{name}"))
    return F.struct(F.col(mine.flag).alias("event_date"), *values)


def _of_date(spec: FeaturesSpec, name: str) -> list[Column]:
    value = F.col(f"__{name}")
    kept = parts(spec, name)
    if spec.measures[name].take == "spread":
        exact = value.cast("decimal(18,0)")
        sums = (F.count(value), F.sum(value), F.sum(exact * exact).cast("decimal(38,0)"))
        return [F.coalesce(total, F.lit(0).cast(part.type)).alias(part.column) for part, total in zip(kept, sums, strict=True)]
    total = F.max(value) if kept[0].combine == "max" else F.sum(value)
    return [F.coalesce(total, F.lit(0).cast("bigint")).alias(kept[0].column)]
