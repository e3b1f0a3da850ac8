"""Every column of the benchmark's events as a function of the event's number, so that no row needs another.

Numbers run in the order of arrival: a day's events are one range. A visit is a user's run of events in it. A late event happened
some days before its visit. A balance visit pays the rest of the presale order of the visit ten days before, by the same user.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from events_shape import (
    BALANCE_AFTER_DAYS,
    BALANCE_SHARE,
    BLOCK,
    BRANDS,
    BUYING_SHARE,
    CATEGORIES,
    CHANNELS,
    CONTENT_TYPES,
    HEAVY_CATEGORY_SHARE,
    HEAVY_SHARE,
    HOME_CATEGORIES,
    HOME_SHARE,
    HOURS,
    ITEMS,
    LATE_SHARE,
    LATEST_DAYS,
    NAMESPACE,
    PLATFORMS,
    PROMOTION_SHARE,
    SHORTEST_VISIT,
    TWO_ACCOUNTS_SHARE,
    TYPE_TABLES,
    TYPES,
    VISIT_LENGTHS,
    ZONE_SECONDS,
)  # fmt: skip
from pyspark.sql import functions as F

from persona_spark.simulate.draws import Draws, literals

if TYPE_CHECKING:
    from events_shape import Shop
    from pyspark.sql import Column, DataFrame

_EPOCH_DAYS = 719163
"""`date.toordinal` of 1970-01-01."""


def drawn(numbers: DataFrame, shop: Shop) -> DataFrame:
    """The draws that several columns share, each computed once a row, in layers that build on each other.

    Args:
        numbers: column id.
        shop: the data set.
    """
    draws, event = Draws(shop.seed), F.col("id")
    block, place = F.floor(event / F.lit(BLOCK)), event % F.lit(BLOCK)
    first = F.lit(SHORTEST_VISIT) + draws.below(F.lit(VISIT_LENGTHS), "length", block)
    day = F.floor(event / F.lit(shop.events_a_day))
    late = draws.happens(LATE_SHARE, "late", event)
    lag = F.when(late, 1 + draws.below(F.lit(LATEST_DAYS), "lag", event)).otherwise(F.lit(0))
    kind = draws.pick(TYPE_TABLES, F.col("buying").cast("int"), "type", event)
    return (
        numbers.select("id", day.alias("arrival"), lag.alias("lag"), (2 * block + (place >= first).cast("bigint")).alias("visit"))
        .select("*", _balance(shop, draws, F.col("visit")).alias("balance"))
        .select("*", F.when(F.col("balance"), F.col("visit") - _balance_visits(shop)).otherwise(F.col("visit")).alias("origin"))
        .select("*", _buying(shop, draws).alias("buying"), *_person(shop, draws))
        .select("*", F.get(literals(TYPES), kind).alias("kind"), _category(shop, draws).alias("category_number"))
        .select("*", *_item(draws), F.greatest(F.col("arrival") - F.col("lag"), F.lit(0)).alias("day"))
        .select("*", *_money(draws), _second(draws).alias("second"))
    )


def _balance_visits(shop: Shop) -> int:
    """Visits between a deposit and its balance."""
    return 2 * (shop.events_a_day // BLOCK) * BALANCE_AFTER_DAYS


def _balance(shop: Shop, draws: Draws, visit: Column) -> Column:
    # Ten days of deposits, then ten days of balances, so that no balance is another's deposit.
    paying = F.floor(visit / F.lit(_balance_visits(shop))) % 2 == 1
    return paying & draws.happens(BALANCE_SHARE, "balance", visit)


def _buying(shop: Shop, draws: Draws) -> Column:
    deposit = _balance(shop, draws, F.col("visit") + _balance_visits(shop))
    return F.col("balance") | deposit | draws.happens(BUYING_SHARE, "buying", F.col("visit"))


def _person(shop: Shop, draws: Draws) -> list[Column]:
    """The user, more often one with a low number, and which of the accounts the visit is with."""
    drawn_user = F.floor(F.pow(draws.uniform("user", F.col("origin")), F.lit(1.5)) * F.lit(shop.users))
    heavy = draws.happens(HEAVY_SHARE, "heavy", F.col("origin")) if shop.skew else F.expr("false")
    user = F.when(heavy, F.lit(0).cast("bigint")).otherwise(drawn_user)
    second = has_two(draws, user) & draws.happens(0.5, "account", F.col("visit")) & ~heavy
    return [user.alias("person"), second.cast("int").alias("second_account")]


def has_two(draws: Draws, user: Column) -> Column:
    """Whether a user has two accounts."""
    return draws.happens(TWO_ACCOUNTS_SHARE, "two accounts", user)


def native_account(user: Column, second: Column) -> Column:
    """An account's number in the shop: all differ, and neighbours have nothing in common."""
    return ((2 * user + second) * F.lit(387_420_489) % F.lit(2**31)).cast("string")


def _category(shop: Shop, draws: Draws) -> Column:
    """Its number; events that are of no item have one too, which nobody sees."""
    anywhere = draws.below(F.lit(CATEGORIES), "category", F.col("id"))
    home = draws.below(F.lit(HOME_CATEGORIES), "which home", F.col("id"))
    at_home = draws.below(F.lit(CATEGORIES), "home", F.col("person"), home)
    chosen = F.when(draws.happens(HOME_SHARE, "at home", F.col("id")), at_home).otherwise(anywhere) if shop.affinity else anywhere
    if shop.skew:
        chosen = F.when(draws.happens(HEAVY_CATEGORY_SHARE, "heavy category", F.col("id")), F.lit(0).cast("bigint")).otherwise(chosen)
    return chosen


