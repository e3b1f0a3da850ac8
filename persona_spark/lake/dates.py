"""Conditions on the day of a row, in SQL: what is written and removed is chosen as what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


def on_day(day: date) -> str:
    """Rows as of a day."""
    return on_days([day])


def on_days(days: Iterable[date], column: str = "as_of") -> str:
    """Rows whose `column` is one of the days, of which there is at least one."""
    listed = ", ".join(f"DATE'{day}'" for day in sorted(days))
    return f"{column} IN ({listed})"
