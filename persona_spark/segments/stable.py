"""Segment numbers that survive retraining: a new centre takes the number of the old one that it continues."""

from __future__ import annotations

from math import dist
from typing import TYPE_CHECKING

from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from persona_spark.segments.model import FrozenFeature, SegmentModel

Centre = tuple[float, ...]


def stable_ids(
    centres: Sequence[Centre], sizes: Sequence[int], features: Sequence[FrozenFeature], before: SegmentModel | None, first_new: int
) -> tuple[int, ...]:
    """A number for each centre.

    Old and new centres are compared in the new scaled space, on the features that both models have, and paired so that
    the sum of distances is least. A pair counts when the new centre is nearer to the old one than to any other new one;
    other new centres take unused numbers, the largest segment first.

    Args:
        centres: new centres, in the new scaled space.
        sizes: users of each, which order new numbers.
        features: dimensions of the new space.
        before: the model whose numbers are kept, if any.
        first_new: the first number that no model has used.
    """
    kept = {} if before is None else _continued(centres, features, before)
    rest = sorted((index for index in range(len(centres)) if index not in kept), key=lambda index: (-sizes[index], index))
    numbers = {**kept, **{index: first_new + offset for offset, index in enumerate(rest)}}
    return tuple(numbers[index] for index in range(len(centres)))


def _continued(centres: Sequence[Centre], features: Sequence[FrozenFeature], before: SegmentModel) -> dict[int, int]:
    old_place = {feature.name: (index, feature) for index, feature in enumerate(before.features)}
    common = [(index, feature) for index, feature in enumerate(features) if feature.name in old_place]
    if not common or 2 * len(common) < len(features) or not before.segments:
        return {}
    new = [tuple(centre[index] for index, _ in common) for centre in centres]
    old = [
        tuple(_moved(segment.centroid[old_place[feature.name][0]], old_place[feature.name][1], feature) for _, feature in common)
        for segment in before.segments
    ]
    distances = [[dist(a, b) for b in old] for a in new]
    rows, columns = linear_sum_assignment(distances)
    pairs = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
    return {row: before.segments[column].segment_id for row, column in pairs if distances[row][column] <= _nearest_other(new, row)}


def _moved(value: float, old: FrozenFeature, new: FrozenFeature) -> float:
    """A coordinate of the old space in the new one."""
    return (value / old.weight * old.scale + old.centre - new.centre) / new.scale * new.weight


def _nearest_other(centres: Sequence[Centre], index: int) -> float:
    return min((dist(centres[index], other) for place, other in enumerate(centres) if place != index), default=float("inf"))
