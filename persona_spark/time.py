"""Time as values: the moment a profile is made for, and half-open windows of local dates before it.

Nothing in the package asks the clock: `as_of` comes in from the command line or the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from persona_spark.errors import UsageError

_WINDOW = re.compile(r"^(prev_)?([1-9][0-9]{0,4})d$")
LIFETIME = "lifetime"
_FIRST, _LAST = date(1970, 1, 2), date(2999, 12, 31)


@dataclass(frozen=True, order=True)
class AsOf:
    """What a run sees: events with `event_date < date` that were known when ingest `ingest_seq` was committed."""

    date: date
    ingest_seq: int

    def __str__(self) -> str:
        """For people: `2018-01-01 at ingest 3`."""
        return f"{self.date} at ingest {self.ingest_seq}"


@dataclass(frozen=True)
class Window:
    """A half-open range of local dates: `30d` is [as_of - 30, as_of), `prev_30d` the 30 days before it, `lifetime` has no start.

    Attributes:
        days: length in days; None for `lifetime`.
        offset: days between its end and as_of.
    """

    days: int | None
    offset: int = 0

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `7d`, `365d`, `prev_30d` or `lifetime`.

        Raises:
            UsageError: for anything else.
        """
        if text == LIFETIME:
            return cls(None)
        match = _WINDOW.match(text)
        if match is None:
            msg = (
                f"window {text!r} is not understood: write a number of days such as 30d, prev_30d for the 30 days before those, or lifetime"
            )
            raise UsageError(msg)
        days = int(match.group(2))
        return cls(days, days if match.group(1) else 0)

    @property
    def label(self) -> str:
        """The suffix of column names: `30d`, `prev_30d`, `lifetime`."""
        return LIFETIME if self.days is None else f"{'prev_' if self.offset else ''}{self.days}d"

    @property
    def oldest(self) -> int | None:
        """The greatest age in days (as_of minus the date) inside the window; None for `lifetime`. The least is `offset` + 1."""
        return None if self.days is None else self.offset + self.days


def parse_date(text: str) -> date:
    """Read a date written as YYYY-MM-DD.

    Raises:
        UsageError: for anything else, and for days that no shop has: windows reach years back from a day.
    """
    msg = f"{text!r} is not a date: write it as YYYY-MM-DD, for example 2018-01-01"
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise UsageError(msg)
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise UsageError(msg) from None
    if not _FIRST <= found <= _LAST:
        raise UsageError(f"{text} lies outside of {_FIRST} to {_LAST}: is it mistyped?")
    return found


def is_zone(name: str) -> bool:
    """Whether `name` is a zone of the IANA time zone database, such as `Asia/Shanghai`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
