"""Publishing: history, ledger, audits, and then `user_profile` in one commit.

The order is history partition, ledger, `user_profile`. Whatever a kill leaves behind, the same run again or `repair`
leads to the same tables: readers of `user_profile` see one whole release at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import user_features_table
from persona_spark.errors import AuditError, LakeError, UsageError
from persona_spark.lake.contract import frame_of
from persona_spark.lake.dates import on_day
from persona_spark.lake.result import StageResult
from persona_spark.profiles.audits import audit
from persona_spark.profiles.ledger import (
    AUDITED,
    PUBLISHED,
    REJECTED,
    STAGED,
    WITHDRAWN,
    Release,
    champion_version,
    last_entry,
    manifest,
    record,
    release_id,
    release_of,
    serving_entry,
    was_chosen,
)
from persona_spark.profiles.made import features_made, ingests, tiles_made
from persona_spark.profiles.tables import user_profile_history_table, user_profile_table
from persona_spark.projection import profile_frame
from persona_spark.schema import USER_SEGMENTS, Table

if TYPE_CHECKING:
    from typing import Any

    from pyspark.sql import DataFrame, Row

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf


def is_current(lake: Lake, conf: Conf, as_of: AsOf) -> bool:
    """Whether the release of these inputs is published already."""
    return published_entry(lake, release_id(conf, as_of, champion_version(lake))) is not None


def published_entry(lake: Lake, name: str) -> Row | None:
    """The last entry of a release that is published; None of any other."""
    entry = last_entry(lake, name)
    return entry if entry is not None and entry.state == PUBLISHED else None


def publish(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Make the release of as_of from features, scores, tags and segments, audit it, and let it serve.

    A release older than the serving one is published without serving. Writes `user_profile_history`,
    `profile_release` and `user_profile`.

    Raises:
        LakeError: when a part of as_of was not made from this, or by a run that did not end, when segments were assigned by another model
            than the live one, when the release of these inputs was withdrawn, or when another run publishes at the same time.
        AuditError: when an audit fails; the ledger says which, the serving release stays.
    """
    model = champion_version(lake)
    _check_segments(lake, as_of, model)
    name = release_id(conf, as_of, model)
    entry = published_entry(lake, name)
    if entry is not None:
        repaired = serve_again(lake, conf, entry)
        return StageResult(0, 0, {"release": name, "repaired": repaired}, skipped=not repaired)
    _check_not_withdrawn(lake, name)
    history = user_profile_history_table(conf)
    rows = lake.replace_where(release_frame(lake, conf, as_of, name), history, f"release_id = '{name}'")
    _decide(lake, conf, as_of, name, model)
    repair(lake, conf)
    serving = serving_entry(lake)
    serves = serving is not None and serving.release_id == name
    return StageResult(rows, rows, {"release": name, "serving": serves, "columns": len(user_profile_table(conf).columns)})


def serve_again(lake: Lake, conf: Conf, entry: Row) -> bool:
    """Let the published release of a run's inputs serve, and `user_profile` hold what serves; returns whether anything had to be changed.

    A release that took its place when it was made itself gives way, because its inputs are gone again: definitions that were
    changed back, say. One of a later day does not, nor one that `rollback` chose.
    """
    serving = serving_entry(lake)
    if serving is not None and serving.release_id != entry.release_id and serving.as_of <= entry.as_of and not was_chosen(serving):
        record(lake, release_of(entry), PUBLISHED, serving=True)
    return repair(lake, conf)


def repair(lake: Lake, conf: Conf) -> bool:
    """Make `user_profile` hold the release that the ledger says is serving; returns whether it had to be changed."""
    serving = serving_entry(lake)
    if serving is None:
        return False
    table = user_profile_table(conf)
    held = lake.read(table).select("release_id").limit(1).collect() if lake.exists(table) else []
    if held and held[0].release_id == serving.release_id:
        return False
    _serve(lake, serving.release_id, table)
    return True


