"""Training a segment model: fit, choose, gate, name, record, and only then go live."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from persona_spark.errors import ModelError
from persona_spark.lake.result import StageResult
from persona_spark.projection import profile_frame
from persona_spark.segments.cards import make_cards, save_cards, with_names
from persona_spark.segments.fit import choose, fit_range, hash_sample, points
from persona_spark.segments.gates import failed_gates
from persona_spark.segments.model import CHAMPION, REJECTED, Segment, SegmentModel, champion, models, next_segment_id, save
from persona_spark.segments.scaling import freeze_features
from persona_spark.segments.space import covered
from persona_spark.segments.stable import stable_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.config.segments import SegmentsSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.segments.fit import Fit
    from persona_spark.segments.model import FrozenFeature
    from persona_spark.time import AsOf


def needs_training(lake: Lake, conf: Conf, as_of: AsOf) -> str | None:
    """Why a run should train before it assigns; None when it should not.

    A training that failed its gates is not repeated for the same day, data and configuration.
    """
    training = conf.segments.training
    if training.when == "never":
        return None
    known = models(lake)
    live = next((model for model in known if model.status == CHAMPION), None)
    if any(model.model_version == version_of(conf, as_of) and model.status == REJECTED for model in known):
        return None
    if live is None:
        return "there is no live segment model"
    if training.on_change == "retrain" and live.spec_hash != conf.segments.scoring_hash():
        return f"the features in {conf.main.segments} changed since {live.model_version} was trained"
    age = (as_of.date - live.trained_as_of).days
    if training.max_age_days is not None and age >= training.max_age_days:
        return f"the live segment model is {age} days old, {conf.main.segments} allows {training.max_age_days}"
    return None


def train(lake: Lake, conf: Conf, as_of: AsOf) -> StageResult:
    """Train a model on the users of `as_of`; it goes live when it passes the gates, otherwise the live one stays.

    Writes `segment_card`, `segment_model` and an MLflow run; registers a model that goes live under the alias champion.

    Raises:
        LakeError: when the scores or the tags of as_of have not been computed from what is known now.
        ModelError: when the sample cannot be drawn as configured or MLflow cannot be reached.
    """
    profiles = profile_frame(lake, conf, as_of, parts=("scores", "tags"))
    users = covered(_needed(profiles, conf.segments), conf.segments.exclude).cache()
    try:
        fresh = draft(users, conf, as_of)
        return _finish(lake, conf, fresh, users) if fresh.k else _rejected(lake, fresh)
    finally:
        users.unpersist()


def draft(users: DataFrame, conf: Conf, as_of: AsOf) -> SegmentModel:
    """Fit and choose, and write nothing: a model whose segments are numbered by size on the sample and have no names yet.

    Args:
        users: the users to cover, with the columns that the configuration names; cache it, it is read several times.
        conf: the configuration.
        as_of: the day and the data that the users are from.

    Returns:
        The model; its k is 0 when no number of segments could be fitted, and its reason says why.
    """
    spec, count = conf.segments, users.count()
    if count < spec.gates.users:
        reason = f"{count} users to train on are fewer than {spec.gates.users} (gates.users)"
        return replace(_model(conf, as_of, (), None, (count, 0)), reason=reason)
    sample = hash_sample(users, spec.sample, spec.fit.seed)
    features = freeze_features(sample, spec)
    placed = points(sample, features, spec.fit.clip, spec.sample.partitions).cache()
    try:
        sampled = placed.count()
        fits = fit_range(placed, sampled, spec.fit)
    finally:
        placed.unpersist()
    if not fits:
        reason = f"the users are at fewer than {spec.fit.smallest_k} different points: no number of segments could be fitted"
        return replace(_model(conf, as_of, features, None, (count, sampled)), reason=reason)
    chosen, reason = choose(fits, spec.fit, spec.gates)
    fresh = _model(conf, as_of, features, chosen, (count, sampled))
    return replace(fresh, trials=tuple(each.trial for each in fits), reason=reason)


def _needed(profiles: DataFrame, spec: SegmentsSpec) -> DataFrame:
    """The columns that the configuration names: what is cached stays small.

    Raises:
        ModelError: when one does not exist.
    """
    faults = [f"{key}: {problem}" for key, expression in spec.expressions() for problem in expression.unknown(profiles.columns)]
    if faults:
        raise ModelError(f"segments cannot be trained: {'; '.join(faults)}. Correct these expressions in conf/segments.yaml")
    names = {name for _, expression in spec.expressions() for name in expression.columns}
    return profiles.select(*sorted({"user_id", "as_of", *names}))


def version_of(conf: Conf, as_of: AsOf) -> str:
    """The version of a model: equal inputs give equal versions."""
    text = "\n".join([as_of.date.isoformat(), str(as_of.ingest_seq), conf.spec_hash()])
    return f"{as_of.date.isoformat()}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def _model(conf: Conf, as_of: AsOf, features: Sequence[FrozenFeature], chosen: Fit | None, users: tuple[int, int]) -> SegmentModel:
    """A model that is not live; `users` are those covered and those in the sample."""
    spec = conf.segments
    return SegmentModel(
        model_version=version_of(conf, as_of),
        status=REJECTED,
        status_as_of=as_of.date,
        reason="",
        trained_as_of=as_of.date,
        ingest_seq=as_of.ingest_seq,
        spec_hash=spec.scoring_hash(),
        seed=chosen.trial.seed if chosen else spec.fit.seed,
        k=chosen.trial.k if chosen else 0,
        silhouette=chosen.trial.silhouette if chosen else None,
        users=users[0],
        sample_users=users[1],
        exclude=spec.exclude,
        clip=spec.fit.clip,
        features=tuple(features),
        segments=_by_size(chosen) if chosen else (),
        trials=(),
    )


def _by_size(chosen: Fit) -> tuple[Segment, ...]:
    largest_first = sorted(zip(chosen.sizes, chosen.centres, strict=True), key=lambda part: (-part[0], part[1]))
    return tuple(Segment(place, f"segment {place}", size, centre) for place, (size, centre) in enumerate(largest_first, start=1))


def _numbered(fresh: SegmentModel, known: Sequence[SegmentModel]) -> SegmentModel:
    """The model with the numbers that it had if it was trained before, else those of the live model that it continues."""
    same = next((model for model in known if model.model_version == fresh.model_version and model.segments), None)
    live = next((model for model in known if model.status == CHAMPION), None)
    centres, sizes = [part.centroid for part in fresh.segments], [part.users for part in fresh.segments]
    ids = stable_ids(centres, sizes, fresh.features, same or live, next_segment_id(known))
    parts = (replace(part, segment_id=number, segment_name=f"segment {number}") for part, number in zip(fresh.segments, ids, strict=True))
    return replace(fresh, segments=tuple(sorted(parts, key=lambda part: part.segment_id)))


def _finish(lake: Lake, conf: Conf, fresh: SegmentModel, users: DataFrame) -> StageResult:
    """Name the segments, record the run, and let the model go live unless a gate failed."""
    from persona_spark.segments.registry import Registry  # noqa: PLC0415 - MLflow takes seconds to load, and few runs train

    chosen = next(trial for trial in fresh.trials if trial.k == fresh.k)
    failed = failed_gates(chosen, conf.segments.gates, champion(lake))
    status = REJECTED if failed else CHAMPION
    reason = f"{fresh.reason}; rejected: {'; '.join(failed)}" if failed else fresh.reason
    fresh = replace(_numbered(fresh, models(lake)), status=status, reason=reason)
    cards = make_cards(users, fresh, conf.segments, conf.main.lake.currency)
    fresh = with_names(fresh, cards)
    registry = Registry.of(conf, lake)
    fresh = registry.record(fresh, conf.segments, cards)
    save_cards(lake, fresh.model_version, cards)
    save(lake, fresh)
    if status == CHAMPION:
        registry.promote(fresh)
    return _result(lake, fresh, registry.uri)


def _rejected(lake: Lake, fresh: SegmentModel) -> StageResult:
    save(lake, fresh)
    return _result(lake, fresh, None)


def _result(lake: Lake, fresh: SegmentModel, uri: str | None) -> StageResult:
    notes: dict[str, object] = {"model": fresh.model_version, "status": fresh.status, "reason": fresh.reason}
    if fresh.status == REJECTED:
        live = champion(lake)
        notes["live model"] = live.model_version if live else "none"
    if fresh.silhouette is not None:
        notes |= {"k": fresh.k, "silhouette": round(fresh.silhouette, 3)}
    if uri is not None:
        notes["mlflow"] = uri
    return StageResult(fresh.users, fresh.k, notes)
