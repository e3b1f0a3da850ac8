"""Fitting KMeans for a range of k on a hash sample, and choosing one: the same bytes for the same users, seed and partitions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.ml.clustering import KMeans
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.functions import array_to_vector
from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.errors import ModelError
from persona_spark.segments.model import Trial
from persona_spark.segments.space import point

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.ml.clustering import KMeansModel
    from pyspark.sql import Column, DataFrame

    from persona_spark.config.segments import SegmentFit, SegmentGates, SegmentSample
    from persona_spark.segments.model import FrozenFeature

_BUCKETS = 1_000_000
_MOST_STRATA = 1_000
_DIGITS = 9
_SHOWN = 6


@dataclass(frozen=True)
class Fit:
    """A trial with its centres in the scaled space, rounded so that no last bit depends on the machine, and their sizes."""

    trial: Trial
    centres: tuple[tuple[float, ...], ...]
    sizes: tuple[int, ...]


def hash_sample(users: DataFrame, sample: SegmentSample, seed: int) -> DataFrame:
    """About `sample.users` of the users, from every stratum in the same proportion, drawn by a hash of (seed, user_id).

    Raises:
        ModelError: when the strata are too many to be strata.
    """
    stratum = F.expr(compile_expression(sample.by).sql).cast("string")
    rows = users.groupBy(stratum.alias("stratum")).count().limit(_MOST_STRATA + 1).collect()
    if len(rows) > _MOST_STRATA:
        raise ModelError(f"sample.by: {sample.by} has more than {_MOST_STRATA} values: name a column with few, such as lifecycle_stage")
    sizes = {row.stratum: int(row["count"]) for row in rows}
    limits = sample_limits(sizes, sample)
    if all(limit >= _BUCKETS for limit in limits.values()):
        return users
    bucket = F.pmod(F.xxhash64(F.lit(seed), F.col("user_id")), F.lit(_BUCKETS))
    return users.where(bucket < _limit_of(stratum, limits))


def sample_limits(sizes: Mapping[str | None, int], sample: SegmentSample) -> dict[str | None, int]:
    """How many of a million hash buckets each stratum keeps."""
    total = sum(sizes.values())
    share = sample.users / total if total else 1.0
    return {name: min(_BUCKETS, int(_BUCKETS * max(share, sample.least / size))) for name, size in sizes.items()}


def _limit_of(stratum: Column, limits: Mapping[str | None, int]) -> Column:
    cases = sorted(limits.items(), key=lambda item: item[0] or "")
    return reduce(lambda found, item: F.when(stratum.eqNullSafe(F.lit(item[0])), F.lit(item[1])).otherwise(found), cases, F.lit(0))


def points(users: DataFrame, features: Sequence[FrozenFeature], clip: float, partitions: int) -> DataFrame:
    """user_id and `point` as a vector, laid out so that KMeans sees the same rows in the same order every time."""
    placed = users.select("user_id", array_to_vector(point(features, clip)).alias("point"))
    return placed.repartition(partitions, "user_id").sortWithinPartitions("user_id")


def fit_range(placed: DataFrame, users: int, fit: SegmentFit) -> list[Fit]:
    """The best fit of each number of segments, by cost over `fit.starts` seeds.

    Args:
        placed: what `points` made; cache it, it is read many times.
        users: how many rows it has.
        fit: range, seeds, iterations.
    """
    silhouette = ClusteringEvaluator(featuresCol="point", predictionCol="prediction", metricName="silhouette")
    fits: list[Fit] = []
    for k in range(fit.smallest_k, min(fit.largest_k, users - 1) + 1):
        starts = [(_cost(model), seed, model) for seed in range(fit.seed, fit.seed + fit.starts) if (model := _fit(placed, k, seed, fit))]
        if not starts:
            break
        cost, seed, model = min(starts, key=lambda start: start[:2])
        predicted = model.transform(placed)
        value = round(float(silhouette.evaluate(predicted)), _SHOWN)
        sizes = tuple(int(size) for size in model.summary.clusterSizes)
        largest_first = tuple(sorted(sizes, reverse=True))
        centres = tuple(tuple(round(float(value), _DIGITS) for value in centre) for centre in model.clusterCenters())
        fits.append(Fit(Trial(k, seed, cost, value, round(min(sizes) / users, _SHOWN), largest_first), centres, sizes))
    return fits


def _fit(placed: DataFrame, k: int, seed: int, fit: SegmentFit) -> KMeansModel | None:
    """A fit with exactly k centres; None when there are fewer than k different points."""
    model = KMeans(featuresCol="point", k=k, seed=seed, maxIter=fit.iterations, solver="block").fit(placed)
    return model if len(model.clusterCenters()) == k and model.summary.k == k else None


def _cost(model: KMeansModel) -> float:
    return round(float(model.summary.trainingCost), _SHOWN)


def choose(fits: Sequence[Fit], fit: SegmentFit, gates: SegmentGates) -> tuple[Fit, str]:
    """One of the fits and the reason, in words.

    Fits whose smallest segment passes the gate are preferred; of those within `fit.tolerance` of the best silhouette the
    one with fewer or more segments is taken, as `fit.prefer` says.
    """
    large = [each for each in fits if each.trial.smallest_share >= gates.share]
    options = large or list(fits)
    best = max(each.trial.silhouette for each in options)
    near = [each for each in options if each.trial.silhouette >= best - fit.tolerance]
    chosen = (min if fit.prefer == "fewer" else max)(near, key=lambda each: each.trial.k)
    pool = f"{len(options)} of the {len(fits)} numbers of segments tried have no segment below {gates.share:.1%} of users"
    if not large:
        pool = f"all of the {len(fits)} numbers of segments tried have a segment below {gates.share:.1%} of users"
    return chosen, f"k={chosen.trial.k}: {pool}; {_rank(chosen.trial.silhouette, best, len(near) - 1, fit)}"


def _rank(silhouette: float, best: float, others: int, fit: SegmentFit) -> str:
    if not others:
        return f"its silhouette {silhouette:.3f} is the best of these"
    return (
        f"its silhouette {silhouette:.3f} is within {fit.tolerance:g} of the best ({best:.3f}), as are {others} more, "
        f"and {fit.prefer} segments are preferred"
    )
