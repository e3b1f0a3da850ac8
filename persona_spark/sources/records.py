"""A feed's rows as versions of accounts and items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import DateType, StringType, TimestampNTZType, TimestampType

from persona_spark.errors import FeedError
from persona_spark.schema import ACCOUNTS, ITEMS, MONEY
from persona_spark.sources.events import at
from persona_spark.sources.moments import instant
from persona_spark.sources.personal import hashed_keys
from persona_spark.sources.values import (
    Value,
    attributes,
    evaluate,
    expressions_of,
    identifier,
    mapped,
    money,
    stated_text,
)  # fmt: skip

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.config.sources import SourceSpec

_HASHED = "persona__hashed_keys"


def canonical_accounts(rows: DataFrame, spec: SourceSpec, conf: Conf, ingested_at: datetime) -> DataFrame:
    """Map a feed's rows to versions of accounts.

    A version holds from `valid_from`; without one from the local day of registration; without that it always held.

    Returns:
        The columns of `accounts` without `ingest_seq`, and `PATH`, `FILE_TIME`, `RAW`, `REASONS`.
    """
    expressions = expressions_of(spec) | ({"time": spec.time.source} if spec.time else {})
    expressions |= {_link(index): link for index, link in enumerate(spec.links)}
    said = evaluate(spec, rows, expressions, [hashed_keys(spec).alias(_HASHED)])
    registered = _registered(said, spec, conf, ingested_at)
    stated = _date(said, spec)
    day = F.from_utc_timestamp(registered.column, conf.main.lake.zone).cast("date")
    values = {
        "account_id": identifier(spec, "account", stated_text(said, "account_id")),
        "namespace": Value(F.lit(spec.namespace)),
        "source": Value(F.lit(spec.source)),
        "platform": Value(F.coalesce(stated_text(said, "platform"), F.lit(spec.namespace))),
        "registered_at": registered,
        "valid_from": Value(F.coalesce(stated.column, day, F.lit(conf.main.ingest.earliest_date)), stated.reasons),
        "link_keys": Value(_link_keys(said, spec)),
        "attributes": Value(attributes(spec.fields_, said)),
    }
    return mapped(said, values, ACCOUNTS.types)


def canonical_items(rows: DataFrame, spec: SourceSpec, conf: Conf, _ingested_at: datetime) -> DataFrame:
    """Map a feed's rows to versions of items.

    Returns:
        The columns of `items` without `ingest_seq`, and `PATH`, `FILE_TIME`, `RAW`, `REASONS`.
    """
    said = evaluate(spec, rows, expressions_of(spec))
    price = Value(F.lit(None).cast(MONEY))
    if "price" in said.columns:
        price, _ = money("price", F.col("price"), said.schema["price"].dataType, spec.rate, conf.main.ingest.largest_amount)
    values = {
        "item_id": identifier(spec, "item", stated_text(said, "item_id")),
        "namespace": Value(F.lit(spec.namespace)),
        "source": Value(F.lit(spec.source)),
        **{name: Value(stated_text(said, name)) for name in ("category", "brand", "name")},
        "price": price,
        "attributes": Value(attributes(spec.fields_, said)),
    }
    return mapped(said, values, ITEMS.types)


def _link(index: int) -> str:
    return f"link {index}"


def _link_keys(said: DataFrame, spec: SourceSpec) -> Column:
    """Keyed hashes of personal columns and the plain values of links, sorted, each once, without nulls."""
    plain = [stated_text(said, _link(index)) for index in range(len(spec.links))]
    every = F.concat(F.col(_HASHED), F.array(*plain)) if plain else F.col(_HASHED)
    return F.array_sort(F.array_distinct(F.array_compact(every)))


def _registered(said: DataFrame, spec: SourceSpec, conf: Conf, ingested_at: datetime) -> Value:
    if spec.time is None:
        return Value(F.lit(None).cast("timestamp"))
    moment = instant(F.col("time"), said.schema["time"].dataType, spec, conf.main.lake.zone)
    unparsable = stated_text(said, "time").isNotNull() & moment.time.isNull()
    reasons = (
        F.when(unparsable, F.lit("unparsable time")),
        F.when(moment.time > at(ingested_at), F.lit("time later than the ingest")),
    )
    return Value(moment.time, reasons)


def _date(said: DataFrame, spec: SourceSpec) -> Value:
    if "valid_from" not in said.columns:
        return Value(F.lit(None).cast("date"))
    type_ = said.schema["valid_from"].dataType
    if not isinstance(type_, DateType | StringType | TimestampType | TimestampNTZType):
        raise FeedError(f"feed {spec.source}: set.valid_from is {type_.simpleString()}: it must be a date, or text such as 2024-01-31")
    value = stated_text(said, "valid_from") if isinstance(type_, StringType) else F.col("valid_from")
    date = value.try_cast("date")
    return Value(date, (F.when(value.isNotNull() & date.isNull(), F.lit("unparsable valid_from")),))
