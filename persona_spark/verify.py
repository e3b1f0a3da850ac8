"""Verifying a release: everything is computed again from the raw events that it knew, and compared value by value.

The stages are the ones that made it, run on a lake whose writes stay in memory and which shows them the raw tables only: no tile,
no row of an earlier day is taken over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.errors import LakeError, UsageError
from persona_spark.features.compute import compute_features
from persona_spark.identity.identify import identify
from persona_spark.lake.code import code_version
from persona_spark.lake.contract import frame_of
from persona_spark.lake.day_state import SEGMENTS, end_day
from persona_spark.lake.memory import MemoryLake
from persona_spark.profiles.ledger import PUBLISHED, last_entry, serving_entry
from persona_spark.profiles.publish import release_frame
from persona_spark.profiles.tables import user_profile_history_table, user_profile_table
from persona_spark.schema import ACCOUNTS, EVENTS, INGEST, RETRACTIONS, SEGMENT_MODEL
from persona_spark.scores.score import score
from persona_spark.segments.assign import assign
from persona_spark.segments.model import CHAMPION, models
from persona_spark.tags.tag import tag
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, Row

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake

RAW = (EVENTS, RETRACTIONS, ACCOUNTS, INGEST)
"""What is not made from anything else in the lake."""
_KEY = ("release_id", "user_id")


@dataclass(frozen=True)
class Difference:
    """A column in which the release says something else than the events.

    Attributes:
        column: its name.
        users: how many differ.
        example: the smallest id of them.
        stored: what the release says of the example.
        computed: what the events say.
    """

    column: str
    users: int
    example: str
    stored: Any
    computed: Any


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        release_id: the release.
        as_of: the day, and what it knew.
        users: users by the events.
        columns: columns compared.
        lost: users that the release lacks, and the smallest id of them.
        extra: users that it should not have, likewise.
        repeated: users of whom it has several rows, likewise.
        differences: columns that differ, in the order of the profile.
        unserved: rows of `user_profile` that are not those of the release, and the other way round; 0 when another release serves.
    """

    release_id: str
    as_of: AsOf
    users: int
    columns: int
    lost: tuple[int, str | None]
    extra: tuple[int, str | None]
    repeated: tuple[int, str | None]
    differences: tuple[Difference, ...]
    unserved: int = 0

    @property
    def holds(self) -> bool:
        """Whether the release is what the events say."""
        return not (self.lost[0] or self.extra[0] or self.repeated[0] or self.differences or self.unserved)


def verify(lake: Lake, conf: Conf, release_id: str | None = None) -> Verification:
    """Compute a release again and compare it. Nothing is written to the lake.

    Args:
        lake: the lake.
        conf: the configuration that the release was made by.
        release_id: the release; the serving one when None.

    Raises:
        LakeError: when nothing is published, or the rows of the release are gone.
        UsageError: when the release is unknown or not published, or was made by other definitions, other code or a model that is gone.
    """
    entry = _entry(lake, release_id)
    manifest = json.loads(entry.manifest)
    _check_same(conf, entry.release_id, manifest)
    table = user_profile_history_table(conf)
    stored = lake.read(table).where(F.col("release_id") == F.lit(entry.release_id)).select(*table.names)
    if entry.users and stored.isEmpty():
        raise LakeError(
            f"release {entry.release_id} has no rows in user_profile_history any more: they were erased or removed, it cannot be verified"
        )
    as_of = AsOf(entry.as_of, int(entry.ingest_seq))
    with MemoryLake(lake, RAW) as memory:
        _put_model(memory, lake, manifest["model"])
        computed = recomputed(memory, conf, as_of, entry.release_id)
        return replace(_compared(entry.release_id, as_of, stored, computed), unserved=_unserved(lake, conf, entry.release_id, stored))


def recomputed(memory: MemoryLake, conf: Conf, as_of: AsOf, release_id: str) -> DataFrame:
    """The rows of a release from raw tables and a segment model, with the columns of `user_profile_history`.

    Args:
        memory: a lake that shows nothing else.
        conf: the configuration.
        as_of: the day, and what was known.
        release_id: what stands in the column of that name.
    """
    for stage in (tile, identify, compute_features, score, tag):
        stage(memory, conf, as_of)
    if memory.exists(SEGMENT_MODEL):
        assign(memory, conf, as_of)
    else:
        end_day(memory, SEGMENTS, conf, as_of)
    return release_frame(memory, conf, as_of, release_id)


