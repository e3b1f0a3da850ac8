"""Randomness as a function of (seed, purpose, keys): the same on every machine, under any partitioning, in any order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column

_MANTISSA = 53
_BETWEEN = "|"
SLOTS = 200
"""Slots of a table to pick from: shares are multiples of 1/SLOTS."""


@dataclass(frozen=True)
class Draws:
    """Draws of one seed. Each purpose has a stream of its own, so a new draw changes no other."""

    seed: int

    def salt(self, purpose: str) -> int:
        """A signed 64-bit number for a purpose."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()[:8], "big", signed=True)

    def uniform(self, purpose: str, *keys: Column) -> Column:
        """A double in [0, 1)."""
        bits = F.shiftrightunsigned(F.xxhash64(F.lit(self.salt(purpose)), *keys), 64 - _MANTISSA)
        return bits.cast("double") * F.lit(2.0**-_MANTISSA)

    def hump(self, purpose: str, *keys: Column) -> Column:
        """A double in [0, 1), most often near the middle: the mean of two uniform draws."""
        return (self.uniform(f"{purpose}/1", *keys) + self.uniform(f"{purpose}/2", *keys)) / F.lit(2.0)

    def happens(self, chance: float | Column, purpose: str, *keys: Column) -> Column:
        """Whether something of this probability happens."""
        return self.uniform(purpose, *keys) < chance

    def below(self, limit: Column, purpose: str, *keys: Column) -> Column:
        """A bigint in [0, limit); 0 when limit is 0."""
        return F.floor(self.uniform(purpose, *keys) * limit)

    def whole(self, value: Column, purpose: str, *keys: Column) -> Column:
        """`value` rounded down or up to an int, so that the mean stays."""
        return F.floor(value + self.uniform(purpose, *keys)).cast("int")

    def pick(self, tables: Sequence[Sequence[int]], which: Column, purpose: str, *keys: Column) -> Column:
        """An entry of one of several tables of SLOTS entries each.

        Args:
            tables: what `slots` made.
            which: number of the table.
            purpose: stream of draws.
            keys: what the draw belongs to.
        """
        flat = literals([entry for table in tables for entry in table])
        place = which.cast("int") * F.lit(SLOTS) + F.floor(self.uniform(purpose, *keys) * F.lit(SLOTS)).cast("int")
        return F.get(flat, place)


def slots(weights: Sequence[float]) -> list[int]:
    """A table of SLOTS entries in which index i stands in proportion to weights[i], by largest remainders.

    Raises:
        ValueError: when the weights are not positive as a whole.
    """
    total = sum(weights)
    if total <= 0:
        raise ValueError(f"weights {weights} add up to nothing")
    exact = [weight / total * SLOTS for weight in weights]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(weights)), key=lambda index: counts[index] - exact[index])
    for index in by_remainder[: SLOTS - sum(counts)]:
        counts[index] += 1
    return [index for index, count in enumerate(counts) for _ in range(count)]


def literals(values: Sequence[int] | Sequence[float] | Sequence[str]) -> Column:
    """A constant array, all of one type.

    One text is split when the plan is made: thousands of single literals would take longer to plan than the rows to compute.
    """
    texts = F.split(F.lit(_BETWEEN.join(str(value) for value in values)), f"[{_BETWEEN}]")
    if all(isinstance(value, str) for value in values):
        return texts
    return texts.cast("array<int>" if all(isinstance(value, int) for value in values) else "array<double>")
