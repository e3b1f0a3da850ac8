"""Accounts: one to three logins a person, each on another platform, and what each says about the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.simulate.draws import SLOTS, literals, slots
from persona_spark.simulate.people import by_persona
from persona_spark.simulate.personas import PERSONAS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from persona_spark.simulate.draws import Draws
    from persona_spark.simulate.promotions import Calendar

PLATFORMS = ("taobao", "tmall", "jd", "pdd", "live_room", "mini_program", "store")
_CODES = ("tb", "tm", "jd", "pd", "lv", "mp", "st")
_FIRST_PLATFORM = slots((26, 18, 18, 14, 8, 11, 5))
_ACCOUNTS = slots((72, 21, 7))
MOST_ACCOUNTS = 3
_SCRAMBLE, _NUMBERS = 2_654_435, 2**40
CITIES = (
    "Shanghai",
    "Beijing",
    "Shenzhen",
    "Guangzhou",
    "Hangzhou",
    "Chengdu",
    "Wuhan",
    "Xi'an",
    "Nanjing",
    "Chongqing",
    "Suzhou",
    "Changsha",
)
LEVELS = ("bronze", "silver", "gold", "platinum")
_DAY = 86_400


def account_count(draws: Draws) -> Column:
    """How many accounts a person has."""
    return F.get(literals(_ACCOUNTS), _place("accounts", draws)) + F.lit(1)


def platform_of(slot: Column, draws: Draws) -> Column:
    """Platform of a person's account number `slot`; no two accounts of a person are on one platform."""
    return F.get(literals(PLATFORMS), _platform_number(slot, draws))


def account_id(slot: Column, draws: Draws) -> Column:
    """Id of a person's account number `slot`, from which neither the person nor the person's other accounts can be read."""
    # An odd factor and a power of two: every person and slot gets another number.
    shifted = F.col("person") * F.lit(MOST_ACCOUNTS) + slot + F.lit(draws.salt("account") % _NUMBERS)
    number = F.pmod(shifted * F.lit(_SCRAMBLE), F.lit(_NUMBERS))
    return F.concat(F.get(literals(_CODES), _platform_number(slot, draws)), F.lpad(number.cast("string"), 13, "0"))


def account_ids(draws: Draws) -> Column:
    """All account ids of a person, sorted."""
    every = F.array(*(account_id(F.lit(slot), draws) for slot in range(MOST_ACCOUNTS)))
    return F.array_sort(F.slice(every, 1, account_count(draws)))


def accounts(persons: DataFrame, calendar: Calendar, draws: Draws) -> DataFrame:
    """One row an account, as the feed has it: account_id, platform, member_no, registered_at (local text), and attributes.

    Args:
        persons: what `people` made.
        calendar: the history.
        draws: the seed's draws.
    """
    slot, person = F.col("slot"), F.col("person")
    rows = persons.select("*", F.explode(F.sequence(F.lit(0), account_count(draws) - F.lit(1))).alias("slot"))
    year = F.lit(calendar.end.year) - F.col("age")
    return rows.select(
        account_id(slot, draws).alias("account_id"),
        platform_of(slot, draws).alias("platform"),
        F.concat(F.lit("M"), F.lower(F.hex(F.xxhash64(F.lit(draws.salt("member")), person)))).alias("member_no"),
        _registered_at(calendar, draws).alias("registered_at"),
        _stated(F.col("gender"), "gender", 0.006, draws).alias("gender"),
        _stated(year, "birth_year", 0.008, draws).alias("birth_year"),
        _stated(F.get(literals(CITIES), draws.below(F.lit(len(CITIES)), "city", person).cast("int")), "city", 0.08, draws).alias("city"),
        F.get(literals(LEVELS), F.least(F.floor(F.col("buys") / F.lit(5)), F.lit(len(LEVELS) - 1)).cast("int")).alias("member_level"),
        _stated(_marital_status(draws), "marital_status", 0.25, draws).alias("marital_status"),
        _stated(_kids(draws), "kids_count", 0.25, draws).alias("kids_count"),
    )


def _place(purpose: str, draws: Draws) -> Column:
    return F.floor(draws.uniform(purpose, F.col("person")) * F.lit(SLOTS)).cast("int")


def _platform_number(slot: Column, draws: Draws) -> Column:
    first = F.get(literals(_FIRST_PLATFORM), _place("platform", draws))
    step = F.lit(1) + draws.below(F.lit(2), "next platform", F.col("person"))
    return F.pmod(first + slot * step, F.lit(len(PLATFORMS))).cast("int")


def _registered_at(calendar: Calendar, draws: Draws) -> Column:
    person, slot = F.col("person"), F.col("slot")
    recent = by_persona(F.col("persona"), [1 if each.start_before_end else 0 for each in PERSONAS]) == 1
    before = F.when(recent, draws.below(F.lit(4), "registered", person, slot)).otherwise(
        F.floor(draws.hump("registered", person, slot) * F.lit(1500.0)) + F.lit(5)
    )
    second = (F.col("first_day") - F.lit(1) - before) * F.lit(_DAY) + draws.below(F.lit(_DAY), "registered second", person, slot)
    start = F.lit(calendar.start.isoformat()).cast("timestamp_ntz")
    return F.date_format(start + F.make_dt_interval(F.lit(0), F.lit(0), F.lit(0), second.cast("decimal(18,6)")), "yyyy-MM-dd HH:mm:ss")


def _stated(value: Column, name: str, missing: float, draws: Draws) -> Column:
    """The first account states nearly everything, the others less."""
    unsaid = F.when(F.col("slot") == 0, F.lit(missing)).otherwise(F.lit(0.4))
    return F.when(draws.uniform(f"stated {name}", F.col("person"), F.col("slot")) >= unsaid, value)


def _marital_status(draws: Draws) -> Column:
    chance = F.least(F.greatest((F.col("age") - F.lit(20)) / F.lit(20.0), F.lit(0.02)), F.lit(0.85))
    return F.when(draws.uniform("married", F.col("person")) < F.greatest(chance, _mother() * F.lit(0.9)), "married").otherwise("single")


def _kids(draws: Draws) -> Column:
    drawn = draws.uniform("kids", F.col("person"))
    chance = F.greatest(F.when(F.col("age").between(28, 60), 0.5).otherwise(0.05), _mother() * F.lit(0.97))
    return F.when(drawn >= chance, "0").when(drawn >= chance * 0.35, "1").when(drawn >= chance * 0.05, "2").otherwise("3+")


def _mother() -> Column:
    return by_persona(F.col("persona"), [1.0 if each.name == "new_mother" else 0.0 for each in PERSONAS])
