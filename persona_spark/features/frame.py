"""Features of users from tiles: what is computed, whatever table the rows come from and go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import top
from persona_spark.config.features_parts import (
    dates_column,
    families,
    gaps_within,
    key_column,
    measures_of,
    parts,
    preference_columns,
    stored_measure,
    sums_columns,
)
from persona_spark.config.tile_tables import account_day_table, account_key_table, account_order_table, account_session_table
from persona_spark.features.attributes import attributes
from persona_spark.features.days import counted_days, counting_dates, summed, user_days
from persona_spark.features.gaps import gaps, gaps_by_key, streaks
from persona_spark.features.preferences import preferences
from persona_spark.features.users import owners_of
from persona_spark.features.windows import dates, in_windows
from persona_spark.lake.code import FEATURE_CODE, code_version
from persona_spark.lake.known import known_rows
from persona_spark.schema import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Kind
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table
    from persona_spark.time import AsOf


@dataclass(frozen=True)
class Inputs:
    """What features are made from, of all accounts and days.

    Attributes:
        days: parts of `account_day`.
        orders: parts of `account_order`.
        sessions: parts of `account_session`.
        keys: parts of the tile of each family of preferences.
        versions: known versions of `accounts`.
    """

    days: DataFrame
    orders: DataFrame
    sessions: DataFrame
    keys: Mapping[str, DataFrame]
    versions: DataFrame


def stored_inputs(lake: Lake, spec: FeaturesSpec, ingest_seq: int) -> Inputs:
    """The tiles of the lake, which must hold `ingest_seq`, and the accounts as they were known then."""
    return inputs_from(lake.read, lake, spec, ingest_seq)


def inputs_from(rows_of: Callable[[Table], DataFrame], lake: Lake, spec: FeaturesSpec, ingest_seq: int) -> Inputs:
    """What features are made from, given the rows of each tile, and the accounts as they were known at `ingest_seq`."""
    return Inputs(
        rows_of(account_day_table(spec)),
        rows_of(account_order_table(spec)),
        rows_of(account_session_table(spec)),
        {family: rows_of(account_key_table(spec, family)) for family in families(spec)},
        known_rows(lake, ACCOUNTS, ingest_seq),
    )


@dataclass(frozen=True)
class Known:
    """What need not be made from the tiles of keys, which are by far the largest.

    Attributes:
        rows: rows of `user_features`, and user_number, of users for whom nothing but windows changed.
        others: all other users, as `numbered`.
    """

    rows: DataFrame
    others: DataFrame


def features_frame(inputs: Inputs, users: DataFrame, conf: Conf, as_of: AsOf, known: Known | None = None) -> DataFrame:
    """Features of users, one row each, with the columns of `user_features`.

    Args:
        inputs: tiles and accounts.
        users: user_id, account_ids and user_number of every user that is wanted: `numbered`.
        conf: the configuration.
        as_of: the day, and what was known.
        known: of some users, what is made from keys.
    """
    spec = conf.features
    owners = owners_of(users)
    keyed = list(_keyed(inputs, owners if known is None else owners_of(known.others), spec, as_of.date))
    found = [*_parts(inputs, owners, spec, as_of.date), *_attributes(inputs, owners, conf, as_of.date), *keyed]
    frame = users.select("user_number", "user_id", "account_ids")
    columns = [F.col(name) for name in frame.columns]
    for place, part in enumerate(found):
        packed, names = f"__{place}", _told(part)
        # A join copies each column of both sides, a struct's columns all at once.
        frame = frame.join(part.select("user_number", F.struct(*names).alias(packed)), "user_number", "left")
        columns += [F.col(f"{packed}.{name}").alias(name) for name in names]
    within = _gaps_within(spec)
    whole = frame.select(*columns).withColumns(within)
    if known is not None:
        stored = [name for part in keyed for name in _told(part) if not name.startswith("__")]
        whole = _taken(whole, known.rows, [*within, *stored])
    whole = whole.fillna(0, _counted(spec))
    return whole.select(
        F.lit(as_of.date).alias("as_of"),
        *(name for name in whole.columns if name != "user_number" and not name.startswith("__")),
        *dates(spec),
        F.lit(as_of.ingest_seq).cast("bigint").alias("ingest_seq"),
        F.lit(spec.value_digest()).alias("definition"),
        F.lit(code_version(FEATURE_CODE)).alias("code"),
    )


def _told(part: DataFrame) -> list[str]:
    """What a frame of one row a user says of them."""
    return [name for name in part.columns if name != "user_number"]


def _taken(frame: DataFrame, rows: DataFrame, names: list[str]) -> DataFrame:
    """The frame with the values that `rows` have of their users by number; those of the frame for the others."""
    held = rows.select("user_number", F.struct(*names).alias("__known"))
    values = {name: F.coalesce(F.col(f"__known.{name}"), F.col(name)) for name in names}
    return frame.join(held, "user_number", "left").withColumns(values)


def _parts(inputs: Inputs, owners: DataFrame, spec: FeaturesSpec, day: date) -> Iterator[DataFrame]:
    """Frames of one row a user that together have all columns but attributes and those of keys; users may be missing from each."""
    tiles: dict[Kind, DataFrame] = {
        "days": _owned(inputs.days, owners, day),
        "orders": _owned(inputs.orders, owners, day),
        "sessions": _owned(inputs.sessions, owners, day),
    }
    sums = summed(spec)
    if sums:
        # One shuffle serves the grouping by bands and that by users. Parts of a day need not be put together first, which would hash
        # every row of the widest tile once more.
        yield in_windows(tiles["days"].repartition("user_number"), spec, sums, day)
    frames: dict[Kind, DataFrame] = {}
    for kind, owned in tiles.items():
        names = [name for name in measures_of(spec, kind) if name not in sums]
        if names:
            frames[kind] = user_days(owned, names) if kind == "days" else counted_days(owned, spec, kind)
            yield in_windows(frames[kind], spec, names, day)
    counted = {name: _dates_of(frames[spec.measures[name].kind], spec, name) for name in _dated(spec)}
    for name, gap in spec.gaps.items():
        if gap.within is None:
            yield gaps(counted[gap.between], name)
    for measure in dict.fromkeys(streak.of for streak in spec.streaks.values()):
        yield streaks(counted[measure], {name: streak.take for name, streak in spec.streaks.items() if streak.of == measure})


def _keyed(inputs: Inputs, owners: DataFrame, spec: FeaturesSpec, day: date) -> Iterator[DataFrame]:
    """The same of what is made from the tiles of keys."""
    days = _owned(inputs.days.select("account_id", "event_date"), owners, day)
    last_events = days.groupBy("user_number").agg(F.max("event_date").alias("last_event"))
    for family in families(spec):
        keys = _owned(inputs.keys[family], owners, day)
        yield preferences(keys, last_events, spec, family)
        for name in gaps_within(spec, family):
            dates_by_key = _dates_by_key(keys, spec, name)
            kind = spec.measures[spec.gaps[name].between].kind
            if kind != "days":
                whole = _owned(inputs.orders if kind == "orders" else inputs.sessions, owners, day)
                dates_by_key = _on_dates(dates_by_key, counting_dates(whole, spec, spec.gaps[name].between))
            yield gaps_by_key(dates_by_key, name).withColumnRenamed("gaps", f"__{name}")


def _attributes(inputs: Inputs, owners: DataFrame, conf: Conf, day: date) -> Iterator[DataFrame]:
    if conf.features.attributes:
        yield attributes(inputs.versions.join(owners, "account_id", "inner"), conf.features, day, conf.main.lake.zone)


def _owned(tiles: DataFrame, owners: DataFrame, day: date) -> DataFrame:
    """Parts of tiles before the day, with the user whose they are."""
    before = tiles.where(F.col("event_date") < F.lit(day)).drop("ingest_seq", "first_seq", "event_month")
    return before.join(owners, "account_id", "inner")


def _dated(spec: FeaturesSpec) -> list[str]:
    """Distinct measures whose single dates are needed."""
    return [*(gap.between for gap in spec.gaps.values() if gap.within is None), *(streak.of for streak in spec.streaks.values())]


def _dates_of(days: DataFrame, spec: FeaturesSpec, measure: str) -> DataFrame:
    return days.where(F.col(stored_measure(spec, measure)) > 0).select("user_number", "event_date")


def _dates_by_key(keys: DataFrame, spec: FeaturesSpec, name: str) -> DataFrame:
    """Dates on which something with a key met the measure's condition, each date of a key once: user_number, key, event_date."""
    key = F.col(key_column(spec, spec.gaps[name].within or ""))
    met = keys.where((F.col(dates_column(name)) > 0) & key.isNotNull()).select("user_number", key.alias("key"), "event_date")
    return met.repartition("user_number").distinct()


