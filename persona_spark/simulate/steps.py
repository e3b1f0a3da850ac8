"""Steps of sessions as events: what each is about, when it happens, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.simulate.catalogue import ITEMS_OF_LEVEL, NAMES, item_id, item_number, price_of
from persona_spark.simulate.draws import literals, slots
from persona_spark.simulate.kinds import DEPOSIT_PERCENT, KINDS, MOST_STEPS, NUMBER, REST
from persona_spark.simulate.people import by_persona, own_value
from persona_spark.simulate.personas import PERSONAS, PREMIUM
from persona_spark.simulate.writing import content_type, rating, text

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.simulate.draws import Draws
    from persona_spark.simulate.promotions import Calendar

_DAY = 86_400
_MORNING = 9 * 3600
_SAME_ITEM = 0.6
_ELSEWHERE = 100
_STAPLES = ("groceries", "household", "food", "baby")
_FAST, _SLOW = 5, 45


def events(visits: DataFrame, calendar: Calendar, draws: Draws) -> DataFrame:
    """One row an event, as the feed has it.

    Args:
        visits: what `sessions` made.
        calendar: the history; what would happen after its end is left out.
        draws: the seed's draws.

    Returns:
        event_id, event_time (UTC), event_type, account_id, platform, session_id, item_id, category (where there is no item),
        order_id, quantity, amount and discount (decimal(18,2)), promotion_id, dwell_seconds, content_type, rating, text.
    """
    every = F.concat(*(F.slice(_numbered(kind.name), 1, F.col(kind.name)) for kind in KINDS))
    steps = visits.select("*", F.posexplode(every).alias("step", "code"))
    known = steps.withColumns(
        {"kind": F.floor(F.col("code") / F.lit(MOST_STEPS)).cast("int"), "place": F.pmod(F.col("code"), F.lit(MOST_STEPS))}
    )
    about = known.withColumn("line", _line(draws)).withColumn("category", _category(draws)).withColumn("number", _number(draws))
    priced = about.withColumn("price", price_of(F.col("number"), draws)).withColumn("quantity", _quantity(draws))
    timed = priced.withColumn("seconds", _seconds(draws)).where(F.col("seconds") < F.lit(calendar.days * _DAY))
    return _written(timed, calendar, draws)


def _numbered(name: str) -> Column:
    first = NUMBER[name] * MOST_STEPS
    return F.sequence(F.lit(first), F.lit(first + MOST_STEPS - 1))


def _is(*names: str) -> Column:
    return F.col("kind").isin([NUMBER[name] for name in names])


def _line(draws: Draws) -> Column:
    """Which of the anchor's items a step is about; numbers from _ELSEWHERE are items of this session only."""
    place, lines = F.col("place"), F.col("lines")
    strays = _is("views", "clicks", "contents", "searches") & (_uniform(draws, "strays") >= _SAME_ITEM)
    own = F.lit(_ELSEWHERE) + F.col("session") * F.lit(MOST_STEPS) + F.col("step")
    return F.when(strays, own).otherwise(F.pmod(place, lines))


def _uniform(draws: Draws, purpose: str) -> Column:
    return draws.uniform(purpose, F.col("person"), F.col("session"), F.col("step"))


def _category(draws: Draws) -> Column:
    """Number of the category: the person's favourite, or any that interests the persona."""
    key, persona = (F.col("person"), F.col("anchor"), F.col("line")), F.col("drawn_from")
    favourite = draws.pick([each.favourite_slots for each in PERSONAS], persona, "favourite", F.col("person"))
    other = draws.pick([each.interest_slots for each in PERSONAS], persona, "interest", *key)
    return F.when(draws.uniform("passion", *key) < own_value("passion", persona), favourite).otherwise(other)


def _number(draws: Draws) -> Column:
    key, persona = (F.col("person"), F.col("anchor"), F.col("line")), F.col("drawn_from")
    usual = draws.pick([each.level_slots for each in PERSONAS], persona, "level", *key)
    fine = draws.pick([slots(PREMIUM)], F.lit(0), "fine level", *key)
    level = F.when(draws.uniform("fine", *key) < own_value("taste", persona), fine).otherwise(usual)
    # Few items sell much: the square draws low places more often.
    popular = draws.uniform("place", *key) * draws.uniform("place", *key)
    return item_number(F.col("category"), level, F.floor(popular * F.lit(ITEMS_OF_LEVEL)))


