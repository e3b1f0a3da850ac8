"""Times as feeds write them, to instants: epochs, ISO text, patterns, naive local times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import DateType, IntegralType, StringType, TimestampNTZType, TimestampType

from persona_spark.errors import FeedError
from persona_spark.sources.feed import stripped

if TYPE_CHECKING:
    from pyspark.sql import Column
    from pyspark.sql.types import DataType

    from persona_spark.config.sources import SourceSpec

_PER_SECOND = {"epoch_seconds": 1, "epoch_millis": 1_000, "epoch_nanos": 1_000_000_000}
_MICROS = 1_000_000
_LATEST = 253_402_300_799_999_999
"""Microseconds up to the end of year 9999, beyond which a count is in another unit than stated."""
_NAIVE = r"^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:[\d:.]+)?$"
_WITH_ZONE = r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:[\d:.]+\s*[A-Za-z+-]"
_HOURS_ALONE = r"(:\d\d(?:\.\d+)?)\s*([+-]\d\d)$"
_ZONE_LETTERS = re.compile(r"[VzOXxZ]")
_SAME_AS_UTC = {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "UCT"}


@dataclass(frozen=True)
class Instant:
    """Columns of a time.

    Attributes:
        time: the instant; null when it could not be understood.
        ambiguous: whether the local time occurs twice; `time` is the earlier.
        nonexistent: whether the local time was skipped; `time` lies as much later.
    """

    time: Column
    ambiguous: Column
    nonexistent: Column


def instant(value: Column, type_: DataType, spec: SourceSpec, default_zone: str) -> Instant:
    """What a time column means.

    Args:
        value: the expression of the mapping.
        type_: its type.
        spec: the mapping, whose `time` says how to read it.
        default_zone: zone of naive times when neither the time nor the source states one.

    Raises:
        FeedError: when the column's type does not fit what the mapping says.
    """
    moment = spec.time
    if moment is None:
        raise ValueError("the mapping has no time")
    zone = moment.zone or ("UTC" if moment.is_epoch else spec.zone or default_zone)
    if moment.is_epoch:
        return localise(_epoch(value, type_, _PER_SECOND[moment.form]), zone)
    if moment.form == "timestamp":
        return _timestamp(value, type_, spec, zone)
    parsed = F.try_to_timestamp(stripped(value.cast("string")), F.lit(moment.form))
    has_zone = _ZONE_LETTERS.search(re.sub(r"'[^']*'", "", moment.form))
    return localise(parsed, "UTC" if has_zone else zone)


def _epoch(value: Column, type_: DataType, per_second: int) -> Column:
    micros = _micros(value.cast("bigint"), per_second) if isinstance(type_, IntegralType) else _micros_of_decimal(value, per_second)
    return F.timestamp_micros(F.when(micros.between(-_LATEST, _LATEST), micros))


def _micros(count: Column, per_second: int) -> Column:
    if per_second <= _MICROS:
        return F.try_multiply(count, F.lit(_MICROS // per_second))
    return F.call_function("div", count, F.lit(per_second // _MICROS))


def _micros_of_decimal(value: Column, per_second: int) -> Column:
    count = stripped(value.cast("string")).try_cast("decimal(28,9)")
    micros = count * F.lit(Decimal(_MICROS) / Decimal(per_second)).cast("decimal(10,3)")
    return F.floor(micros).try_cast("bigint")


def _timestamp(value: Column, type_: DataType, spec: SourceSpec, zone: str) -> Instant:
    if isinstance(type_, TimestampType):
        return localise(value, "UTC")
    if isinstance(type_, TimestampNTZType | DateType):
        return localise(value.cast("timestamp_ntz").cast("timestamp"), zone)
    if not isinstance(type_, StringType):
        raise FeedError(
            f"feed {spec.source}: time.from is {type_.simpleString()} in {spec.files.path}, so it is a count, not a timestamp: "
            "write as: epoch_seconds, epoch_millis or epoch_nanos (pandas writes nanoseconds)"
        )
    # Cast alone, a time without a date would be today's, and the zone of a time read as naive would be dropped.
    text = stripped(value)
    naive = localise(F.when(text.rlike(_NAIVE), text.try_cast("timestamp_ntz").cast("timestamp")), zone)
    with_zone = F.when(text.rlike(_WITH_ZONE), F.regexp_replace(text, _HOURS_ALONE, "$1$2:00").try_cast("timestamp"))
    return Instant(F.coalesce(with_zone, naive.time), naive.ambiguous, naive.nonexistent)


def localise(naive: Column, zone: str) -> Instant:
    """The instant of a local time, which is given as if it were UTC."""
    if zone in _SAME_AS_UTC:
        return Instant(naive, F.expr("false"), F.expr("false"))
    time = F.to_utc_timestamp(naive, zone)
    next_day = F.timestamp_add("DAY", F.lit(1), time)
    offset_after = F.unix_micros(F.from_utc_timestamp(next_day, zone)) - F.unix_micros(next_day)
    later = F.timestamp_micros(F.unix_micros(naive) - offset_after)
    twice = (later > time) & (F.from_utc_timestamp(later, zone) == naive)
    skipped = F.from_utc_timestamp(time, zone) != naive
    return Instant(time, F.coalesce(twice, F.expr("false")), F.coalesce(skipped, F.expr("false")))
