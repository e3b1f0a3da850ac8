"""Features of users from tiles: what is computed, whatever table the rows come from and go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import stored_windowed
from persona_spark.config.tile_tables import ACCOUNT_DAY_KEY, account_day_table, account_order_table, account_session_table
from persona_spark.features.attributes import attributes
from persona_spark.features.days import first_of_user, user_days, windowed_features
from persona_spark.features.preferences import preferences
from persona_spark.lake.code import FEATURE_CODE, code_version
from persona_spark.lake.known import known_rows
from persona_spark.schema import ACCOUNTS

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf


@dataclass(frozen=True)
class Inputs:
    """What features are made from, of all accounts and days.

    Attributes:
        days: parts of `account_day`.
        keys: parts of `account_day_key`.
        orders: parts of `account_order`.
        sessions: parts of `account_session`.
        versions: known versions of `accounts`.
    """

    days: DataFrame
    keys: DataFrame
    orders: DataFrame
    sessions: DataFrame
    versions: DataFrame


def stored_inputs(lake: Lake, spec: FeaturesSpec, ingest_seq: int) -> Inputs:
    """The tiles of the lake, which must hold `ingest_seq`, and the accounts as they were known then."""
    return Inputs(
        lake.read(account_day_table(spec)),
        lake.read(ACCOUNT_DAY_KEY),
        lake.read(account_order_table(spec)),
        lake.read(account_session_table(spec)),
        known_rows(lake, ACCOUNTS, ingest_seq),
    )


def features_frame(inputs: Inputs, owners: DataFrame, conf: Conf, as_of: AsOf) -> DataFrame:
    """Features of the users of `owners`, one row each, with the columns of `user_features`.

    Args:
        inputs: tiles and accounts.
        owners: account_id, user_id: every account of every user that is wanted.
        conf: the configuration.
        as_of: the day, and what was known.
    """
    spec = conf.features
    days = _before(inputs.days, as_of.date).join(owners, "account_id", "inner")
    windows = windowed_features(user_days(days, _counted(inputs, owners, spec, as_of.date), spec), spec, as_of.date)
    frame = accounts_of(owners).join(windows, "user_id", "left")
    if spec.preferences:
        keys = _before(inputs.keys, as_of.date).join(owners, "account_id", "inner")
        last_events = days.groupBy("user_id").agg(F.max("event_date").alias("last_event"))
        frame = frame.join(preferences(keys, last_events, spec), "user_id", "left")
    if spec.attributes:
        versions = inputs.versions.join(owners, "account_id", "inner")
        frame = frame.join(attributes(versions, spec, as_of.date, conf.main.lake.zone), "user_id", "left")
    counted = [stored_windowed(spec, name, window) for name in spec.measures for window in spec.parsed_windows]
    return frame.fillna(0, counted).select(
        F.lit(as_of.date).alias("as_of"),
        *frame.columns,
        F.lit(as_of.ingest_seq).cast("bigint").alias("ingest_seq"),
        F.lit(spec.value_digest()).alias("definition"),
        F.lit(code_version(FEATURE_CODE)).alias("code"),
    )


def accounts_of(owners: DataFrame) -> DataFrame:
    """One row a user: user_id, account_ids (sorted)."""
    return owners.groupBy("user_id").agg(F.sort_array(F.collect_set("account_id")).alias("account_ids"))


def _before(tiles: DataFrame, day: date) -> DataFrame:
    return tiles.where(F.col("event_date") < F.lit(day)).drop("ingest_seq", "first_seq", "event_month")


def _counted(inputs: Inputs, owners: DataFrame, spec: FeaturesSpec, day: date) -> list[DataFrame]:
    """Orders and sessions on the days before as_of on which they count."""
    frames = []
    for tiles, kind, id_name in ((inputs.orders, "orders", "order_id"), (inputs.sessions, "sessions", "session_id")):
        measures = [name for name, measure in spec.measures.items() if measure.distinct == kind]
        if measures:
            frames.append(first_of_user(_before(tiles, day).join(owners, "account_id", "inner"), id_name, measures))
    return frames
