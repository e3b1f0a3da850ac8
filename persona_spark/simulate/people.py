"""People: who they are, which persona or two they are drawn from, and their own values within its ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.simulate.draws import SLOTS, literals, slots
from persona_spark.simulate.personas import MIXABLE, PERSONAS, RANGES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from persona_spark.simulate.draws import Draws
    from persona_spark.simulate.promotions import Calendar

MIXED_EVERY = 7
"""One person in so many is mixed."""
_GOLDEN = 0.6180339887498949
_PEOPLE_OF_PARTITION = 2_500


def people(spark: SparkSession, users: int, calendar: Calendar, draws: Draws) -> DataFrame:
    """One row a person.

    Args:
        spark: the session.
        users: how many people.
        calendar: the history.
        draws: the seed's draws.

    Returns:
        person (bigint from 0), is_mixed, persona and second (numbers in PERSONAS; equal unless mixed), share_of_first, gender, age,
        first_day, last_day (exclusive), buys and browses (sessions with and without an order), fraction_<range> for every
        name in RANGES: the share of people of any persona whose own value is smaller.
    """
    person = F.col("person")
    everybody = spark.range(0, users, 1, 1 + users // _PEOPLE_OF_PARTITION)
    base = everybody.select(F.col("id").alias("person"), _is_mixed(draws).alias("is_mixed"))
    share = F.lit(0.35) + draws.uniform("share", person) * F.lit(0.3)
    chosen = base.select("*", *_chosen(draws), share.alias("share_of_first"))
    fractions = [draws.uniform(name, person).alias(f"fraction_{name}") for name in RANGES]
    known = chosen.select("*", *fractions, *_who(draws), _first_day(calendar, draws).alias("first_day"))
    placed = known.withColumn("last_day", _last_day(calendar, draws))
    return placed.withColumn("buys", _buys(draws)).withColumn("browses", _browses(draws))


def own_value(name: str, persona: Column) -> Column:
    """A person's own value in a range of `persona`: the quantile of the range's triangle at the person's fraction."""
    low, usual, high = (by_persona(persona, [float(getattr(each, name)[part]) for each in PERSONAS]) for part in range(3))
    fraction = F.col(f"fraction_{name}")
    rising = low + F.sqrt(fraction * (high - low) * (usual - low))
    falling = high - F.sqrt((F.lit(1.0) - fraction) * (high - low) * (high - usual))
    return F.when(fraction * (high - low) < usual - low, rising).otherwise(falling)


def by_persona(persona: Column, values: list[float] | list[int] | list[str]) -> Column:
    """A constant of the persona."""
    return F.get(literals(values), persona)


def _is_mixed(draws: Draws) -> Column:
    """One in every block of people, so that the share holds however few they are."""
    block = F.floor(F.col("id") / F.lit(MIXED_EVERY))
    chosen = F.floor(draws.uniform("mixed", block) * F.lit(MIXED_EVERY))
    return F.pmod(F.col("id"), F.lit(MIXED_EVERY)) == chosen


def _chosen(draws: Draws) -> list[Column]:
    """The personas. Steps of the golden ratio give every persona its share even among a few hundred people."""
    person = F.col("person")
    turn = person * F.lit(_GOLDEN) + draws.uniform("turn", F.lit(0))
    place = F.floor((turn - F.floor(turn)) * F.lit(SLOTS)).cast("int")
    alone = F.get(literals(slots([persona.weight for persona in PERSONAS])), place)
    mixable = literals(MIXABLE)
    one = F.floor(draws.uniform("one", person) * F.lit(len(MIXABLE)))
    other = F.pmod(one + F.lit(1) + F.floor(draws.uniform("other", person) * F.lit(len(MIXABLE) - 1)), F.lit(len(MIXABLE)))
    return [
        F.when(F.col("is_mixed"), F.get(mixable, one.cast("int"))).otherwise(alone).alias("persona"),
        F.when(F.col("is_mixed"), F.get(mixable, other.cast("int"))).otherwise(alone).alias("second"),
    ]


def _who(draws: Draws) -> list[Column]:
    """Gender and age. Of a mixed person either persona decides them."""
    person = F.col("person")
    decides = F.when(draws.happens(0.5, "decides", person), F.col("persona")).otherwise(F.col("second"))
    low = by_persona(decides, [float(persona.ages[0]) for persona in PERSONAS])
    high = by_persona(decides, [float(persona.ages[1]) for persona in PERSONAS])
    woman = draws.uniform("woman", person) < by_persona(decides, [persona.women for persona in PERSONAS])
    return [
        F.when(woman, "female").otherwise("male").alias("gender"),
        F.floor(low + (high - low) * draws.hump("age", person)).cast("int").alias("age"),
    ]


def _first_day(calendar: Calendar, draws: Draws) -> Column:
    persona = F.col("persona")
    share = _between([each.first for each in PERSONAS], persona, draws.hump("first", F.col("person")))
    late = [each.start_before_end or (0, 0) for each in PERSONAS]
    before_end = _between(late, persona, draws.hump("start", F.col("person")))
    first = F.when(before_end > 0, F.lit(calendar.days) - F.ceil(before_end)).otherwise(F.floor(share * F.lit(calendar.days)))
    return F.greatest(first, F.lit(0)).cast("int")


def _last_day(calendar: Calendar, draws: Draws) -> Column:
    quiet = _between([each.quiet for each in PERSONAS], F.col("persona"), draws.hump("quiet", F.col("person")))
    # A short history leaves at least a quarter of it for activity.
    last = F.greatest(F.lit(calendar.days) - F.floor(quiet), F.lit(calendar.days // 4 + 1), F.col("first_day") + F.lit(1))
    return F.least(last, F.lit(calendar.days)).cast("int")


def _between(ranges: list[tuple[float, float]], persona: Column, fraction: Column) -> Column:
    low, high = ([float(pair[side]) for pair in ranges] for side in (0, 1))
    return by_persona(persona, low) + (by_persona(persona, high) - by_persona(persona, low)) * fraction


def _of_both(value: Column, other: Column) -> Column:
    share = F.col("share_of_first")
    return F.when(F.col("is_mixed"), value * share + other * (F.lit(1.0) - share)).otherwise(value)


def _buys(draws: Draws) -> Column:
    persona, second, span = F.col("persona"), F.col("second"), F.col("last_day") - F.col("first_day")
    yearly = _of_both(own_value("orders", persona), own_value("orders", second))
    drawn = draws.whole(yearly * span / F.lit(365.0), "buys", F.col("person"))
    fixed = by_persona(persona, [-1 if each.orders_fixed is None else each.orders_fixed for each in PERSONAS])
    return F.when(fixed >= 0, fixed).otherwise(F.greatest(drawn, by_persona(persona, [each.fewest for each in PERSONAS])))


def _browses(draws: Draws) -> Column:
    persona, second, span = F.col("persona"), F.col("second"), F.col("last_day") - F.col("first_day")
    monthly = _of_both(own_value("visits", persona), own_value("visits", second))
    drawn = draws.whole(monthly * span / F.lit(30.0), "browses", F.col("person"))
    # Who never buys was there at least once, unless persona says that nothing ever happened.
    least = F.when((by_persona(persona, [float(each.visits[-1]) for each in PERSONAS]) > 0) & (F.col("buys") == 0), 1).otherwise(0)
    return F.greatest(drawn, least)
