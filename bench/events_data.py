"""Write a lake of a shop's events as nightly ingests leave it, and the feed of one new day, at some millions of rows a minute.

Every column is a hash of the event's number, so the data are the same whatever the machine; nothing is shuffled or kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from confs import write_conf
from events_columns import drawn, event_columns, has_two, native_account
from events_shape import AS_OF, CITIES, LEVELS, NAMESPACE, PLATFORMS, Shop
from processes import ROOT
from pyspark.sql import functions as F

from persona_spark.config.load import load_conf
from persona_spark.lake.contract import frame_of
from persona_spark.lake.info import open_lake
from persona_spark.lake.session import build_session
from persona_spark.schema import ACCOUNTS, EVENTS, INGEST
from persona_spark.simulate.draws import Draws, literals

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from persona_spark.lake.tables import Lake

DONE = "done"
"""File that stands in the folder of a data set once it is whole."""
_SETTINGS = {
    # A task is a day, and writes its own files; Delta would shuffle them into others.
    "spark.databricks.delta.optimizeWrite.enabled": "false",
    "spark.sql.maxConcurrentOutputFileWriters": "4",
    # So many columns make methods that Java by default interprets for good: four times the time.
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC -XX:-DontCompileHugeMethods",
}
_FEED = {"account_id": "account", "item_id": "item", "order_id": "order", "session_id": "session"}
"""Ids by the names that they have in the feed, where they lack the namespace."""
_NOT_IN_FEED = ("namespace", "source", "event_date", "event_month", "event_hour", "amount_original", "currency", "attributes", "ingest_seq")


def make(shop: Shop, folder: Path, memory: str = "4g") -> None:
    """Write `folder`/lake and `folder`/feed unless they are there.

    Args:
        shop: what the data are like.
        folder: where; removed first when it is not whole.
        memory: heap of Spark's driver.
    """
    if (folder / DONE).exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["SPARK_DRIVER_MEMORY"] = memory
    spark = build_session("events", _SETTINGS)
    conf = load_conf(write_conf(folder / "conf"))
    lake = open_lake(spark, conf.main.lake, conf.folder, str(folder / "lake"))
    lake.replace(accounts(spark, shop), ACCOUNTS)
    lake.replace(events(spark, shop), EVENTS)
    lake.replace(ingests(lake, shop), INGEST)
    new_day(spark, shop).write.parquet(str(folder / "feed"))
    (folder / DONE).touch()


def events(spark: SparkSession, shop: Shop) -> DataFrame:
    """The events of all days, with the columns of the contract; a partition a day of arrival."""
    columns = event_columns(shop)
    numbers = spark.range(0, shop.events_a_day * shop.days, 1, shop.days)
    return drawn(numbers, shop).select(*(_column(columns, column.name, column.type) for column in EVENTS.columns))


def _column(columns: dict[str, Column], name: str, kind: str) -> Column:
    """A column of the contract; null when it is not known here."""
    return columns.get(name, F.lit(None)).cast(kind).alias(name)


def new_day(spark: SparkSession, shop: Shop) -> DataFrame:
    """The feed of the day `AS_OF`: events that arrive on it, a hundredth of them late."""
    columns = {name: column for name, column in event_columns(shop).items() if name not in _NOT_IN_FEED}
    start = shop.events_a_day * shop.days
    numbers = spark.range(start, start + shop.events_a_day, 1, 2)
    native = [F.split_part(columns.pop(name), F.lit(":"), F.lit(2)).alias(short) for name, short in _FEED.items()]
    return drawn(numbers, shop).select(*(column.alias(name) for name, column in columns.items()), *native)


def accounts(spark: SparkSession, shop: Shop) -> DataFrame:
    """One version of each account, known before the first event; the accounts of one user share a key."""
    draws, user = Draws(shop.seed), F.col("person")
    both = F.when(has_two(draws, user), F.array(F.lit(0), F.lit(1))).otherwise(F.array(F.lit(0)))
    rows = spark.range(0, shop.users, 1, 4).withColumnRenamed("id", "person").select("person", F.explode(both).alias("second"))
    age = draws.below(F.lit(1000), "age", user, F.col("second")).cast("int")
    since = F.date_sub(F.lit(shop.first_day), age + 1)
    stated = {
        "gender": F.when(draws.happens(0.6, "gender", user), F.lit("female")).otherwise(F.lit("male")),
        "birth_year": (1955 + draws.below(F.lit(52), "birth year", user)).cast("string"),
        "city": F.get(literals(CITIES), draws.below(F.lit(len(CITIES)), "city", user).cast("int")),
        "member_level": F.get(literals(LEVELS), draws.below(F.lit(len(LEVELS)), "level", user, F.col("second")).cast("int")),
    }
    columns = {
        "account_id": F.concat(F.lit(f"{NAMESPACE}:"), native_account(user, F.col("second"))),
        "namespace": F.lit(NAMESPACE),
        "source": F.lit(f"{NAMESPACE}_accounts"),
        "platform": F.lit(PLATFORMS[0]),
        "registered_at": F.timestamp_seconds(F.unix_date(since) * 86400 + 36000),
        "valid_from": since,
        "link_keys": F.array(F.concat(F.lit("member "), user.cast("string"))),
        "attributes": F.create_map(*(part for name, value in stated.items() for part in (F.lit(name), value))),
        "ingest_seq": F.lit(1),
    }
    return rows.select(*(_column(columns, column.name, column.type) for column in ACCOUNTS.columns))


def ingests(lake: Lake, shop: Shop) -> DataFrame:
    """The rows that make the accounts and each day's events known."""
    touched = lake.read(EVENTS).groupBy("ingest_seq").agg(
        F.count("*").alias("loaded"), F.min("event_date").alias("min_event_date"), F.max("event_date").alias("max_event_date")
    )  # fmt: skip
    stated = lake.read(ACCOUNTS).groupBy("ingest_seq").agg(
        F.count("*").alias("loaded"), F.lit(None).cast("date").alias("min_event_date"), F.lit(None).cast("date").alias("max_event_date")
    )  # fmt: skip
    rows = [tuple(row) for frame in (stated, touched) for row in frame.collect()]
    return frame_of(lake.spark, INGEST, [_ingest(shop, *row) for row in rows])


