"""The contracts of the tables whose columns follow from conf/features.yaml: tiles and `user_features`.

A tile row is a part: what the events that some ingests brought add to an account's day. Parts of one day are put together when
they are read, so a late event adds a row and rewrites none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from persona_spark.config.features_columns import top, touch
from persona_spark.config.features_parts import (
    dates_column,
    events_column,
    families,
    gaps_within,
    groups,
    id_column,
    key_columns,
    parts,
    preference_columns,
    span_columns,
    stored_measure,
    sums_columns,
    touch_columns,
    touched,
    value_column,
    weighings,
    weight_column,
)
from persona_spark.schema import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.features import FeaturesSpec

_ACCOUNT = Column("account_id", "string", "The account.", nullable=False)
_DATE = Column("event_date", "date", "Local date in the lake's zone.", nullable=False)
_MONTH = Column("event_month", "date", "First day of event_date's month; the partition.", nullable=False)
_LAST_SEQ = Column("ingest_seq", "bigint", "The last ingest that brought or took back an event of the part.", nullable=False)
_FIRST_SEQ = Column("first_seq", "bigint", "The first ingest that brought an event of the part.", nullable=False)
_HEAD = (_ACCOUNT, _DATE, _MONTH, _LAST_SEQ)

ACCOUNT_DAY_HEAD = Table(
    "account_day",
    "What all parts of account-days have, whatever the definitions.",
    (*_HEAD, _FIRST_SEQ),
    ("account_id", "event_date", "ingest_seq"),
    ("event_month",),
)


def account_day_table(spec: FeaturesSpec) -> Table:
    """Sums of an account's local day; a measure of days counts the events of the day that make it one."""
    measures = (
        Column(stored_measure(spec, name), "bigint", f"{measure.label.en} ({measure.unit}).", nullable=False)
        for name, measure in spec.measures.items()
        if measure.kind == "days"
    )
    comment = "What an account did on a local day, whatever as_of, in parts; sums that add up over parts, days and accounts."
    return _tile("account_day", comment, (*_HEAD, _FIRST_SEQ, *measures), ("account_id", "event_date", "ingest_seq"))


def account_order_table(spec: FeaturesSpec) -> Table:
    """What an account did of an order on a local day: whether the order counts from that day on, and what it adds to it."""
    return _counted(spec, "orders", "order")


def account_session_table(spec: FeaturesSpec) -> Table:
    """What an account did of a session on a local day: whether the session counts from that day on, and its times."""
    return _counted(spec, "sessions", "session")


def _counted(spec: FeaturesSpec, kind: Literal["orders", "sessions"], word: str) -> Table:
    key = Column(id_column(kind), "string", f"The {word}.", nullable=False)
    columns = []
    for group in groups(spec, kind):
        columns.append(Column(group.flag, "boolean", f"Whether an event of the day makes the {word} count.", nullable=False))
        for name in group.measures:
            measure = spec.measures[name]
            if measure.take == "span":
                columns += [
                    Column(column, "bigint", f"{measure.label.en}: {which} event that meets the condition, seconds since 1970.")
                    for column, which in zip(span_columns(name), ("first", "last"), strict=True)
                ]
            elif measure.take is not None and value_column(spec, name) not in [column.name for column in columns]:
                columns.append(Column(value_column(spec, name), "bigint", f"{measure.label.en}: what the day adds.", nullable=False))
    comment = f"Days on which events make {word}s count, in parts of an account, local day and {word}, whatever as_of."
    names = ("account_id", "event_date", key.name, "ingest_seq")
    return _tile(f"account_{word}", comment, (*_HEAD, key, *columns), names)


