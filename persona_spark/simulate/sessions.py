"""Sessions: when a person comes, whether to buy, and how many steps of each kind there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.simulate.accounts import account_count, account_id, platform_of
from persona_spark.simulate.draws import literals, slots
from persona_spark.simulate.people import by_persona, own_value
from persona_spark.simulate.personas import PERSONAS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.simulate.draws import Draws
    from persona_spark.simulate.promotions import Calendar

_HOUR = 3600
_NIGHT_HOURS = slots((12, 8) + (0,) * 21 + (12,))
_DAY_HOURS = (
    slots((0, 0, 1, 1, 1, 3, 10, 14, 9, 5, 4, 5, 8, 5, 4, 4, 4, 5, 7, 8, 7, 5, 3)),
    slots((0, 0, 1, 0, 0, 1, 2, 4, 7, 10, 11, 9, 9, 9, 10, 10, 9, 7, 6, 6, 6, 5, 3)),
    slots((0, 0, 1, 0, 0, 1, 2, 4, 4, 4, 4, 6, 10, 6, 4, 4, 4, 6, 9, 13, 15, 14, 8)),
)
"""Hours of the day before 23:00: of early people, of people at home, of people with a job."""
_WAITS_FOR_ORDER = 0.5
_PRESALE = 0.45
_TAKES_PART = 0.96
_NEAREST_DEPOSIT, _DEPOSIT_DAYS = 5, 10


def sessions(persons: DataFrame, calendar: Calendar, draws: Draws) -> DataFrame:
    """One row a session, with everything that its steps need.

    Args:
        persons: what `people` made.
        calendar: the history.
        draws: the seed's draws.

    Returns:
        The columns of people and: session (int), anchor (int: sessions of one purchase share it), is_buy, drawn_from (the persona
        that this session follows), day, second (start, of the day), promotion_id, rest_days (days from deposit to balance, 0 without
        presale), lines, account_id, platform, discount (percent), and the numbers of steps by the names in KINDS.
    """
    present = persons.where(F.col("buys") + F.col("browses") > 0)
    every = present.select("*", F.explode(F.sequence(F.lit(0), (F.col("buys") + F.col("browses") - F.lit(1)).cast("int"))).alias("session"))
    anchored = every.select("*", (F.col("session") < F.col("buys")).alias("is_buy"), _anchor(draws).alias("anchor"))
    drawn = anchored.withColumn("drawn_from", _drawn_from(draws)).withColumn("wanted_day", _wanted_day(calendar, draws))
    dated = drawn.withColumn("rest_days", _rest_days(calendar, draws)).withColumn("day", _day(calendar, draws))
    timed = dated.withColumns({"promotion_id": _promotion(calendar, draws), "second": _second(draws), "lines": _lines(calendar, draws)})
    slot = F.when(draws.happens(0.7, "slot", F.col("person"), F.col("anchor")), F.lit(0)).otherwise(
        draws.below(account_count(draws), "other slot", F.col("person"), F.col("anchor")).cast("int")
    )
    placed = timed.withColumn("slot", slot)
    return placed.withColumns(
        {
            "account_id": account_id(F.col("slot"), draws),
            "platform": platform_of(F.col("slot"), draws),
            "discount": _discount(draws),
            **_steps(draws),
        }
    )


def _keys() -> tuple[Column, Column]:
    return F.col("person"), F.col("session")


def _anchor(draws: Draws) -> Column:
    """The session of the order that a session belongs to; its own number when it is about nothing that is bought."""
    buys, session = F.col("buys"), F.col("session")
    looks_before = (session >= buys) & (buys > 0) & (draws.uniform("waits", *_keys()) < _WAITS_FOR_ORDER)
    return F.when(looks_before, draws.below(buys, "which order", *_keys())).otherwise(session).cast("int")


def _drawn_from(draws: Draws) -> Column:
    first = draws.uniform("drawn from", F.col("person"), F.col("anchor")) < F.col("share_of_first")
    return F.when(first, F.col("persona")).otherwise(F.col("second"))


def _wanted_day(calendar: Calendar, draws: Draws) -> Column:
    """Day of the anchor: its part of the activity, or a day of a promotion that the order waits for."""
    anchor, person, persona = F.col("anchor"), F.col("person"), F.col("drawn_from")
    rhythm = by_persona(persona, [each.rhythm for each in PERSONAS])
    bought = anchor < F.col("buys")
    place = F.when(bought, anchor).otherwise(anchor - F.col("buys"))
    parts = F.when(bought, F.col("buys")).otherwise(F.col("browses"))
    share = (place + F.lit(0.5) + (draws.uniform("when", person, anchor) - F.lit(0.5)) * rhythm) / parts
    usual = F.col("first_day") + F.floor(share * (F.col("last_day") - F.col("first_day")))
    return F.coalesce(_promotion_day(calendar, draws, bought), usual).cast("int")


def _promotion_day(calendar: Calendar, draws: Draws, bought: Column) -> Column:
    days = calendar.promotion_days()
    if not days:
        return F.lit(None).cast("int")
    before = literals([sum(1 for day in days if day < first) for first in range(calendar.days + 1)])
    low, high = F.get(before, F.col("first_day")), F.get(before, F.col("last_day"))
    person, anchor = F.col("person"), F.col("anchor")
    waits = bought & (high > low) & (draws.uniform("waits for promotion", person, anchor) < own_value("promotion", F.col("drawn_from")))
    return F.when(waits, F.get(literals(days), (low + draws.below(high - low, "promotion day", person, anchor)).cast("int")))


def _rest_days(calendar: Calendar, draws: Draws) -> Column:
    """Days from paying the deposit to paying the balance, when the order is made in a presale."""
    balance = F.get(literals(calendar.balance_days()), F.col("wanted_day"))
    rest = F.lit(_NEAREST_DEPOSIT) + draws.below(F.lit(_DEPOSIT_DAYS), "deposit", F.col("person"), F.col("anchor"))
    presale = (balance >= 0) & (balance - rest >= F.col("first_day")) & (F.col("anchor") < F.col("buys"))
    return F.when(presale & (draws.uniform("presale", F.col("person"), F.col("anchor")) < _PRESALE), rest).otherwise(0).cast("int")


def _day(calendar: Calendar, draws: Draws) -> Column:
    balance = F.get(literals(calendar.balance_days()), F.col("wanted_day"))
    ordered = F.when(F.col("rest_days") > 0, balance - F.col("rest_days")).otherwise(F.col("wanted_day"))
    looks_before = ~F.col("is_buy") & (F.col("anchor") < F.col("buys"))
    earlier = ordered - draws.below(F.lit(4), "looks before", *_keys())
    return F.when(looks_before, F.greatest(earlier, F.col("first_day"))).otherwise(ordered).cast("int")


def _promotion(calendar: Calendar, draws: Draws) -> Column:
    name = _promotion_of_day(calendar)
    takes_part = (F.col("rest_days") > 0) | draws.happens(_TAKES_PART, "takes part", F.col("person"), F.col("anchor"))
    return F.when(F.col("is_buy") & takes_part, name)


def _promotion_of_day(calendar: Calendar) -> Column:
    return F.nullif(F.get(literals(calendar.promotion_of_day()), F.col("wanted_day")), F.lit(""))


def _second(draws: Draws) -> Column:
    person, session = _keys()
    night = draws.uniform("night", person, session) < own_value("night", F.col("drawn_from"))
    habit = draws.below(F.lit(len(_DAY_HOURS)), "habit", person)
    hour = F.when(night, draws.pick([_NIGHT_HOURS], F.lit(0), "night hour", person, session)).otherwise(
        draws.pick(_DAY_HOURS, habit, "hour", person, session)
    )
    return (hour * F.lit(_HOUR) + draws.below(F.lit(_HOUR * 2 // 3), "second", person, session)).cast("int")


def _lines(calendar: Calendar, draws: Draws) -> Column:
    """Items that the anchor is about: those of the order, or one or two that are only looked at."""
    key = (F.col("person"), F.col("anchor"))
    persona = F.col("drawn_from")
    usual = F.greatest(draws.whole(own_value("lines", persona), "lines", *key), F.lit(1))
    saves_up = by_persona(persona, [int(each.saves_up) for each in PERSONAS]) == 1
    bought = F.when(saves_up & _promotion_of_day(calendar).isNull(), F.lit(1)).otherwise(usual)
    return F.when(F.col("anchor") < F.col("buys"), bought).otherwise(F.lit(1) + draws.below(F.lit(2), "looked at", *key)).cast("int")


def _discount(draws: Draws) -> Column:
    spread = (draws.uniform("discount", *_keys()) - F.lit(0.5)) * F.lit(10)
    usual = F.greatest(own_value("discount", F.col("drawn_from")) + spread, F.lit(0))
    promoted = F.lit(12) + draws.uniform("promotion discount", *_keys()) * F.lit(20)
    return F.when(F.col("promotion_id").isNotNull(), F.greatest(promoted, usual)).otherwise(usual).cast("int")


def _steps(draws: Draws) -> dict[str, Column]:
    """How many steps of each kind a session has."""
    persona, lines, buys = F.col("drawn_from"), F.col("lines"), F.col("is_buy")
    burst = by_persona(persona, [1 if each.burst else 0 for each in PERSONAS]) == 1
    low, high = (by_persona(persona, [float((each.burst or (0, 0))[side]) for each in PERSONAS]) for side in (0, 1))

    def drawn(limit: Column, purpose: str) -> Column:
        return draws.below(limit, purpose, *_keys()).cast("int")

    def chance(share: float | Column, purpose: str) -> Column:
        return F.when(draws.uniform(purpose, *_keys()) < share, 1).otherwise(0)

    def mean(value: Column, purpose: str) -> Column:
        return draws.whole(value, purpose, *_keys())

    social = own_value("social", persona)
    returned = by_persona(persona, [each.returns for each in PERSONAS])
    human = {
        "searches": drawn(F.lit(2.2), "searches"),
        "contents": mean(own_value("content", persona), "contents"),
        "clicks": drawn(F.lit(2), "clicks"),
        "views": F.when(buys, lines + F.lit(1) + drawn(lines * F.lit(2), "views")).otherwise(F.lit(2) + drawn(F.lit(6), "views")),
        "favourites": chance(0.25, "favourites"),
        "talks": chance(0.04, "talks"),
        "carts": F.when(buys, lines).otherwise(chance(0.3, "carts")),
        "order_lines": F.when(buys, lines).otherwise(chance(0.02, "order lines")),
        "deposits": F.when(buys & (F.col("rest_days") > 0), lines).otherwise(0),
        "payments": F.when(buys, lines).otherwise(0),
        "likes": mean(social * 0.8, "likes"),
        "comments": mean(social * 0.25, "comments"),
        "shares": mean(social * 0.3, "shares"),
        "follows": mean(social * 0.2, "follows"),
        "invites": mean(social * 0.06, "invites"),
        "returns": F.when(buys, F.least(lines, mean(lines * returned, "returns"))).otherwise(0),
        "reviews": F.when(buys, F.least(lines, mean(lines * F.lit(0.16), "reviews"))).otherwise(0),
    }
    program = {"searches": drawn(F.lit(6), "searches"), "views": (low + (high - low) * draws.hump("burst", *_keys())).cast("int")}
    bought = ("carts", "order_lines", "payments")
    return {
        name: F.when(burst, program.get(name, steps if name in bought else F.lit(0))).otherwise(steps).cast("int")
        for name, steps in human.items()
    }
