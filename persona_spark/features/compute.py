"""The feature stage: tiles and identity become one row a user, as of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.features_columns import stored_windowed
from persona_spark.config.tile_tables import ACCOUNT_DAY_KEY, account_day_table, account_order_table, account_session_table
from persona_spark.errors import LakeError
from persona_spark.features.attributes import attributes
from persona_spark.features.days import first_of_user, user_days, windowed_features
from persona_spark.features.preferences import preferences
from persona_spark.lake.known import known_rows
from persona_spark.lake.result import StageResult
from persona_spark.projection import user_features_table
from persona_spark.schema import ACCOUNTS, IDENTITY, TILE_STATE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table
    from persona_spark.time import AsOf


def compute_features(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Write the partition `as_of.date` of `user_features`: every user of `identity`, also those without events.

    Returns:
        rows_in: accounts; rows_out: users.

    Raises:
        LakeError: when identity or tiles were not made for `as_of`.
    """
    spec = conf.features
    _check_tiles(lake, spec, as_of)
    identity = lake.read(IDENTITY).where(F.col("as_of") == F.lit(as_of.date))
    accounts = _check_identity(identity, as_of)
    owners = identity.select("account_id", "user_id")
    table = user_features_table(spec)
    frame = features_frame(lake, conf, as_of, owners)
    rows = lake.replace_where(frame.select(*table.names), table, f"as_of = DATE'{as_of.date}'")
    return StageResult(accounts, rows)


def features_frame(lake: Lake, conf: Conf, as_of: AsOf, owners: DataFrame) -> DataFrame:
    """Features of all users, computed from the tiles.

    Args:
        lake: the lake.
        conf: the configuration.
        as_of: the day, and what was known.
        owners: account_id, user_id.
    """
    spec = conf.features
    tiles = _before(lake, account_day_table(spec), as_of).join(owners, "account_id", "inner")
    windows = windowed_features(user_days(tiles, _firsts(lake, spec, as_of, owners), spec), spec, as_of.date)
    frame = owners.groupBy("user_id").agg(F.sort_array(F.collect_set("account_id")).alias("account_ids"))
    frame = frame.join(windows, "user_id", "left")
    if spec.preferences:
        keys = _before(lake, ACCOUNT_DAY_KEY, as_of).join(owners, "account_id", "inner")
        last_events = tiles.groupBy("user_id").agg(F.max("event_date").alias("last_event"))
        frame = frame.join(preferences(keys, last_events, spec), "user_id", "left")
    if spec.attributes:
        versions = known_rows(lake, ACCOUNTS, as_of.ingest_seq).join(owners, "account_id", "inner")
        frame = frame.join(attributes(versions, spec, as_of.date, conf.main.lake.zone), "user_id", "left")
    counted = [stored_windowed(spec, name, window) for name in spec.measures for window in spec.parsed_windows]
    return frame.fillna(0, subset=counted).select(
        "*",
        F.lit(as_of.date).alias("as_of"),
        F.lit(as_of.ingest_seq).cast("bigint").alias("ingest_seq"),
        F.lit(spec.value_digest()).alias("definition"),
    )


def _before(lake: Lake, table: Table, as_of: AsOf) -> DataFrame:
    return lake.read(table).where(F.col("event_date") < F.lit(as_of.date)).drop("ingest_seq", "event_month")


def _firsts(lake: Lake, spec: FeaturesSpec, as_of: AsOf, owners: DataFrame) -> list[DataFrame]:
    """Orders and sessions on the days before as_of on which they count."""
    frames = []
    for table, kind in ((account_order_table(spec), "orders"), (account_session_table(spec), "sessions")):
        dated = {name: measure.dated_by for name, measure in spec.measures.items() if measure.distinct == kind}
        if dated:
            tiles = lake.read(table).join(owners, "account_id", "inner")
            firsts = first_of_user(tiles, table.key[1], dated)
            frames.append(firsts.where(F.col("event_date") < F.lit(as_of.date)))
    return frames


def _check_tiles(lake: Lake, spec: FeaturesSpec, as_of: AsOf) -> None:
    state = lake.read(TILE_STATE).collect()
    if len(state) != 1 or not state[0].complete or state[0].ingest_seq != as_of.ingest_seq or state[0].definition != spec.tile_digest():
        held = f"they hold ingest {state[0].ingest_seq}" if len(state) == 1 else "there are none"
        raise LakeError(
            f"the tiles are not those of ingest {as_of.ingest_seq} and of the definitions in use ({held}): run persona tile first"
        )


def _check_identity(identity: DataFrame, as_of: AsOf) -> int:
    """Accounts of the partition."""
    found = identity.agg(F.count("*").alias("accounts"), F.min("ingest_seq").alias("least"), F.max("ingest_seq").alias("most")).collect()[0]
    if as_of.ingest_seq > 0 and (found.least, found.most) != (as_of.ingest_seq, as_of.ingest_seq):
        held = f"it holds ingest {found.most}" if found.accounts else "it has no accounts"
        raise LakeError(f"identity as of {as_of.date} is not that of ingest {as_of.ingest_seq} ({held}): run persona identify first")
    return int(found.accounts)