def rollback(lake: Lake, conf: Conf, name: str) -> None:
    """Let an earlier published release serve again, by a new entry in the ledger.

    Raises:
        UsageError: when the release is unknown, was never published, or was withdrawn.
    """
    entry = last_entry(lake, name)
    if entry is None or entry.state != PUBLISHED:
        found = "is not in the ledger" if entry is None else f"is {entry.state}"
        raise UsageError(f"release {name} {found}: only a published release can serve; `persona releases` lists them")
    record(lake, release_of(entry, chosen=True), PUBLISHED, serving=True)
    repair(lake, conf)


def withdraw(lake: Lake, name: str) -> None:
    """Mark a release that must not serve any more; the serving one must be replaced by `rollback` first.

    Raises:
        UsageError: when the release is unknown or serving.
    """
    entry, serving = last_entry(lake, name), serving_entry(lake)
    if entry is None:
        raise UsageError(f"release {name} is not in the ledger: `persona releases` lists them")
    if serving is not None and serving.release_id == name:
        raise UsageError(f"release {name} is serving: let another one serve first (rollback)")
    record(lake, release_of(entry), WITHDRAWN)


def _check_segments(lake: Lake, as_of: AsOf, model: str | None) -> None:
    used = lake.read(USER_SEGMENTS).where(on_day(as_of.date)).select("model_version").distinct().limit(2).collect()
    others = sorted(row.model_version for row in used if row.model_version != model)
    if others:
        raise LakeError(
            f"segments as of {as_of.date} were assigned by {', '.join(others)}, the live model is {model}: "
            f"run persona segments assign --as-of {as_of.date} first"
        )


def _check_not_withdrawn(lake: Lake, name: str) -> None:
    entry = last_entry(lake, name)
    if entry is not None and entry.state == WITHDRAWN:
        raise LakeError(
            f"release {name} was withdrawn, and the same inputs give the same release: correct the data or the definitions first"
        )


def release_frame(lake: Lake, conf: Conf, as_of: AsOf, name: str) -> DataFrame:
    """The rows of a release, with the columns of `user_profile_history`.

    Args:
        lake: where features, scores, tags and segments of `as_of` are.
        conf: the configuration.
        as_of: the day.
        name: the release's id.
    """
    frame = profile_frame(lake, conf, as_of, parts=("scores", "tags", "segments"))
    return frame.withColumn("release_id", F.lit(name)).select(*user_profile_history_table(conf).names)


def _decide(lake: Lake, conf: Conf, as_of: AsOf, name: str, model: str | None) -> None:
    """Stage, audit, and publish or reject, each an entry in the ledger."""
    profiles = lake.read(user_profile_history_table(conf)).where(F.col("release_id") == F.lit(name))
    users = profiles.count()

    columns = {"stored": len(user_features_table(conf.features).columns), "published": len(user_profile_table(conf).columns)}

    def release(counts: dict[str, Any]) -> Release:
        found = {"users": users, "columns": columns, **counts}
        return Release(name, as_of.date, as_of.ingest_seq, users, manifest(conf, as_of, model, found))

    record(lake, release({}), STAGED)
    audits, null_rates = audit(lake, conf, as_of, profiles)
    made = {"ingests": ingests(lake, as_of), "tiles": tiles_made(lake, as_of), "features": features_made(lake, as_of)}
    found = release({"audits": [item.as_dict() for item in audits], "null_rates": null_rates, **made})
    failed = [item for item in audits if not item.passed]
    if failed:
        record(lake, found, REJECTED)
        raise AuditError(
            f"release {name} failed {len(failed)} of {len(audits)} audits and was rejected; the serving release stays as it was:\n"
            + "\n".join(f"  - {item}" for item in failed)
        )
    record(lake, found, AUDITED)
    serving = serving_entry(lake)
    record(lake, found, PUBLISHED, serving=serving is None or serving.as_of <= as_of.date)


def _serve(lake: Lake, name: str, table: Table) -> None:
    """Replace `user_profile` by a release of the history, in one commit."""
    history = Table("user_profile_history", "", table.columns, ("release_id", "user_id"), ("release_id",))
    rows = lake.read(history).where(F.col("release_id") == F.lit(name))
    stored = rows.select(*(column for column in rows.columns if column in table.names))
    # A release of earlier code may lack columns and fields.
    lake.replace(frame_of(lake.spark, table).unionByName(stored, allowMissingColumns=True), table)
