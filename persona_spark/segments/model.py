"""Segment models as values, and the table that keeps them: all that scoring needs, no MLflow server involved."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.errors import ModelError
from persona_spark.lake.contract import frame_of
from persona_spark.schema import SEGMENT_MODEL

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from pyspark.sql import Row

    from persona_spark.config.segments import SegmentsSpec
    from persona_spark.lake.tables import Lake

CHAMPION = "champion"
RETIRED = "retired"
REJECTED = "rejected"


@dataclass(frozen=True)
class FrozenFeature:
    """One dimension of the space: clip((transform(coalesce(expr, fill)) - centre) / scale) * weight."""

    name: str
    expr: str
    transform: str
    fill: float
    centre: float
    scale: float
    weight: float


@dataclass(frozen=True)
class Segment:
    """A segment: its stable number, its name, its users when trained, its centre in the scaled space."""

    segment_id: int
    segment_name: str
    users: int
    centroid: tuple[float, ...]


@dataclass(frozen=True)
class Trial:
    """The best fit of one number of segments: `users` are the sizes on the sample, largest first."""

    k: int
    seed: int
    cost: float
    silhouette: float
    smallest_share: float
    users: tuple[int, ...]


@dataclass(frozen=True)
class SegmentModel:
    """One row of `segment_model`; the attributes are its columns."""

    model_version: str
    status: str
    status_as_of: date
    reason: str
    trained_as_of: date
    ingest_seq: int
    spec_hash: str
    seed: int
    k: int
    silhouette: float | None
    users: int
    sample_users: int
    exclude: str | None
    clip: float
    features: tuple[FrozenFeature, ...]
    segments: tuple[Segment, ...]
    trials: tuple[Trial, ...]
    mlflow_run_id: str | None = None
    mlflow_version: str | None = None

    @classmethod
    def from_row(cls, row: Row) -> SegmentModel:
        """The model in a row of `segment_model`."""
        values: dict[str, Any] = row.asDict(recursive=True)
        values["features"] = tuple(FrozenFeature(**feature) for feature in values["features"])
        values["segments"] = tuple(Segment(**{**part, "centroid": tuple(part["centroid"])}) for part in values["segments"])
        values["trials"] = tuple(Trial(**{**trial, "users": tuple(trial["users"])}) for trial in values["trials"])
        return cls(**values)

    def as_row(self) -> dict[str, Any]:
        """The values by column of the table."""
        return asdict(self)


def models(lake: Lake) -> tuple[SegmentModel, ...]:
    """Every model of the lake, by version."""
    return tuple(SegmentModel.from_row(row) for row in lake.read(SEGMENT_MODEL).orderBy("model_version").collect())


def champion(lake: Lake) -> SegmentModel | None:
    """The live model; None when there is none."""
    rows = lake.read(SEGMENT_MODEL).where(F.col("status") == F.lit(CHAMPION)).collect()
    return SegmentModel.from_row(rows[0]) if rows else None


def save(lake: Lake, model: SegmentModel) -> None:
    """Write `model`; when it is the champion, the one before is retired in the same commit."""
    written = [model]
    old = champion(lake) if model.status == CHAMPION else None
    if old is not None and old.model_version != model.model_version:
        written.append(replace(old, status=RETIRED, status_as_of=model.status_as_of))
    rows = frame_of(lake.spark, SEGMENT_MODEL, [each.as_row() for each in written])
    versions = ", ".join(f"'{each.model_version}'" for each in written)
    lake.replace_where(rows.coalesce(1), SEGMENT_MODEL, f"model_version IN ({versions})")


def check_fits(model: SegmentModel, spec: SegmentsSpec) -> None:
    """Refuse a model that was trained with other features than the configuration names now.

    Raises:
        ModelError: naming what differs and what to do.
    """
    if model.spec_hash == spec.scoring_hash():
        return
    before, now = {feature.name for feature in model.features}, {feature.name for feature in spec.features}
    prefixes = tuple(f"{choice.column}=" for choice in spec.choices)
    gone = sorted(name for name in before - now if not name.startswith(prefixes))
    parts = [f"new: {', '.join(sorted(now - before))}"] if now - before else []
    parts += [f"gone: {', '.join(gone)}"] if gone else []
    differs = "; ".join(parts) or "an expression, fill, transform, weight, choice, the exclusion or the clip differs"
    raise ModelError(
        f"segment model {model.model_version} was trained with other features than conf/segments.yaml names now ({differs}): "
        "run `persona segments train` to make a new model, set training.on_change: retrain to let runs do so, or undo the change"
    )


def check_columns(model: SegmentModel, columns: Collection[str]) -> None:
    """Refuse to score profiles that lack a column that the model needs.

    Raises:
        ModelError: naming what is missing and what to do.
    """
    needed = [("exclude", model.exclude)] if model.exclude else []
    needed += [(feature.name, feature.expr) for feature in model.features]
    missing = [f"{name}: {problem}" for name, text in needed for problem in compile_expression(text).unknown(columns)]
    if missing:
        raise ModelError(
            f"segment model {model.model_version} needs columns that profiles no longer have ({'; '.join(missing)}): bring them back in "
            "conf/features.yaml, or change conf/segments.yaml and run `persona segments train`"
        )


def next_segment_id(known: Sequence[SegmentModel]) -> int:
    """The first number that no model has used yet."""
    return 1 + max((segment.segment_id for model in known for segment in model.segments), default=0)
