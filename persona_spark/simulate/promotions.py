"""The shop's calendar: days of history counted from 0, and the big promotions in it. No Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = "Asia/Shanghai"


@dataclass(frozen=True)
class Promotion:
    """A promotion of every year: its name, the month, first and last day, and whether a deposit can be paid before it."""

    name: str
    month: int
    first: int
    last: int
    presale: bool = False


PROMOTIONS = (
    Promotion("618", 6, 16, 18),
    Promotion("1111", 11, 9, 11, presale=True),
    Promotion("1212", 12, 10, 12),
)


@dataclass(frozen=True)
class Calendar:
    """`days` days of history before `end`; day 0 is the first."""

    end: date
    days: int

    @property
    def start(self) -> date:
        """Local date of day 0."""
        return self.end - timedelta(days=self.days)

    @property
    def start_seconds(self) -> int:
        """Seconds since 1970 at which day 0 begins in the shop's zone, which has no clock changes."""
        start = self.start
        return int(datetime(start.year, start.month, start.day, tzinfo=ZoneInfo(ZONE)).timestamp())

    def windows(self) -> Iterator[tuple[Promotion, int, int, int]]:
        """Promotions that lie in the history as a whole: promotion, year, first and last day."""
        for year in range(self.start.year, self.end.year + 1):
            for promotion in PROMOTIONS:
                first = (date(year, promotion.month, promotion.first) - self.start).days
                last = (date(year, promotion.month, promotion.last) - self.start).days
                if first >= 0 and last < self.days:
                    yield promotion, year, first, last

    def promotion_of_day(self) -> list[str]:
        """For every day the id of its promotion, such as 1111-2025; empty outside promotions."""
        ids = [""] * self.days
        for promotion, year, first, last in self.windows():
            ids[first : last + 1] = [f"{promotion.name}-{year}"] * (last + 1 - first)
        return ids

    def promotion_days(self) -> list[int]:
        """All days of promotions, sorted."""
        return [day for day, name in enumerate(self.promotion_of_day()) if name]

    def balance_days(self) -> list[int]:
        """For every day of a promotion with presale the day on which balances are paid, its last; -1 for all other days."""
        found = [-1] * self.days
        for promotion, _, first, last in self.windows():
            if promotion.presale:
                found[first : last + 1] = [last] * (last + 1 - first)
        return found
