"""The contracts of the tables whose columns follow from conf/features.yaml: tiles and `user_features`.

A tile row is a part: what the events that some ingests brought add to an account's day. Parts of one day are put together when
they are read, so a late event adds a row and rewrites none.
"""

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
_LAST_SEQ = Column("ingest_seq", "bigint", "The last ingest that brought or took back an event of the part.", nullable=False)
_FIRST_SEQ = Column("first_seq", "bigint", "The first ingest that brought an event of the part.", nullable=False)
_HEAD = (_ACCOUNT, _DATE, _MONTH)

ACCOUNT_DAY_HEAD = Table(
    "account_day",
    "What all parts of account-days have, whatever the definitions.",
    (*_HEAD, _FIRST_SEQ, _LAST_SEQ),
    ("account_id", "event_date", "ingest_seq"),
    ("event_month",),
)


def account_day_table(spec: FeaturesSpec) -> Table:
    """What an account did on a local day: sums of bigint, money in minor units."""
    measures = (
        Column(stored_measure(spec, name), "bigint", f"{measure.label.en} ({'minor units' if measure.unit == 'money' else measure.unit}).")
        for name, measure in spec.measures.items()
        if measure.in_day_tile
    )
    comment = "What an account did on a local day, whatever as_of, in parts; sums that add up over parts, days and accounts."
    return _tile("account_day", comment, (), (*measures, _FIRST_SEQ))


def account_order_table(spec: FeaturesSpec) -> Table:
    """What an account did of an order on a local day: whether the order counts from that day on."""
    return _counted(spec, "orders", "order")


def account_session_table(spec: FeaturesSpec) -> Table:
    """What an account did of a session on a local day: whether the session counts from that day on."""
    return _counted(spec, "sessions", "session")


def _counted(spec: FeaturesSpec, kind: Literal["orders", "sessions"], word: str) -> Table:
    key = Column(f"{word}_id", "string", f"The {word}.", nullable=False)
    flags = (
        Column(name, "boolean", f"{measure.label.en}: whether an event of the day makes the {word} count.", nullable=False)
        for name, measure in spec.measures.items()
        if measure.distinct == kind
    )
    comment = f"Days on which events make {word}s count, in parts of an account, local day and {word}, whatever as_of."
    return _tile(f"account_{word}", comment, (key,), tuple(flags))


def _tile(name: str, comment: str, key: tuple[Column, ...], values: tuple[Column, ...]) -> Table:
    columns = (*_HEAD, *key, *values, _LAST_SEQ)
    names = ("account_id", "event_date", *(column.name for column in key), "ingest_seq")
    return Table(name, comment, columns, names, ("event_month",), deletion_vectors=True)


ACCOUNT_DAY_KEY = _tile(
    "account_day_key",
    "Weights of the keys that preferences count, in parts of an account, local day, dimension and key, whatever as_of.",
    (
        Column("dimension", "string", "Name of the preference in conf/features.yaml.", nullable=False),
        Column("key", "string", "Category, brand, hour band, ...", nullable=False),
    ),
    (Column("weight", "bigint", "Sum of the events' weights; below zero after returns, never zero.", nullable=False),),
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
        Column("code", "string", "Hash of the code by which the row was computed."),
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