def _ingest(shop: Shop, seq: int, loaded: int, first: object, last: object) -> dict[str, object]:
    target = EVENTS.name if first else ACCOUNTS.name
    at = datetime(shop.first_day.year, shop.first_day.month, shop.first_day.day, 20, tzinfo=UTC) + timedelta(days=seq - 2)
    return {
        "ingest_seq": seq, "source": f"{NAMESPACE}_{target}", "target": target, "ingested_at": at, "files": 1, "read": loaded,
        "loaded": loaded, "duplicates": 0, "quarantined": 0, "retracted": 0, "ambiguous_times": 0, "nonexistent_times": 0,
        "min_event_date": first, "max_event_date": last, "mapping_hash": shop.name,
    }  # fmt: skip


def add_shop_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what the data are like."""
    parser.add_argument("--days", type=int, default=365, help="days of history")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--affinity", action=argparse.BooleanOptionalAction, default=True, help="users are mostly in three categories")
    parser.add_argument("--skew", action="store_true", help="one account has 5%% of all events, one category half of them")
    parser.add_argument("--out", type=Path, default=ROOT / "lake" / "bench", help="folder for all data sets")


def shop_of(options: argparse.Namespace, events: int) -> Shop:
    """The data set that options ask for."""
    return replace(Shop(events), days=options.days, seed=options.seed, affinity=options.affinity, skew=options.skew)


def main() -> None:
    """Write one data set and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--memory", default="4g", help="heap of Spark's driver")
    add_shop_options(parser)
    options = parser.parse_args()
    shop, begun = shop_of(options, options.events), time.perf_counter()
    make(shop, options.out.absolute() / shop.name, options.memory)
    seconds = time.perf_counter() - begun
    print(f"{shop.events_a_day * shop.days:,} events of {shop.users:,} users until {AS_OF} in {seconds:,.0f} s: {options.out / shop.name}")


if __name__ == "__main__":
    main()
