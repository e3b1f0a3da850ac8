"""What a run would do, found out without writing anything: the same functions decide as in the run itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from persona_spark.config.tile_tables import user_features_table
from persona_spark.features.compute import owners_at
from persona_spark.features.plan import feature_plan, is_made
from persona_spark.identity.identify import identify
from persona_spark.lake.known import committed_seq
from persona_spark.lake.memory import MemoryLake
from persona_spark.lake.tile_state import tile_counts, tile_plan
from persona_spark.profiles.ledger import champion_version, release_id
from persona_spark.profiles.publish import is_current
from persona_spark.profiles.tables import check_types, user_profile_table
from persona_spark.segments.train import needs_training
from persona_spark.sources.ingest import waiting_files
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake


@dataclass(frozen=True)
class RunPlan:
    """What `run` would do with what has been ingested; what waits in files is not counted, since nobody has read it.

    Attributes:
        as_of: the day, and what is known.
        waiting: new files of each feed; only feeds that have some.
        published: id of the release that is there already, so that a run without new files does nothing; None when one would be made.
        tiles: notes of the tile stage: what is new to the tiles, and whether and why they are made anew; empty when they hold everything.
        features: notes of the feature stage: base or why all, users recomputed and carried over, users by reason; empty when they are made.
        stored: columns of `user_features`.
        columns: columns of `user_profile`.
        training: why segments would be trained; None when they would not.
    """

    as_of: AsOf
    waiting: Mapping[str, int]
    published: str | None
    tiles: Mapping[str, Any]
    features: Mapping[str, Any]
    stored: int
    columns: int
    training: str | None

    @property
    def exact(self) -> bool:
        """Whether the figures are those that a run would report: no files wait."""
        return not self.waiting


def plan_run(lake: Lake, conf: Conf, day: date) -> RunPlan:
    """Find out what a run would do.

    Identity is computed in memory; days of accounts come from events where tiles do not hold them yet.

    Args:
        lake: the lake; nothing is written to it.
        conf: the configuration.
        day: the day to make profiles for.

    Raises:
        LakeError: when no account is known before `day`, or a stored column has another type than its definition.
        SetupError: when a variable or package that a feed's path names is missing.
        FeedError: when a feed has no files at all.
    """
    check_types(lake, conf)
    as_of = AsOf(day, committed_seq(lake))
    waiting = waiting_files(lake, conf)
    name = release_id(conf, as_of, champion_version(lake))
    known = as_of.ingest_seq > 0
    training = needs_training(lake, conf, as_of)
    current = known and training is None and is_current(lake, conf, as_of)
    nothing = current or not known
    return RunPlan(
        as_of,
        waiting,
        name if current else None,
        {} if nothing else _tiles(lake, conf, as_of),
        {} if nothing else _features(lake, conf, as_of),
        len(user_features_table(conf.features).columns),
        len(user_profile_table(conf).columns),
        training if known else None,
    )


def _tiles(lake: Lake, conf: Conf, as_of: AsOf) -> dict[str, Any]:
    plan = tile_plan(lake, conf.features, as_of.ingest_seq)
    return {} if plan.nothing else {"anew": plan.why_anew or False, **tile_counts(lake, plan)}


def _features(lake: Lake, conf: Conf, as_of: AsOf) -> dict[str, Any]:
    with MemoryLake(lake) as memory:
        identify(memory, conf, as_of)
        owners = owners_at(memory, as_of)
        if is_made(lake, conf.features, as_of, owners):
            return {}
        with feature_plan(lake, conf, as_of, owners) as plan:
            return plan.notes()
