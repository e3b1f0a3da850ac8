"""A feed's rows as canonical events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.schema import EVENT_TYPES, EVENTS, MONEY
from persona_spark.sources.moments import instant
from persona_spark.sources.values import (
    Value,
    attributes,
    evaluate,
    expressions_of,
    identifier,
    mapped,
    money,
    native_id,
    stated_text,
    whole,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

    from persona_spark.config.load import Conf
    from persona_spark.config.sources import SourceSpec

AMBIGUOUS = "persona__ambiguous"
NONEXISTENT = "persona__nonexistent"
_ID_LENGTH = 32
_TYPES = {**EVENTS.types, AMBIGUOUS: "boolean", NONEXISTENT: "boolean"}
_SEPARATOR = "\x1f"


def canonical_events(rows: DataFrame, spec: SourceSpec, conf: Conf, ingested_at: datetime) -> DataFrame:
    """Map a feed's rows to events.

    Args:
        rows: what `read_feed` gave.
        spec: the mapping.
        conf: the configuration, for zone, currency and limits.
        ingested_at: the time the ingest runs at; later events are refused.

    Returns:
        The columns of `events` without `id_hash` and `ingest_seq`, and `PATH`, `FILE_TIME`, `RAW`, `REASONS`, `AMBIGUOUS`, `NONEXISTENT`.
    """
    said = evaluate(spec, rows, _expressions(spec))
    values = _values(said, spec, conf, ingested_at)
    return _own_orders(mapped(said, values, _TYPES), spec)


def derived_id(parts: list[Column]) -> Column:
    """Hash of what identifies an event: 32 hexadecimal digits; null parts count as such."""
    joined = F.concat_ws(_SEPARATOR, *(F.coalesce(part, F.lit("\0")) for part in parts))
    return F.left(F.sha2(joined, 256), F.lit(_ID_LENGTH))


def id_hash() -> Column:
    """The column `id_hash` of events: what their ids are looked up by, a quarter of the bytes of derived ones."""
    return F.xxhash64("event_id").alias("id_hash")


def _expressions(spec: SourceSpec) -> dict[str, str]:
    expressions = expressions_of(spec)
    if spec.time:
        expressions["time"] = spec.time.source
    if spec.event_type and spec.event_type.source:
        expressions["event_type"] = spec.event_type.source
    parts = (spec.event_id,) if isinstance(spec.event_id, str) else spec.event_id or ()
    return expressions | {f"event_id {index}": part for index, part in enumerate(parts)}


def _values(said: DataFrame, spec: SourceSpec, conf: Conf, ingested_at: datetime) -> dict[str, Value]:
    stated = spec.fields_.stated()
    words = partial(stated_text, said)
    event_type = _event_type(spec, words("event_type"))
    values = {
        "event_id": _event_id(spec, words, event_type.column),
        "namespace": Value(F.lit(spec.namespace)),
        "source": Value(F.lit(spec.source)),
        "platform": Value(F.coalesce(words("platform"), F.lit(spec.namespace))),
        **_times(said, spec, conf, ingested_at),
        "account_id": identifier(spec, "account", words("account_id")),
        "event_type": event_type,
        **{name: Value(native_id(spec.namespace, words(name))) for name in ("item_id", "order_id", "session_id")},
        **{name: Value(words(name)) for name in ("channel", "category", "brand", "promotion_id", "content_type", "text")},
        **_amounts(said, spec, conf),
        "quantity": Value(F.lit(None)),
        "dwell_seconds": Value(F.lit(None)),
        "rating": Value(F.lit(None)),
        "attributes": Value(attributes(spec.fields_, said)),
    }
    for name, bounds, cut in (("quantity", None, False), ("dwell_seconds", None, True), ("rating", (1, 5), False)):
        if name in stated:
            values[name] = whole(name, F.col(name), said.schema[name].dataType, bounds=bounds, cut=cut)
    return values


def _event_type(spec: SourceSpec, word: Column) -> Value:
    types = spec.event_type
    if types is None or types.value is not None:
        return Value(F.lit(types.value if types else None))
    if types.map:
        pairs = [F.lit(part) for pair in sorted(types.map.items()) for part in pair]
        known = F.try_element_at(F.create_map(*pairs), word)
    else:
        known = F.when(word.isin(*EVENT_TYPES), word)
    unknown = F.concat(F.lit("unknown type: "), F.coalesce(F.left(word, F.lit(100)), F.lit("(none)")))
    return Value(known, (F.when(known.isNull(), unknown),))


def _event_id(spec: SourceSpec, words: Callable[[str], Column], event_type: Column) -> Value:
    if isinstance(spec.event_id, str):
        given = words("event_id 0")
        return Value(given, (F.when(given.isNull(), F.lit("missing event id")),))
    return Value(derived_id([event_type, *(words(f"event_id {index}") for index in range(len(spec.event_id or ())))]))


def _times(said: DataFrame, spec: SourceSpec, conf: Conf, ingested_at: datetime) -> dict[str, Value]:
    lake_zone = conf.main.lake.zone
    moment = instant(F.col("time"), said.schema["time"].dataType, spec, lake_zone)
    local = F.from_utc_timestamp(moment.time, lake_zone)
    earliest = conf.main.ingest.earliest_date
    reasons = (
        F.when(moment.time.isNull(), F.lit("unparsable time")),
        F.when(moment.time > at(ingested_at), F.lit("time later than the ingest")),
        F.when(local.cast("date") < F.lit(earliest), F.lit(f"time before {earliest}")),
    )
    return {
        "event_time": Value(moment.time, reasons),
        "event_date": Value(local.cast("date")),
        "event_month": Value(F.trunc(local.cast("date"), "month")),
        "event_hour": Value(F.hour(F.from_utc_timestamp(moment.time, spec.zone or lake_zone))),
        AMBIGUOUS: Value(moment.ambiguous),
        NONEXISTENT: Value(moment.nonexistent),
    }


def at(time: datetime) -> Column:
    """A literal instant."""
    return F.lit(time.isoformat()).cast("timestamp")


def _amounts(said: DataFrame, spec: SourceSpec, conf: Conf) -> dict[str, Value]:
    nothing = Value(F.lit(None).cast(MONEY))
    values = dict.fromkeys(("amount", "amount_original", "discount", "price"), nothing)
    values["currency"] = Value(F.lit(None).cast("string"))
    for name in ("amount", "discount", "price"):
        if name in said.columns:
            values[name], original = money(name, F.col(name), said.schema[name].dataType, spec.rate, conf.main.ingest.largest_amount)
            if name == "amount":
                currency = spec.money.currency if spec.money else conf.main.lake.currency
                values |= {"amount_original": Value(original), "currency": Value(F.when(original.isNotNull(), F.lit(currency)))}
    return values


def _own_orders(mapped: DataFrame, spec: SourceSpec) -> DataFrame:
    """A payment whose feed knows no orders is an order of its own."""
    alone = (F.col("event_type") == "pay") & F.col("order_id").isNull()
    return mapped.withColumn("order_id", F.when(alone, native_id(spec.namespace, F.col("event_id"))).otherwise(F.col("order_id")))
