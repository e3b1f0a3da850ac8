"""Into which bins a column's values fall: whole numbers side by side, or twenty parts of the range, or twenty of its logarithm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

BINS = 20
_SKEWED = 0.1
"""A column is skewed when three quarters of its values lie in this share of its range, at the low end."""
_TAILED = 0.5
"""The bins leave the extreme percents to the outer ones when the other 98 percent lie in this share of the range."""
_MANY = 0.1
"""Zeros stand apart from this share on: they would press all other bins flat."""


@dataclass(frozen=True)
class Scale:
    """Bins that hold all finite values.

    Attributes:
        kind: `even` bins of one width, or `log` bins of one ratio.
        low: where the first bin starts.
        high: where the last one ends.
        bins: how many.
        zeros_apart: whether zeros have a place of their own, before the first bin.
    """

    kind: Literal["even", "log"]
    low: float
    high: float
    bins: int
    zeros_apart: bool = False

    @property
    def edges(self) -> tuple[float, ...]:
        """Where the bins start, and where the last one ends."""
        steps = [place / self.bins for place in range(self.bins + 1)]
        if self.kind == "log":
            return tuple(self.low * (self.high / self.low) ** step for step in steps)
        return tuple(self.low + (self.high - self.low) * step for step in steps)

    def bin_of(self, value: Column) -> Column:
        """Number of a value's bin; -1 for a zero that is kept apart, null for null. Values beyond the ends fall in the outer bins."""
        if self.high <= self.low:
            place = value * 0
        elif self.kind == "log":
            positive = F.when(value > 0, value)
            place = F.floor(F.ln(positive / self.low) * (self.bins / math.log(self.high / self.low)))
        else:
            place = F.floor((value - self.low) * (self.bins / (self.high - self.low)))
        within = F.least(F.greatest(place, F.lit(0)), F.lit(self.bins - 1)).cast("int")
        return F.when(value == 0, F.lit(-1)).otherwise(within) if self.zeros_apart else F.when(value.isNotNull(), within)


@dataclass(frozen=True)
class Spread:
    """Where a column's values lie, as numbers; dates as days.

    Attributes:
        least: the least value.
        greatest: the greatest.
        percents: of the values that are not zero, below which 1, 75 and 99 percent lie.
        least_positive: the least above zero; None when none is.
        zeros: share of zeros.
        whole: whether all are whole numbers.
    """

    least: float
    greatest: float
    percents: tuple[float, float, float]
    least_positive: float | None
    zeros: float
    whole: bool


def scale_of(spread: Spread, *, zero_is_special: bool) -> Scale:
    """Bins that show the shape of a column: of one ratio when it is very skewed and never negative.

    Args:
        spread: where its values lie.
        zero_is_special: False for dates, whose zero is a day as others are.
    """
    positive = spread.least_positive if zero_is_special and spread.least >= 0 else None
    apart = positive is not None and spread.least == 0 and spread.zeros >= _MANY
    low = positive if apart and positive is not None else spread.least
    width = spread.greatest - low
    if width <= 0:
        return Scale("even", low, low, 1, apart)
    first, most, last = spread.percents
    if positive is not None and width >= (BINS if spread.whole else 0) and most - low <= _SKEWED * width:
        return _log_scale(positive, spread)
    high = spread.greatest
    if first < last and last - first < _TAILED * width:
        low, high = first, last
    if not spread.whole:
        return Scale("even", low, high, BINS, apart)
    # Bins of unequal numbers of whole values would show waves that are not there.
    step = math.ceil((high - low + 1) / BINS)
    bins = math.ceil((high - low + 1) / step)
    return Scale("even", low, low + step * bins, bins, apart)


def _log_scale(low: float, spread: Spread) -> Scale:
    # Whole numbers in bins narrower than a doubling would leave holes at 1, 2, 3.
    doublings = max(1, math.ceil(math.log2(spread.greatest / low)))
    return Scale("log", low, spread.greatest, min(BINS, doublings) if spread.whole else BINS, spread.least == 0)
