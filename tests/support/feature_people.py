"""What is not a sum, computed again in plain Python, one user at a time: orders, sessions, gaps, streaks, preferences."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from datetime import UTC, date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from feature_history import Event

WINDOWS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365, "lifetime": 100_000}
CENT = Decimal("0.01")
Z = statistics.NormalDist().inv_cdf(0.975)
INTEREST = {"view": 1, "click": 1, "content_view": 1, "search": 1, "share": 2, "favourite": 3, "cart": 5, "pay": 10, "return": -10}
ACTIVITY = dict.fromkeys(
    ("view", "click", "search", "favourite", "cart", "order", "pay", "review", "share", "like", "comment", "content_view"), 1
)
BANDS = ((1000, "from_1000"), (300, "from_300"), (100, "from_100"), (50, "from_50"), (10, "from_10"), (0, "below_10"))
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def price_band(event: Event) -> str | None:
    price = event.price
    if price is None and event.amount is not None and event.quantity:
        price = event.amount / event.quantity
    return None if price is None else next(name for least, name in BANDS if price >= least)


def hour_band(event: Event) -> str:
    hour = event.local.hour
    ends = ((5, "night"), (9, "early_morning"), (12, "morning"), (18, "afternoon"), (23, "evening"))
    return next((name for end, name in ends if hour < end), "night")


PREFERENCES: dict[str, tuple[Callable[[Event], str | None], dict[str, int], int]] = {
    "category": (lambda event: event.category, INTEREST, 30),
    "brand": (lambda event: event.brand, INTEREST, 30),
    "price_band": (price_band, INTEREST, 60),
    "viewed_price_band": (price_band, {"view": 1, "click": 1}, 60),
    "bought_price_band": (price_band, {"pay": 1}, 90),
    "bought_brand": (lambda event: event.brand, {"pay": 1}, 180),
    "hour_band": (hour_band, ACTIVITY, 60),
    "weekday": (lambda event: DAYS[event.local.weekday()], ACTIVITY, 60),
    "platform": (lambda event: event.platform, ACTIVITY, 60),
    "channel": (lambda event: event.channel, ACTIVITY, 60),
    "content_type": (lambda event: event.content, {"content_view": 1, "like": 1, "share": 2, "comment": 2}, 60),
}
TOUCHED = ("category", "platform", "channel")


def of_people(events: list[Event], owners: dict[str, str], day: date, seq: int) -> dict[str, dict[str, Any]]:
    """user -> column -> value, for every user of `owners`."""
    seen: dict[str, list[Event]] = {user: [] for user in owners.values()}
    for event in events:
        if event.account in owners and event.seq <= seq and event.local.date() < day:
            seen[owners[event.account]].append(event)
    return {user: _orders(mine, day) | _sessions(mine, day) | _runs(mine) | _preferences(mine) for user, mine in seen.items()}


def _dated(events: list[Event]) -> list[tuple[date, Decimal]]:
    """The day on which each order counts, and what was paid for it on any day."""
    paid: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.kind == "pay" and event.order is not None:
            paid[event.order].append(event)
    return [(min(e.local.date() for e in lines), sum((e.amount or Decimal(0) for e in lines), Decimal(0))) for lines in paid.values()]


def _orders(events: list[Event], day: date) -> dict[str, Any]:
    dated = _dated(events)
    values: dict[str, Any] = {}
    for label in WINDOWS:
        amounts = [amount for first, amount in dated if first >= _start(day, label)]
        values[f"order_amount_{label}"] = sum(amounts, Decimal("0.00"))
        average = sum(amounts, Decimal(0)) / len(amounts) if amounts else None
        values[f"average_order_value_{label}"] = None if average is None else average.quantize(CENT, ROUND_HALF_UP)
    for label in ("90d", "365d", "lifetime"):
        amounts = [amount for first, amount in dated if first >= _start(day, label)]
        values[f"largest_order_amount_{label}"] = max(amounts, default=Decimal("0.00"))
        spread = statistics.pstdev(amounts) if amounts else None
        values[f"order_amount_spread_{label}"] = None if spread is None else spread.quantize(CENT, ROUND_HALF_UP)
    return values | _gaps("repurchase_gap_days", {first for first, _ in dated})


def _start(day: date, label: str) -> date:
    return max(date(1970, 1, 1), day - timedelta(days=min(WINDOWS[label], 10_000)))


def _gaps(name: str, dates: Iterable[date]) -> dict[str, Any]:
    gaps = [(later - earlier).days for earlier, later in pairwise(sorted(dates))]
    return {
        name: statistics.fmean(gaps) if gaps else None,
        f"{name}_spread": statistics.pstdev(gaps) if len(gaps) > 1 else None,
    }


def _sessions(events: list[Event], day: date) -> dict[str, Any]:
    spans: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.session is not None:
            spans[event.session].append(event)
    dated = [
        (min(e.local.date() for e in inside), int((max(e.at for e in inside) - min(e.at for e in inside)).total_seconds()))
        for inside in spans.values()
    ]
    return {
        f"session_seconds_{label}": sum(seconds for first, seconds in dated if first >= _start(day, label))
        for label in ("30d", "365d", "lifetime")
    }


def _runs(events: list[Event]) -> dict[str, Any]:
    days = {event.local.date() for event in events}
    lengths = {}
    for last in days:
        if last + timedelta(days=1) not in days:
            length = 1
            while last - timedelta(days=length) in days:
                length += 1
            lengths[last] = length
    return {"longest_streak_days": max(lengths.values(), default=0), "last_streak_days": lengths[max(lengths)] if lengths else 0}


def _preferences(events: list[Event]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, (key_of, weights, half_life) in PREFERENCES.items():
        values |= _preference(name, [(e, key_of(e), weights[e.kind]) for e in events if e.kind in weights], half_life, events)
    favourite, ordered = values["preferred_category"], {first for first, _ in _dated(events)}
    bought = {e.local.date() for e in events if e.kind == "pay" and e.category == favourite and favourite is not None}
    return values | _gaps("category_gap_days", bought & ordered)


def _preference(name: str, counted: list[tuple[Event, str | None, int]], half_life: int, events: list[Event]) -> dict[str, Any]:
    keyed = [(event, key, weight) for event, key, weight in counted if key is not None]
    last = max((event.local.date() for event in events), default=None)
    totals: dict[str, int] = defaultdict(int)
    numbers: dict[str, int] = defaultdict(int)
    for event, key, weight in keyed:
        age = (last - event.local.date()).days if last else 0
        if age <= 8 * half_life:
            totals[key] += weight * int(Decimal(10**6 * 2 ** (-age / half_life)).quantize(Decimal(1), ROUND_HALF_UP))
            numbers[key] += 1
    positive = sorted(((-total, key) for key, total in totals.items() if total > 0))
    total = -sum(minus for minus, _ in positive)
    shares = [(key, -minus / total) for minus, key in positive]
    counted_events = sum(numbers[key] for key, _ in shares)
    values: dict[str, Any] = {
        f"preferred_{name}": shares[0][0] if shares else None,
        f"preferred_{name}_share": shares[0][1] if shares else None,
        f"preferred_{name}_confidence": _wilson(shares[0][1], counted_events) if shares else None,
        f"top_{name}": [(key, share, _wilson(share, counted_events)) for key, share in shares[:3]] or None,
        f"{name}_count": len(shares),
        f"{name}_diversity": abs(-sum(share * math.log2(share) for _, share in shares)) if shares else None,
    }
    if name in TOUCHED:
        when = sorted((event.at.astimezone(UTC).replace(microsecond=0), key) for event, key, _ in keyed)
        latest = max((at for at, _ in when), default=None)
        values[f"first_{name}"] = when[0][1] if when else None
        values[f"last_{name}"] = min(key for at, key in when if at == latest) if when else None
    return values


def _wilson(share: float, number: int) -> float:
    centre = share + Z * Z / (2 * number)
    return (centre - Z * math.sqrt(share * (1 - share) / number + Z * Z / (4 * number * number))) / (1 + Z * Z / number)
