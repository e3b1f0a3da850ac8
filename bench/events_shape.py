"""What the benchmark's shop is like: how many users, days and kinds there are, and what each share is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from persona_spark.simulate.draws import slots

EVENTS_PER_USER = 143
"""In a year; 100 million events are of 700 thousand users."""
AS_OF = date(2026, 1, 1)
NAMESPACE = "bench"
ZONE_SECONDS = 8 * 3600
"""What the lake's zone, Asia/Shanghai, is ahead of UTC; it knows no summer time."""
BLOCK = 22
"""Events of two visits: the first takes 3 to 19 of them, the second the others."""
SHORTEST_VISIT, VISIT_LENGTHS = 3, 17
BALANCE_AFTER_DAYS = 10
"""A presale order's balance is paid so many days after its deposit."""
LATEST_DAYS = 10
"""A late event arrives one to so many days after it happened."""
CATEGORIES, BRANDS, ITEMS = 60, 8, 20
"""Brands in a category, items in a brand."""
HOME_CATEGORIES = 3
LATE_SHARE, BUYING_SHARE, BALANCE_SHARE, TWO_ACCOUNTS_SHARE = 0.01, 0.15, 0.006, 0.1
HOME_SHARE, PROMOTION_SHARE = 0.9, 0.3
HEAVY_SHARE, HEAVY_CATEGORY_SHARE = 0.05, 0.5
"""With skew: what one account has of all events, and one category."""

PLATFORMS = ("app", "mini_program", "web", "store")
CHANNELS = ("search", "feed", "live", "direct", "message")
CONTENT_TYPES = ("short_video", "live", "article")
CITIES = ("Beijing", "Shanghai", "Guangzhou", "Shenzhen", "Hangzhou", "Chengdu", "Wuhan", "Xi'an")
LEVELS = ("basic", "silver", "gold", "platinum")

_LOOKING = {
    "view": 118, "click": 28, "search": 14, "favourite": 6, "cart": 10, "return": 1, "review": 1, "share": 2, "like": 4,
    "comment": 1, "follow": 1, "service": 2, "content_view": 12,
}  # fmt: skip
_BUYING = {
    "view": 64, "click": 18, "search": 8, "favourite": 4, "cart": 24, "order": 20, "pay": 52, "return": 1, "review": 2, "share": 2,
    "invite": 1, "service": 2, "content_view": 2,
}  # fmt: skip
TYPES = tuple(dict.fromkeys((*_LOOKING, *_BUYING)))
TYPE_TABLES = tuple(slots([weights.get(kind, 0) for kind in TYPES]) for weights in (_LOOKING, _BUYING))
"""Event types of a visit in which nothing is bought, and of one in which something is; about 4% of all events are payments."""
HOURS = tuple(slots([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 12, 10, 9, 9, 9, 9, 10, 13, 16, 17, 13, 7]))


@dataclass(frozen=True)
class Shop:
    """One data set.

    Attributes:
        events: wanted; what is made is the next smaller number of whole blocks a day.
        days: of history, the last one before `AS_OF`.
        seed: of every draw.
        affinity: whether a user is mostly in three categories, or in all alike.
        skew: whether one account has 5% of all events, and one category half of them.
    """

    events: int
    days: int = 365
    seed: int = 42
    affinity: bool = True
    skew: bool = False

    @property
    def users(self) -> int:
        """People; a tenth have two accounts."""
        return max(100, round(self.events / EVENTS_PER_USER * 365 / self.days))

    @property
    def events_a_day(self) -> int:
        """Events that arrive on each day."""
        return max(1, self.events // self.days // BLOCK) * BLOCK

    @property
    def first_day(self) -> date:
        """The first day of history."""
        return AS_OF - timedelta(days=self.days)

    @property
    def name(self) -> str:
        """Name of its folder."""
        kind = "skew" if self.skew else "affinity" if self.affinity else "uniform"
        return f"{self.events}-{self.days}d-{kind}-{self.seed}"