def _item(draws: Draws) -> list[Column]:
    has_item = ~F.col("kind").isin("search", "service", "follow", "invite")
    brand = draws.below(F.lit(BRANDS), "brand", F.col("id"))
    item = draws.below(F.lit(ITEMS), "item", F.col("id"))
    number = (F.col("category_number") * BRANDS + brand) * ITEMS + item
    return [has_item.alias("has_item"), brand.alias("brand_number"), number.alias("item_number")]


def _money(draws: Draws) -> list[Column]:
    """List price, pieces and discount of one piece, in minor units."""
    base = 900 + F.col("category_number") * 7919 % 29 * 700
    price = F.floor(base * (6 + 2 * F.col("brand_number")) * (80 + F.col("item_number") % 41) / F.lit(1000))
    promoted = (F.col("kind") == "pay") & draws.happens(PROMOTION_SHARE, "promotion", F.col("id"))
    percent = F.when(promoted, 10 + draws.below(F.lit(21), "percent", F.col("id"))).otherwise(F.lit(0))
    quantity = F.when(F.col("kind").isin("cart", "order", "pay", "return"), 1 + draws.below(F.lit(3), "quantity", F.col("id")))
    return [price.alias("price"), promoted.alias("promoted"), percent.alias("percent"), quantity.alias("quantity")]


def _second(draws: Draws) -> Column:
    """Second of the local day."""
    hour = draws.pick([HOURS], F.lit(0), "hour", F.col("visit"))
    return hour * 3600 + draws.below(F.lit(3600), "second", F.col("id"))


def event_columns(shop: Shop) -> dict[str, Column]:
    """Every column of `events` that is known here, by name, over the columns of `drawn`."""
    draws, event = Draws(shop.seed), F.col("id")
    first = shop.first_day.toordinal() - _EPOCH_DAYS
    day = F.date_from_unix_date((F.col("day") + first).cast("int"))
    local = (F.col("day") + first) * 86400 + F.col("second")
    kind = F.col("kind")
    ordered = kind.isin("order", "pay", "return")
    total = F.col("price") * F.col("quantity")
    discount = F.floor(total * F.col("percent") / F.lit(100))
    amount = F.when(ordered, total - discount)
    seen = kind.isin("view", "content_view")
    event_id = F.md5(F.concat(F.lit(f"{shop.seed}/"), event.cast("string")).cast("binary"))
    return {
        "event_id": event_id,
        "id_hash": F.xxhash64(event_id),
        "namespace": F.lit(NAMESPACE),
        "source": F.lit(f"{NAMESPACE}_events"),
        "platform": _pick(PLATFORMS, draws, "platform", F.col("person"), F.col("second_account")),
        "channel": _pick(CHANNELS, draws, "channel", F.col("visit")),
        "event_time": F.timestamp_seconds(local - ZONE_SECONDS),
        "event_date": day,
        "event_month": F.trunc(day, "month"),
        "event_hour": F.floor(F.col("second") / 3600).cast("int"),
        "account_id": _own(native_account(F.col("person"), F.col("second_account"))),
        "item_id": F.when(F.col("has_item"), _own(F.concat(F.lit("i"), F.col("item_number").cast("string")))),
        "order_id": F.when(ordered, _own(F.concat(F.lit("o"), F.col("origin").cast("string")))),
        "event_type": kind,
        "session_id": F.when(kind != "service", _own(F.concat_ws("-", F.lit("s"), F.col("visit"), F.nullif(F.col("lag"), F.lit(0))))),
        "category": F.when(F.col("has_item"), F.concat(F.lit("category "), F.col("category_number").cast("string"))),
        "brand": F.when(
            F.col("has_item"),
            F.concat_ws(" ", F.lit("brand"), F.col("category_number").cast("string"), F.col("brand_number").cast("string")),
        ),
        "quantity": F.col("quantity"),
        "price": F.when(F.col("has_item"), money(F.col("price"))),
        "amount": money(amount),
        "amount_original": money(amount),
        "currency": F.when(amount.isNotNull(), F.lit("CNY")),
        "discount": F.when(ordered, money(discount)),
        "promotion_id": F.when(F.col("promoted"), F.concat(F.lit("p"), F.floor(F.col("day") / 14).cast("string"))),
        "dwell_seconds": F.when(seen, 1 + draws.below(F.lit(180), "dwell", event)),
        "content_type": F.when(kind == "content_view", _pick(CONTENT_TYPES, draws, "content", event)),
        "rating": F.when(kind == "review", (1 + draws.below(F.lit(5), "rating", event)).cast("int")),
        "text": F.when(kind == "search", F.concat(F.lit("words "), draws.below(F.lit(5000), "text", event).cast("string"))),
        "attributes": F.lit(None).cast("map<string,string>"),
        "ingest_seq": F.col("arrival") + 2,
    }


def money(minor: Column) -> Column:
    """Minor units as money, by a multiplication that stays within a long."""
    return (minor.cast("decimal(10,0)") * F.lit(Decimal("0.01"))).cast("decimal(18,2)")


def _own(native: Column) -> Column:
    return F.concat(F.lit(f"{NAMESPACE}:"), native)


def _pick(words: tuple[str, ...], draws: Draws, purpose: str, *keys: Column) -> Column:
    return F.get(literals(words), draws.below(F.lit(len(words)), purpose, *keys).cast("int"))
