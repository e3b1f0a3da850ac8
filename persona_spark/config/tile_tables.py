"""The contracts of the tables whose columns follow from conf/features.yaml: tiles and `user_features`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from persona_spark.config.features_columns import preferred, stored_measure, stored_windowed
from persona_spark.schema import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.features import FeaturesSpec

_ACCOUNT = Column("account_id", "string", "The account.", nullable=False)
_DATE = Column("event_date", "date", "Local date in the lake's zone.", nullable=False)
_MONTH = Column("event_month", "date", "First day of event_date's month; the partition.", nullable=False)
_LAST_SEQ = Column("ingest_seq", "bigint", "The last ingest that brought an event of the tile.", nullable=False)


def account_day_table(spec: FeaturesSpec) -> Table:
    """What an account did on a local day: sums of bigint, money in minor units."""
    measures = (
        Column(stored_measure(spec, name), "bigint", f"{measure.label.en} ({'minor units' if measure.unit == 'money' else measure.unit}).")
        for name, measure in spec.measures.items()
        if measure.in_day_tile
    )
    columns = (_ACCOUNT, _DATE, _MONTH, *measures, _LAST_SEQ)
    comment = "What an account did on a local day, whatever as_of; sums that add up over days and accounts."
    return Table("account_day", comment, columns, ("account_id", "event_date"), ("event_month",))


def account_order_table(spec: FeaturesSpec) -> Table:
    """One order of an account with its first days."""
    return _first_days(spec, "orders", "order")


def account_session_table(spec: FeaturesSpec) -> Table:
    """One session of an account with its first day."""
    return _first_days(spec, "sessions", "session")


def _first_days(spec: FeaturesSpec, kind: Literal["orders", "sessions"], word: str) -> Table:
    key = Column(f"{word}_id", "string", f"The {word}.", nullable=False)
    dates = (
        Column(measure.dated_by, "date", f"{measure.label.en}: the local date on which this one counts; null when it does not.")
        for measure in spec.measures.values()
        if measure.distinct == kind
    )
    comment = f"The first days of {word}s, one row an account and {word}, whatever as_of."
    return Table(f"account_{word}", comment, (_ACCOUNT, key, *dates, _LAST_SEQ), ("account_id", key.name))


ACCOUNT_DAY_KEY = Table(
    "account_day_key",
    "Weights of the keys that preferences count, one row an account, local day, dimension and key, whatever as_of.",
    (
        _ACCOUNT,
        _DATE,
        _MONTH,
        Column("dimension", "string", "Name of the preference in conf/features.yaml.", nullable=False),
        Column("key", "string", "Category, brand, hour band, ...", nullable=False),
        Column("weight", "bigint", "Sum of the events' weights; below zero after returns, never zero.", nullable=False),
        _LAST_SEQ,
    ),
    key=("account_id", "event_date", "dimension", "key"),
    partition_by=("event_month",),
)


def user_features_table(spec: FeaturesSpec) -> Table:
    """Features of users in raw form: money in minor units, dates as dates, weights as integers."""
    columns = (
        Column("as_of", "date", "The day the row describes: events before it count.", nullable=False),
        Column("user_id", "string", "The user.", nullable=False),
        Column("account_ids", "array<string>", "The user's accounts, sorted."),
        *(Column(name, attribute.type, f"{attribute.label.en}, as stated.") for name, attribute in spec.attributes.items()),
        *(Column(name, "date", f"{date.label.en}; null if never.") for name, date in spec.dates.items()),
        *(Column(name, "double", f"{gap.label.en}; null below two dates.") for name, gap in spec.gaps.items()),
        *_measures(spec),
        *_preferences(spec),
        Column("ingest_seq", "bigint", "What was known: the last ingest that was used."),
        Column("definition", "string", "Hash of the definitions by which the row was computed."),
    )
    comment = "Features of every user, one row a user and as_of, in raw form: money in minor units, days as dates."
    return Table("user_features", comment, columns, ("as_of", "user_id"), ("as_of",))


def _measures(spec: FeaturesSpec) -> Iterator[Column]:
    for name, measure in spec.measures.items():
        unit = "minor units" if measure.unit == "money" else measure.unit
        for window in spec.parsed_windows:
            yield Column(stored_windowed(spec, name, window), "bigint", f"{measure.label.en}, {window.label} ({unit}).")


def _preferences(spec: FeaturesSpec) -> Iterator[Column]:
    for name, preference in spec.preferences.items():
        yield Column(preferred(name), "string", f"{preference.label.en}; null without a positive weight.")
        yield Column(f"{preferred(name)}_weight", "bigint", "Its decayed weight.")
        yield Column(f"{preferred(name)}_total", "bigint", "Sum of all positive decayed weights.")