def _on_dates(dates_by_key: DataFrame, counting: DataFrame) -> DataFrame:
    """Those of them on which an order or a session of the user counts: not, say, that of the second payment of an order."""
    joined = dates_by_key.join(counting.hint("shuffle_hash"), "user_number", "inner")
    return joined.where(F.array_contains("dates", F.col("event_date"))).drop("dates")


def _gaps_within(spec: FeaturesSpec) -> dict[str, Column]:
    """The gaps of the preferred key, from those of all keys."""
    columns: dict[str, Column] = {}
    for name, gap in spec.gaps.items():
        if gap.within is not None:
            preferred = F.get(F.col(top(gap.within)), F.lit(0)).getField("key")
            mine = F.try_element_at(F.col(f"__{name}"), preferred)
            columns |= {column: F.coalesce(mine.getField(column), F.lit(0).cast("bigint")) for column in sums_columns(name)}
    return columns


def _counted(spec: FeaturesSpec) -> list[str]:
    """Columns that are 0 for a user for whom nothing was found."""
    windows = [part.over(window) for name in spec.measures for window in spec.windows_of(name) for part in parts(spec, name)]
    gap_sums = [column for name, gap in spec.gaps.items() if gap.within is None for column in sums_columns(name)]
    return [*windows, *gap_sums, *spec.streaks, *(preference_columns(name)["count"] for name in spec.preferences)]