def _entry(lake: Lake, release_id: str | None) -> Row:
    entry = serving_entry(lake) if release_id is None else last_entry(lake, release_id)
    if entry is None and release_id is None:
        raise LakeError(f"nothing has been published in {lake.root or lake.schema}: run persona run first")
    if entry is None or entry.state != PUBLISHED:
        found = "is not in the ledger" if entry is None else f"is {entry.state}"
        raise UsageError(f"release {release_id} {found}: only a published release can be verified; `persona releases` lists them")
    return entry


def _check_same(conf: Conf, release_id: str, manifest: Mapping[str, Any]) -> None:
    specs = {"features": conf.features, "scores": conf.scores, "tags": conf.tags, "segments": conf.segments}
    others = sorted(name for name, spec in specs.items() if manifest["specs"].get(name) != spec.digest())
    if others or manifest["spec_hash"] != conf.spec_hash():
        what = ", ".join(others) or "the zone or the currency"
        raise UsageError(
            f"release {release_id} was made by other definitions ({what}), so it cannot be verified with these: name the configuration "
            "that it was made by with --conf, or make a release with the present one and verify that"
        )
    if manifest["code"] != code_version():
        raise UsageError(
            f"release {release_id} was made by code {manifest['code']}, this is {code_version()}, so it cannot be verified here: install "
            "that version, or make a release with this one and verify that"
        )


def _put_model(memory: MemoryLake, lake: Lake, version: str | None) -> None:
    """Let the memory show the model that the release used as the live one, whatever became of it."""
    if version is None:
        return
    found = [model for model in models(lake) if model.model_version == version]
    if not found:
        raise UsageError(f"segment_model does not hold {version} any more, by which the release was made: it cannot be verified")
    row = replace(found[0], status=CHAMPION).as_row()
    memory.replace(frame_of(memory.spark, SEGMENT_MODEL, [row]), SEGMENT_MODEL)


def _unserved(lake: Lake, conf: Conf, release_id: str, stored: DataFrame) -> int:
    serving = serving_entry(lake)
    if serving is None or serving.release_id != release_id:
        return 0
    names = user_profile_table(conf).names
    served, wanted = lake.read(user_profile_table(conf)).select(*names), stored.select(*names)
    return served.exceptAll(wanted).unionByName(wanted.exceptAll(served)).count()


def _compared(release_id: str, as_of: AsOf, stored: DataFrame, computed: DataFrame) -> Verification:
    names = [name for name in computed.columns if name not in _KEY]
    old = stored.select("user_id", F.struct(*names).alias("stored"))
    new = computed.select("user_id", F.struct(*names).alias("computed"))
    both = old.join(new, "user_id", "full_outer").persist()
    try:
        row = both.agg(*_counts(names)).collect()[0]
        found = [_difference(both, name, int(row[f"n_{name}"])) for name in names if row[f"n_{name}"]]
    finally:
        both.unpersist()
    lost, extra = (int(row["n_lost"]), row["first_lost"]), (int(row["n_extra"]), row["first_extra"])
    return Verification(release_id, as_of, int(row["users"]), len(names), lost, extra, _repeated(stored), tuple(found))


def _repeated(rows: DataFrame) -> tuple[int, str | None]:
    several = rows.groupBy("user_id").agg(F.count("*").alias("rows")).where("rows > 1")
    users, first = several.agg(F.count("*"), F.min("user_id")).collect()[0]
    return int(users), first


def _counts(names: list[str]) -> list[Any]:
    lost, extra = F.col("stored").isNull(), F.col("computed").isNull()
    return [
        F.count_distinct(F.when(~extra, F.col("user_id"))).alias("users"),
        F.count_if(lost).alias("n_lost"),
        F.min(F.when(lost, F.col("user_id"))).alias("first_lost"),
        F.count_if(extra).alias("n_extra"),
        F.min(F.when(extra, F.col("user_id"))).alias("first_extra"),
        *(F.count_if(_differs(name)).alias(f"n_{name}") for name in names),
    ]


def _differs(name: str) -> Any:
    same = F.col(f"stored.`{name}`").eqNullSafe(F.col(f"computed.`{name}`"))
    return F.col("stored").isNotNull() & F.col("computed").isNotNull() & ~same


def _difference(both: DataFrame, name: str, users: int) -> Difference:
    values = (F.col(f"stored.`{name}`").alias("stored"), F.col(f"computed.`{name}`").alias("computed"))
    row = both.where(_differs(name)).orderBy("user_id").select("user_id", *values).limit(1).collect()[0]
    return Difference(name, users, row.user_id, row.stored, row.computed)
