"""The feature stage: tiles and identity become one row a user, as of a day.

Only users who changed since the base are computed; the others' rows are carried over from it, which gives what computing all
of them would give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import user_features_table
from persona_spark.errors import LakeError
from persona_spark.features.changed import GONE, WINDOW
from persona_spark.features.frame import Known, features_frame, stored_inputs
from persona_spark.features.plan import feature_plan, is_made
from persona_spark.features.users import accounts_of, numbered, sent
from persona_spark.lake.code import FEATURE_CODE, code_version
from persona_spark.lake.contract import frame_of
from persona_spark.lake.dates import on_day
from persona_spark.lake.day_state import begun_days
from persona_spark.lake.result import StageResult
from persona_spark.lake.tile_state import check_tiles
from persona_spark.schema import FEATURES_STATE, IDENTITY

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.features.plan import FeaturePlan
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf


def compute_features(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Write the partition `as_of.date` of `user_features`: every user of `identity`, also those without events.

    Writes `user_features_state` after it, which says what the partition was made from.

    Returns:
        rows_in: users computed from tiles; rows_out: users.

    Raises:
        LakeError: when identity or tiles were not made for `as_of`.
    """
    check_tiles(lake, conf.features, as_of.ingest_seq)
    owners = owners_at(lake, as_of)
    if is_made(lake, conf.features, as_of, owners):
        return StageResult(0, 0, {"held_up_to": as_of.ingest_seq}, skipped=True)
    with feature_plan(lake, conf, as_of, owners) as plan:
        rows = _write(lake, conf, plan, owners)
    _write_state(lake, conf, plan, rows)
    return StageResult(plan.recomputed, rows, {**plan.notes(), "columns": len(user_features_table(conf.features).columns)})


def _write(lake: Lake, conf: Conf, plan: FeaturePlan, owners: DataFrame) -> int:
    wanted = accounts_of(owners)
    if plan.base is not None:
        wanted = wanted.join(plan.base.changed.where(F.col("reason") != GONE), "user_id", "inner")
    rows = _rows(lake, conf, plan, numbered(wanted))
    return lake.replace_where(rows, user_features_table(conf.features), on_day(plan.as_of.date))


def _rows(lake: Lake, conf: Conf, plan: FeaturePlan, users: DataFrame) -> DataFrame:
    """The users computed from tiles, and those carried over."""
    inputs = stored_inputs(lake, conf.features, plan.as_of.ingest_seq)
    if plan.base is None:
        return features_frame(inputs, users, conf, plan.as_of)
    table = user_features_table(conf.features)
    # The stored table may have columns of earlier definitions.
    base = lake.read(table).where(on_day(plan.base.as_of.date)).select(*table.names)
    carried = base.join(plan.base.changed.select("user_id"), "user_id", "left_anti").withColumns(
        {"as_of": F.lit(plan.as_of.date), "ingest_seq": F.lit(plan.as_of.ingest_seq).cast("bigint")}
    )
    windows_only = F.col("reason") == WINDOW
    held = base.join(sent(users.where(windows_only).select("user_id", "user_number"), plan.recomputed), "user_id", "inner")
    known = Known(held, users.where(~windows_only))
    return features_frame(inputs, users, conf, plan.as_of, known).unionByName(carried)


def owners_at(lake: Lake, as_of: AsOf) -> DataFrame:
    """The accounts of `identity` as of the day: account_id, user_id.

    Raises:
        LakeError: when identity was not made for `as_of`, or not to its end.
    """
    identity = lake.read(IDENTITY).where(on_day(as_of.date))
    held = identity.select("ingest_seq").limit(1).collect()
    if as_of.ingest_seq > 0 and (not held or held[0].ingest_seq != as_of.ingest_seq):
        if held:
            what = f"is that of ingest {held[0].ingest_seq}, not {as_of.ingest_seq}: run persona identify first"
        else:
            what = "has no accounts: choose a later day if none is known before it, else run persona identify"
        raise LakeError(f"identity as of {as_of.date} {what}")
    if as_of.date in begun_days(lake, IDENTITY):
        raise LakeError(f"identity as of {as_of.date} was made by a run that did not end: run persona identify first")
    return identity.select("account_id", "user_id")


def _write_state(lake: Lake, conf: Conf, plan: FeaturePlan, users: int) -> None:
    row = {
        "as_of": plan.as_of.date,
        "ingest_seq": plan.as_of.ingest_seq,
        "definition": conf.features.value_digest(),
        "code": code_version(FEATURE_CODE),
        "users": users,
        "recomputed": plan.recomputed,
        "base_as_of": plan.base and plan.base.as_of.date,
        "base_ingest_seq": plan.base and plan.base.as_of.ingest_seq,
        "reasons": dict(plan.reasons),
        "why_full": plan.why_full,
    }
    lake.replace_where(frame_of(lake.spark, FEATURES_STATE, [row]), FEATURES_STATE, on_day(plan.as_of.date))
