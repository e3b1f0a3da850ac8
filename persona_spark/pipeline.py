"""The order of the stages, and nothing else: from a shop's files to a published release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from persona_spark.features.compute import compute_features
from persona_spark.identity.identify import identify
from persona_spark.lake.known import committed_seq
from persona_spark.profiles.ledger import champion_version, release_id
from persona_spark.profiles.publish import publish, published_entry, serve_again
from persona_spark.profiles.tables import check_types
from persona_spark.scores.score import score
from persona_spark.segments.assign import assign
from persona_spark.segments.train import needs_training, train
from persona_spark.sources.ingest import ingest
from persona_spark.tags.tag import tag
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from persona_spark.config.load import Conf
    from persona_spark.lake.result import StageResult
    from persona_spark.lake.tables import Lake
    from persona_spark.run_log import RunLog

BEFORE_SEGMENTS: dict[str, Callable[[Lake, Conf, AsOf], StageResult]] = {
    "tile": tile,
    "identify": identify,
    "features": compute_features,
    "score": score,
    "tag": tag,
}
STAGES: dict[str, Callable[[Lake, Conf, AsOf], StageResult]] = {
    **BEFORE_SEGMENTS,
    "train": train,
    "assign": assign,
    "publish": publish,
}
"""Every stage after ingest, by name, in order."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        as_of: what it saw.
        changed: whether it made a release; False when the release was there already.
        training: why segments were trained; None when they were not.
    """

    as_of: AsOf
    changed: bool
    training: str | None = None


def run_ingest(lake: Lake, conf: Conf, log: RunLog) -> StageResult:
    """Take in what is new in all feeds."""
    return log.stage("ingest", None, lambda: ingest(lake, conf, log.started_at))


def run_stage(name: str, lake: Lake, conf: Conf, day: date, log: RunLog) -> StageResult:
    """Run one stage of `STAGES` for `day`, with all that has been ingested."""
    check_types(lake, conf)
    return _stage(name, lake, conf, AsOf(day, committed_seq(lake)), log)


def _stage(name: str, lake: Lake, conf: Conf, as_of: AsOf, log: RunLog) -> StageResult:
    return log.stage(name, as_of.date, lambda: STAGES[name](lake, conf, as_of))


def run(lake: Lake, conf: Conf, day: date, log: RunLog) -> Outcome:
    """Everything: ingest what is new, then make the release of `day` unless it is published already.

    All stages know the same ingests, also when another one ends meanwhile.
    Segments are trained only when there is no champion or the configuration asks for it.

    Raises:
        PersonaError: what the failing stage raises; earlier stages stay done, the serving release stays as it was.
    """
    check_types(lake, conf)
    run_ingest(lake, conf, log)
    as_of = AsOf(day, committed_seq(lake))
    reason = needs_training(lake, conf, as_of)
    entry = published_entry(lake, release_id(conf, as_of, champion_version(lake))) if reason is None else None
    if entry is not None:
        serve_again(lake, conf, entry)
        return Outcome(as_of, changed=False)
    for name in BEFORE_SEGMENTS:
        _stage(name, lake, conf, as_of, log)
    if reason is not None:
        _stage("train", lake, conf, as_of, log)
    _stage("assign", lake, conf, as_of, log)
    _stage("publish", lake, conf, as_of, log)
    return Outcome(as_of, changed=True, training=reason)
