"""What comparisons that all must hold demand of one value, and whether any value meets the demands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from persona_spark.config.constants import on_grid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

_MOST_COUNTED = 1000


class Facts:
    """Bounds, allowed and refused values; all constants of one family.

    Args:
        step: the least difference of two values, when they have one: bounds are then moved to the nearest value inside.
    """

    def __init__(self, step: Decimal | None = None) -> None:
        self._step = step
        self._lower: tuple[Any, bool] | None = None
        self._upper: tuple[Any, bool] | None = None
        self._allowed: set[Any] | None = None
        self._refused: set[Any] = set()

    def above(self, value: Decimal | str) -> None:
        """The value is larger than `value`."""
        self._at_least(value, is_open=True)

    def from_(self, value: Decimal | str) -> None:
        """The value is `value` or larger."""
        self._at_least(value, is_open=False)

    def below(self, value: Decimal | str) -> None:
        """The value is smaller than `value`."""
        self._at_most(value, is_open=True)

    def to(self, value: Decimal | str) -> None:
        """The value is `value` or smaller."""
        self._at_most(value, is_open=False)

    def refuse(self, value: Decimal | str) -> None:
        """The value is not `value`."""
        self._refused.add(value)

    def among(self, values: set[Any]) -> None:
        """The value is one of `values`."""
        self._allowed = set(values) if self._allowed is None else self._allowed & values

    def impossible(self) -> bool:
        """Whether no value meets all demands."""
        if self._allowed is not None:
            return not any(self._inside(value) for value in self._allowed - self._refused)
        if self._lower is None or self._upper is None:
            return False
        (low, low_open), (high, high_open) = self._lower, self._upper
        if low >= high:
            return bool(low > high or low_open or high_open or low in self._refused)
        return all(value in self._refused for value in self._between(low, high))

    def _at_least(self, value: Any, *, is_open: bool) -> None:
        if self._step is not None:
            edge = on_grid(value, self._step, up=True)
            value, is_open = (edge + self._step if is_open and edge == value else edge), False
        if self._lower is None or (value, is_open) > self._lower:
            self._lower = (value, is_open)

    def _at_most(self, value: Any, *, is_open: bool) -> None:
        if self._step is not None:
            edge = on_grid(value, self._step, up=False)
            value, is_open = (edge - self._step if is_open and edge == value else edge), False
        if self._upper is None or value < self._upper[0] or (value == self._upper[0] and is_open):
            self._upper = (value, is_open)

    def _inside(self, value: Any) -> bool:
        if self._step is not None and on_grid(value, self._step, up=True) != value:
            return False
        above = self._lower is None or value > self._lower[0] or (value == self._lower[0] and not self._lower[1])
        below = self._upper is None or value < self._upper[0] or (value == self._upper[0] and not self._upper[1])
        return above and below

    def _between(self, low: Any, high: Any) -> Iterator[Any]:
        """The values of a closed range that has few; otherwise one that nothing refuses."""
        if self._step is None or (high - low) / self._step > _MOST_COUNTED:
            yield object()
            return
        for number in range(int((high - low) / self._step) + 1):
            yield low + number * self._step