def _quantity(draws: Draws) -> Column:
    many = F.col("category").isin([NAMES.index(name) for name in _STAPLES])
    drawn = F.lit(1) + draws.below(F.lit(3), "quantity", F.col("person"), F.col("anchor"), F.col("line"))
    return F.when(many, drawn).otherwise(1).cast("bigint")


def _seconds(draws: Draws) -> Column:
    """Seconds since the history began."""
    burst = by_persona(F.col("drawn_from"), [1 if each.burst else 0 for each in PERSONAS]) == 1
    pace = F.when(burst, _FAST).otherwise(_SLOW)
    during = F.col("second") + F.col("step") * pace + F.floor(_uniform(draws, "pause") * pace)
    received = F.lit(2) + F.floor(_uniform(draws, "days later") * F.when(_is("returns"), 9).otherwise(14))
    later = received * F.lit(_DAY) + F.lit(_MORNING) + F.floor(_uniform(draws, "time of day") * F.lit(12 * 3600))
    paid_on = F.when(_is("payments", "returns", "reviews"), F.col("rest_days")).otherwise(0)
    second = F.when(_is("returns", "reviews"), later).otherwise(during)
    return (F.col("day") + paid_on).cast("bigint") * F.lit(_DAY) + second


def _amounts() -> tuple[Column, Column]:
    """What changes hands and the discount on it, in cents; null where no money is spoken of."""
    full = F.col("price") * F.col("quantity")
    discount = F.floor(full * F.col("discount") / F.lit(100))
    due = full - discount
    deposit = F.floor(due * F.lit(DEPOSIT_PERCENT) / F.lit(100))
    rest = F.when(F.col("rest_days") > 0, due - deposit).otherwise(due)
    share = by_kind([kind.money for kind in KINDS])
    amount = F.when(share == REST, rest).when(share == DEPOSIT_PERCENT, deposit).when(share > 0, due)
    return amount, F.when(_is("order_lines", "payments"), discount)


def _pieces(ordered: Column) -> Column:
    """Pieces that a step speaks of: those of a presale line are paid with its deposit, so the balance has none."""
    balance = _is("payments") & (F.col("rest_days") > 0)
    return F.when(balance, 0).when(_is("carts") | (ordered & ~_is("reviews")), F.col("quantity"))


def by_kind(values: list[int]) -> Column:
    """A constant of the step's kind."""
    return F.get(literals(values), F.col("kind"))


def _money(cents: Column) -> Column:
    return (cents.cast("decimal(18,2)") / F.lit(100)).cast("decimal(18,2)")


def _written(steps: DataFrame, calendar: Calendar, draws: Draws) -> DataFrame:
    amount, discount = _amounts()
    visit = F.concat_ws("-", "account_id", "session")
    about_item = by_kind([int(kind.item) for kind in KINDS]) == 1
    ordered = by_kind([int(kind.order) for kind in KINDS]) == 1
    # The balance is paid in a visit of its own; returns and reviews belong to none.
    session_id = F.when(_is("payments") & (F.col("rest_days") > 0), F.concat(visit, F.lit("b"))).when(~_is("returns", "reviews"), visit)
    looked = F.when(_is("views", "clicks"), F.lit(3) + F.floor(_uniform(draws, "dwell") * F.lit(90))).when(
        _is("contents"), F.lit(8) + F.floor(_uniform(draws, "dwell") * F.lit(400))
    )
    return steps.select(
        F.concat(visit, F.lit("-"), F.col("step").cast("string")).alias("event_id"),
        F.timestamp_seconds(F.col("seconds") + F.lit(calendar.start_seconds)).alias("event_time"),
        F.get(literals([kind.event_type for kind in KINDS]), F.col("kind")).alias("event_type"),
        "account_id",
        "platform",
        session_id.alias("session_id"),
        F.when(about_item, item_id(F.col("number"))).alias("item_id"),
        F.when(_is("searches", "contents"), F.get(literals(NAMES), F.col("category"))).alias("category"),
        F.when(ordered, visit).alias("order_id"),
        _pieces(ordered).alias("quantity"),
        _money(amount).alias("amount"),
        _money(discount).alias("discount"),
        F.when(ordered & ~_is("returns", "reviews"), F.col("promotion_id")).alias("promotion_id"),
        looked.cast("int").alias("dwell_seconds"),
        F.when(_is("contents"), content_type(draws)).alias("content_type"),
        F.when(_is("reviews"), rating(draws)).alias("rating"),
        text(draws).alias("text"),
    )
