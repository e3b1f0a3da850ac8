"""The rows that a preview looks at: the stored ones if they were made by the definitions in use, else rows made in memory.

Nothing is written to the lake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import user_features_table
from persona_spark.errors import LakeError
from persona_spark.features.frame import features_frame, inputs_from, stored_inputs
from persona_spark.features.users import accounts_of, numbered
from persona_spark.lake.code import FEATURE_CODE, code_version
from persona_spark.lake.dates import on_day
from persona_spark.lake.known import known_events
from persona_spark.lake.tables import latest_day
from persona_spark.lake.tile_state import tile_plan
from persona_spark.projection import published
from persona_spark.schema import IDENTITY
from persona_spark.tiles.account_tiles import tiles_of
from persona_spark.tiles.tile import whole_parts
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf
    from persona_spark.features.frame import Inputs
    from persona_spark.lake.tables import Lake

Source = Literal["user_features", "tiles", "events"]
_HASHES = 2**64
_LEAST_HASH = -(2**63)
_SPARE = 50
"""Users beyond twice the sample that are looked at, so that a small one is not left short by chance."""


@dataclass(frozen=True)
class Rows:
    """What is looked at.

    Attributes:
        frame: user_id and the published columns, one row a user.
        as_of: the day, and what was known.
        all_users: users of `identity` as of the day.
        source: from what the rows come: the stored features, the stored tiles, or the events.
        why: why neither stored features nor, if so, stored tiles could be taken; empty for stored features.
    """

    frame: DataFrame
    as_of: AsOf
    all_users: int
    source: Source
    why: tuple[str, ...]

    @property
    def stored(self) -> bool:
        """Whether the rows are those of `user_features`."""
        return self.source == "user_features"


def preview_rows(lake: Lake, conf: Conf, day: date | None, sample: int) -> Rows:
    """Published rows of all users if they are stored; else of at most `sample` users, made in memory.

    Args:
        lake: the lake.
        conf: the configuration.
        day: the day; None for the latest in `identity`.
        sample: most users that are made: those of the lowest xxhash64(user_id), so a smaller sample is part of a larger one.

    Raises:
        LakeError: when no accounts have been identified as of the day.
    """
    identity = lake.require(IDENTITY, "run persona run --as-of DATE first")
    as_of = _as_of(identity, day)
    spec = conf.features
    owners = identity.where(on_day(as_of.date)).select("account_id", "user_id")
    users = int(owners.agg(F.count_distinct("user_id")).collect()[0][0])
    why = _why_not_stored(lake, spec, as_of)
    if why is None:
        raw = lake.read(user_features_table(spec)).where(on_day(as_of.date))
        return Rows(published(raw, spec), as_of, users, "user_features", ())
    if users > sample:
        owners = owners.join(_sampled(owners, users, sample), "user_id", "left_semi").select("account_id", "user_id")
    inputs, source, reasons = _inputs(lake, spec, owners, as_of)
    frame = features_frame(inputs, numbered(accounts_of(owners)), conf, as_of)
    return Rows(published(frame, spec), as_of, users, source, (why, *reasons))


def _as_of(identity: DataFrame, day: date | None) -> AsOf:
    """The day, or the latest, with what was known when its accounts were identified."""
    days = identity if day is None else identity.where(on_day(day))
    found = days.agg(F.max(F.struct("as_of", "ingest_seq")).alias("last")).collect()[0].last
    if found is not None:
        return AsOf(found.as_of, int(found.ingest_seq))
    latest = latest_day(identity)
    has = f"the latest day that has is {latest}" if latest else "no day has"
    raise LakeError(f"identity has no accounts{f' as of {day}' if day else ''} ({has}): run persona run --as-of {day or 'DATE'} first")


def _why_not_stored(lake: Lake, spec: FeaturesSpec, as_of: AsOf) -> str | None:
    """Why the stored features are not those of the definitions, the code and the accounts in use; None when they are."""
    rows = lake.read(user_features_table(spec)).where(on_day(as_of.date))
    found = rows.select("definition", "code", "ingest_seq").limit(1).collect()
    if not found:
        return f"user_features has no rows as of {as_of.date}"
    if found[0].definition != spec.value_digest():
        return f"user_features as of {as_of.date} was computed by other definitions"
    if found[0].code != code_version(FEATURE_CODE):
        return f"user_features as of {as_of.date} was computed by other code"
    if found[0].ingest_seq != as_of.ingest_seq:
        return f"user_features as of {as_of.date} holds ingest {found[0].ingest_seq}, identity {as_of.ingest_seq}"
    return None


def _sampled(owners: DataFrame, users: int, sample: int) -> DataFrame:
    """The `sample` users of the lowest hashes; the bound keeps the sort from seeing all users."""
    share = min(1.0, (2 * sample + _SPARE) / users)
    bound = min(_LEAST_HASH + int(share * _HASHES), 2**63 - 1)
    near = owners.select("user_id").distinct().withColumn("__hash", F.xxhash64("user_id")).where(F.col("__hash") <= F.lit(bound))
    return near.orderBy("__hash", "user_id").limit(sample).select("user_id")


def _inputs(lake: Lake, spec: FeaturesSpec, owners: DataFrame, as_of: AsOf) -> tuple[Inputs, Source, tuple[str, ...]]:
    """The stored tiles if they hold what is asked for; else tiles made from events, and why."""
    plan = tile_plan(lake, spec, as_of.ingest_seq)
    if plan.nothing:
        return stored_inputs(lake, spec, as_of.ingest_seq), "tiles", ()
    held = plan.why_anew or f"they hold ingest {plan.since}, not {as_of.ingest_seq}"
    return _from_events(lake, spec, owners, as_of), "events", (f"the stored tiles do not serve: {held}",)


def _from_events(lake: Lake, spec: FeaturesSpec, owners: DataFrame, as_of: AsOf) -> Inputs:
    """Tiles of the accounts of `owners`, made from their events as they were known."""
    events = known_events(lake, as_of.ingest_seq).where(F.col("event_date") < F.lit(as_of.date))
    mine = whole_parts(events.join(owners.select("account_id"), "account_id", "left_semi"))
    return inputs_from(lambda table: tiles_of(mine, spec, table), lake, spec, as_of.ingest_seq)
