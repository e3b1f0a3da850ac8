"""The planted personas in numbers: each person has own values, drawn from the ranges of the persona."""

from __future__ import annotations

from dataclasses import dataclass

from persona_spark.simulate.catalogue import NAMES
from persona_spark.simulate.draws import slots

Range = tuple[float, float]
"""Smallest and largest; most often near the middle."""
Own = tuple[float, float, float]
"""Smallest, most frequent, largest: a triangle. Triangles of different personas reach into each other."""

PREMIUM = (0.0, 6.0, 47.0, 47.0)
"""Levels of price, economy to luxury, of what is bought for its quality."""
EVERYTHING = (8.0, 7.0, 9.0, 2.0, 8.0, 9.0, 8.0, 8.0, 8.0, 8.0, 7.0, 7.0)
"""Interest of somebody without a passion, by category in the order of the catalogue."""


def interest(**weights: float) -> tuple[float, ...]:
    """Weights by category; those not named have none."""
    return tuple(weights.get(name, 0.0) for name in NAMES)


@dataclass(frozen=True)
class Persona:
    """What one kind of person does.

    Attributes:
        name: the persona; the tag that finds it has the same name unless docs/simulator.md says otherwise.
        weight: its share, in percent, among people who are one persona only.
        mixable: whether a mixed person can be half of it.
        first: first day of activity, as a share of the history.
        start_before_end: instead, days between the first day and the end.
        quiet: days without any activity before the end.
        orders: a year.
        fewest: orders at least, whatever the length of the activity.
        orders_fixed: the number of orders, instead of `orders` and `fewest`.
        visits: sessions without an order, in 30 days.
        rhythm: how freely orders lie in time: 1 anywhere within their part of the activity, near 0 like clockwork.
        lines: items of an order.
        night: probability that a session starts between 23:00 and 02:00.
        promotion: probability that an order waits for a promotion.
        saves_up: whether orders outside promotions are for one item only.
        discount: outside promotions, percent of the list price.
        passion: probability that an item is from the person's favourite category.
        taste: probability that an item is of the fine levels, PREMIUM, whatever `levels` says.
        favourites: weights of the categories that the favourite is drawn from.
        interests: weights of the categories of all other items.
        levels: weights of economy, standard, premium, luxury.
        women: share.
        ages: in years.
        returns: probability that a line is sent back.
        content: contents viewed in a session.
        social: likes, comments, shares, follows and invitations in a session.
        burst: views in a session without an order, for programs; None for people.
    """

    name: str
    weight: float
    mixable: bool = False
    first: Range = (0.0, 0.2)
    start_before_end: Range | None = None
    quiet: Range = (0, 0)
    orders: Own = (3, 7, 13)
    fewest: int = 3
    orders_fixed: int | None = None
    visits: Own = (0.4, 1.3, 2.6)
    rhythm: float = 1.0
    lines: Own = (1.0, 1.6, 2.8)
    night: Own = (0.0, 0.02, 0.27)
    promotion: Own = (0.0, 0.02, 0.25)
    saves_up: bool = False
    discount: Own = (0, 3, 23)
    passion: Own = (0.0, 0.04, 0.34)
    taste: Own = (0.0, 0.02, 0.28)
    favourites: tuple[float, ...] = EVERYTHING
    interests: tuple[float, ...] = EVERYTHING
    levels: tuple[float, ...] = (32, 52, 14, 2)
    women: float = 0.5
    ages: Range = (18, 70)
    returns: float = 0.05
    content: Own = (0.0, 0.6, 2.0)
    social: Own = (0.0, 0.2, 0.8)
    burst: Range | None = None

    @property
    def favourite_slots(self) -> list[int]:
        """Table to pick the favourite category from."""
        return slots(self.favourites)

    @property
    def interest_slots(self) -> list[int]:
        """Table to pick the category of another item from."""
        return slots(self.interests)

    @property
    def level_slots(self) -> list[int]:
        """Table to pick a level of price from."""
        return slots(self.levels)


PERSONAS = (
    Persona(
        "promotion_driven", 10, mixable=True, orders=(6, 11, 17), visits=(0.4, 1, 1.8), lines=(1.4, 2.6, 4.2), promotion=(0.53, 0.97, 1.0),
        saves_up=True, women=0.6,
    ),
    Persona(
        "monthly_staple_buyer", 10, mixable=True, orders=(9.6, 12.2, 15), visits=(0.3, 0.7, 1.3), rhythm=0.35, lines=(1.8, 3, 4.5),
        promotion=(0.0, 0.02, 0.16), passion=(0.32, 0.85, 1.0), favourites=interest(groceries=6, household=4),
        interests=interest(groceries=5, household=5, food=2, home=1), women=0.6, ages=(25, 70), returns=0.01,
    ),
    Persona(
        "night_owl", 10, mixable=True, orders=(4, 9, 15), visits=(1.5, 2.6, 4.2), night=(0.26, 0.84, 1.0),
        content=(0.3, 1.7, 3.2), ages=(18, 50),
    ),
    Persona(
        "new_mother", 10, mixable=True, orders=(7, 15, 26), visits=(0.8, 1.8, 3), lines=(1.2, 2.2, 3.6), passion=(0.32, 0.82, 0.96),
        favourites=interest(baby=1), women=0.995, ages=(22, 39),
    ),
    Persona(
        "young_sports_fashion_woman", 10, mixable=True, orders=(6, 13, 21), visits=(1.2, 2.2, 3.8), passion=(0.3, 0.75, 0.95),
        favourites=interest(sports=1, fashion=1), interests=interest(sports=5, fashion=5, beauty=4, health=2, food=2, electronics=1),
        women=0.99, ages=(17.5, 30.5), content=(0.3, 1.7, 3.2), social=(0.1, 0.8, 1.5), returns=0.12,
    ),
    Persona(
        "quality_seeker", 10, mixable=True, orders=(6, 10, 16), visits=(0.7, 1.4, 2.3), lines=(1.0, 1.7, 2.6), promotion=(0.0, 0.02, 0.16),
        discount=(0, 1, 8), taste=(0.54, 0.97, 1.0), ages=(25, 65),
        interests=interest(electronics=5, home=5, beauty=4, fashion=3, sports=3, health=2),
    ),
    Persona(
        "bargain_seeker", 10, mixable=True, orders=(6, 14, 23), visits=(1.2, 2.3, 3.8), promotion=(0.0, 0.02, 0.38), discount=(21, 43, 62),
        taste=(0.0, 0.01, 0.1), levels=(58, 36, 5, 1), women=0.55,
    ),
    Persona("sleeping", 7, first=(0.0, 0.08), quiet=(84, 270), orders=(6, 11, 17), fewest=2),
    Persona("new_user", 6, start_before_end=(1, 34), orders=(0, 6, 15), fewest=0, visits=(2, 4, 6.5), ages=(18, 55)),
    Persona("one_time_buyer", 7, first=(0.0, 0.8), quiet=(35, 190), orders_fixed=1, visits=(0.1, 0.5, 1.1)),
    Persona("regular", 6, mixable=True),
    Persona("bot", 1, first=(0.0, 0.7), orders=(0, 0.05, 0.2), fewest=0, visits=(0.5, 1.1, 1.9), burst=(140, 560)),
    Persona("no_events", 3, orders_fixed=0, visits=(0, 0, 0)),
)  # fmt: skip
"""Every persona; its place is its number."""

MIXABLE = tuple(number for number, persona in enumerate(PERSONAS) if persona.mixable)
RANGES = ("orders", "visits", "lines", "night", "promotion", "discount", "passion", "taste", "content", "social")
"""What a person has a value of their own for."""