def account_key_table(spec: FeaturesSpec, family: str) -> Table:
    """What an account did on a local day with each combination of the keys of a family of preferences."""
    keys = tuple(
        Column(name, "string", f"Key of {spec.preferences[name].label.en}; null without one.") for name in key_columns(spec, family)
    )
    values: list[Column] = []
    for name in weighings(spec, family):
        label = spec.preferences[name].label.en
        values.append(Column(events_column(name), "bigint", f"{label}: events that count.", nullable=False))
        weight = weight_column(spec, name)
        if weight != values[-1].name:
            values.append(Column(weight, "bigint", f"{label}: sum of the events' weights.", nullable=False))
        if touched(spec, name):
            seconds = "event that counts, seconds from 00:00 UTC of event_date; null without one."
            values += [
                Column(column, "int", f"{label}: {which} {seconds}")
                for which, column in zip(("first", "last"), touch_columns(name), strict=True)
            ]
    values += [
        Column(dates_column(gap), "bigint", f"{spec.gaps[gap].label.en}: events that make it a date.", nullable=False)
        for gap in gaps_within(spec, family)
    ]
    comment = f"What an account did on a local day with the keys of {family}, in parts, whatever as_of."
    head = ("account_id", "event_date", *(column.name for column in keys), "ingest_seq")
    columns = (*_HEAD, *keys, *values)
    return replace(_tile(f"account_{family}_key", comment, columns, head), null_keys=True)


def account_key_tables(spec: FeaturesSpec) -> tuple[Table, ...]:
    """The tiles of all families of preferences."""
    return tuple(account_key_table(spec, family) for family in families(spec))


def tile_tables(spec: FeaturesSpec) -> tuple[Table, ...]:
    """The tables of tiles."""
    return (account_day_table(spec), account_order_table(spec), account_session_table(spec), *account_key_tables(spec))


def _tile(name: str, comment: str, columns: tuple[Column, ...], key: tuple[str, ...]) -> Table:
    chosen_by = ("account_id", "event_date", "ingest_seq")
    return Table(name, comment, columns, key, ("event_month",), deletion_vectors=True, ranges=chosen_by, as_is=True)


def user_features_table(spec: FeaturesSpec) -> Table:
    """One row a user and as_of, everything in the form that adds up: minor units, dates, weights."""
    columns = (
        Column("as_of", "date", "Events before this day count.", nullable=False),
        Column("user_id", "string", "The user.", nullable=False),
        Column("account_ids", "array<string>", "The user's accounts, sorted.", nullable=False),
        *(Column(name, item.type, f"{item.label.en}, as stated.") for name, item in spec.attributes.items()),
        *(Column(name, "date", f"{date.label.en}; null if never.") for name, date in spec.dates.items()),
        *_gaps(spec),
        *(Column(name, "bigint", f"{streak.label.en} (days).") for name, streak in spec.streaks.items()),
        *_windows(spec),
        *_preferences(spec),
        Column("ingest_seq", "bigint", "What was known: the last ingest that was used."),
        Column("definition", "string", "Hash of the definitions by which the row was computed."),
        Column("code", "string", "Hash of the code by which the row was computed."),
    )
    comment = "Features of every user, one row a user and as_of, in raw form: money in minor units, days as dates."
    return Table("user_features", comment, columns, ("as_of", "user_id"), ("as_of",), ranges=("user_id",), as_is=True)


def _gaps(spec: FeaturesSpec) -> Iterator[Column]:
    for name, gap in spec.gaps.items():
        number, total, squares = sums_columns(name)
        yield Column(number, "bigint", f"{gap.label.en}: number of gaps.")
        yield Column(total, "bigint", f"{gap.label.en}: their sum (days).")
        yield Column(squares, "bigint", f"{gap.label.en}: sum of their squares.")


def _windows(spec: FeaturesSpec) -> Iterator[Column]:
    for name, measure in spec.measures.items():
        unit = "minor units" if measure.unit == "money" else measure.unit
        for window in spec.windows_of(name):
            for part in parts(spec, name):
                yield Column(part.over(window), part.type, f"{measure.label.en}, {window.label} ({unit}).")


def _preferences(spec: FeaturesSpec) -> Iterator[Column]:
    for name, preference in spec.preferences.items():
        label, sums = preference.label.en, preference_columns(name)
        yield Column(top(name), "array<struct<key:string,weight:bigint>>", f"{label}: first keys with their decayed weights.")
        yield Column(sums["total"], "bigint", f"{label}: sum of all positive decayed weights.")
        yield Column(sums["events"], "bigint", f"{label}: events that count, of keys with a positive weight.")
        yield Column(sums["count"], "bigint", f"{label}: keys with a positive weight.")
        yield Column(sums["logs"], "bigint", f"{label}: sum of weight * log2(weight) in thousandths, over keys with a positive weight.")
        if preference.touch:
            yield Column(touch("first", name), "string", f"{label}: key of the first event that counts.")
            yield Column(touch("last", name), "string", f"{label}: key of the last event that counts.")
