"""The features' SQL for DuckDB, one builder a kind of feature.

Each builder takes the definitions and gives a `Query`: a statement whose result has the user's number `u` and columns that are
named as in `user_features`. What no builder gives is not compared, and is named in the report. The views and tables that the
statements read are those of `peer.py`: `events` (of users `u` before as_of), `days` (a row a user and day), `versions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peer_sql import band_of, bands, condition, duckdb_sql, hour_band, in_window, quoted

from persona_spark.config.features_columns import preferred, stored_measure, stored_windowed
from persona_spark.features.preferences import decay_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from persona_spark.config.base import Strict
    from persona_spark.config.features import FeaturesSpec, Measure, Preference

_ABOUT = {"label", "owner", "null_when", "personal", "unit"}
_KNOWN = {
    "measures": {"count", "sum", "distinct", "where"},
    "dates": {"first", "last"},
    "gaps": {"between"},
    "preferences": {"key", "weights", "half_life_days", "half_lives"},
    "attributes": {"type", "key", "expr"},
}
_DISTINCT = {"days": "days", "orders": "order_id", "sessions": "session_id"}


@dataclass(frozen=True)
class Query:
    """One statement.

    Attributes:
        name: of the table that is made of it.
        sql: the statement.
        columns: what it gives beside `u`.
        zero: columns that are 0, not null, of a user who is not in it.
    """

    name: str
    sql: str
    columns: tuple[str, ...]
    zero: bool = False


def understood(group: str, entry: Strict) -> bool:
    """Whether the peer knows everything that a definition says; one that says more is not compared."""
    return entry.model_fields_set <= _KNOWN[group] | _ABOUT


def known_measures(spec: FeaturesSpec) -> dict[str, Measure]:
    """Measures of the kinds that are computed here."""
    return {
        name: measure
        for name, measure in spec.measures.items()
        if understood("measures", measure) and (measure.count or measure.sum or measure.distinct in _DISTINCT)
    }


def user_days(spec: FeaturesSpec) -> str:
    """A row a user and day with all that adds up, and flags of the days that count."""
    columns = [f"{_of_day(measure)} AS {quoted(stored_measure(spec, name))}" for name, measure in _in_days(spec).items()]
    return f"SELECT u, event_date, {', '.join([*columns, 'count(*) AS any_event'])} FROM events GROUP BY u, event_date"


def _in_days(spec: FeaturesSpec) -> dict[str, Measure]:
    return {name: measure for name, measure in known_measures(spec).items() if measure.in_day_tile}


def _of_day(measure: Measure) -> str:
    where = f" FILTER (WHERE {condition(measure.where)})" if measure.where else ""
    if measure.distinct:
        return f"least(count(*){where}, 1)"
    if measure.sum is None:
        return f"count(*){where}"
    value = duckdb_sql(measure.sum)
    exact = f"CAST(TRY_CAST(({value}) AS DECIMAL(18, 2)) * 100 AS BIGINT)" if measure.unit == "money" else f"TRY_CAST(({value}) AS BIGINT)"
    return f"coalesce(sum({exact}){where}, 0)::BIGINT"


def windows(spec: FeaturesSpec, as_of: date) -> Query:
    """What adds up over days, and days that count, in every window: days are summed in bands between windows' edges first."""
    names = {name: stored_measure(spec, name) for name in _in_days(spec)}
    edges = bands(spec.parsed_windows)
    sums = ", ".join(f"sum({quoted(name)})::BIGINT AS {quoted(name)}" for name in names.values())
    banded = f"SELECT u, {band_of(edges, 'event_date', as_of)} AS band, {sums} FROM days GROUP BY u, band"
    totals = {
        stored_windowed(spec, name, window): f"sum({quoted(stored)}) FILTER (WHERE {in_window(edges, window)})"
        for name, stored in names.items()
        for window in spec.parsed_windows
    }
    columns = ", ".join(f"coalesce({total}, 0)::BIGINT AS {quoted(column)}" for column, total in totals.items())
    return Query("windows", f"WITH banded AS ({banded}) SELECT u, {columns} FROM banded GROUP BY u", tuple(totals), zero=True)


def firsts(spec: FeaturesSpec, kind: str) -> str:
    """Orders or sessions of a user, each with the first day on which it counts under each measure."""
    key, mine = _DISTINCT[kind], _counted(spec, kind)
    dates = ", ".join(f"min(event_date) FILTER (WHERE {condition(measure.where)}) AS {quoted(name)}" for name, measure in mine.items())
    any_of = " OR ".join(f"({condition(measure.where)})" for measure in mine.values())
    return f"SELECT u, {dates} FROM events WHERE {key} IS NOT NULL AND ({any_of}) GROUP BY u, {key}"


def _counted(spec: FeaturesSpec, kind: str) -> dict[str, Measure]:
    return {name: measure for name, measure in known_measures(spec).items() if measure.distinct == kind}


def counted(spec: FeaturesSpec, kind: str, as_of: date) -> Query:
    """How many orders or sessions counted in each window."""
    edges = bands(spec.parsed_windows)
    totals = {
        stored_windowed(spec, name, window): (
            f"count(*) FILTER (WHERE {quoted(name)} IS NOT NULL AND {in_window(edges, window, quoted(f'band_{name}'))})"
        )
        for name in _counted(spec, kind)
        for window in spec.parsed_windows
    }
    placed = ", ".join(f"{band_of(edges, quoted(name), as_of)} AS {quoted(f'band_{name}')}" for name in _counted(spec, kind))
    columns = ", ".join(f"{total} AS {quoted(column)}" for column, total in totals.items())
    sql = f"SELECT u, {columns} FROM (SELECT *, {placed} FROM firsts_{kind}) GROUP BY u"
    return Query(f"counted_{kind}", sql, tuple(totals), zero=True)


def dates_and_gaps(spec: FeaturesSpec, measure: str) -> Query | None:
    """First and last day on which a distinct measure counted, and the mean gap; None when no feature asks for them."""
    columns = {
        name: "min(day)" if date.first else "max(day)"
        for name, date in spec.dates.items()
        if understood("dates", date) and measure in {date.first, date.last}
    }
    mean = "CASE WHEN count(*) > 1 THEN CAST(max(day) - min(day) AS DOUBLE) / (count(*) - 1) END"
    columns |= {name: mean for name, gap in spec.gaps.items() if understood("gaps", gap) and gap.between == measure}
    if not columns:
        return None
    kind = spec.measures[measure].distinct
    source = (
        f"SELECT u, event_date AS day FROM days WHERE {quoted(measure)} > 0"
        if kind == "days"
        else f"SELECT DISTINCT u, {quoted(measure)} AS day FROM firsts_{kind} WHERE day IS NOT NULL"
    )
    selected = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return Query(f"dates_{measure}", f"SELECT u, {selected} FROM ({source}) GROUP BY u", tuple(columns))


def preference(spec: FeaturesSpec, name: str, entry: Preference) -> Query:
    """The key with the largest decayed weight, its weight, and the sum of all positive weights."""
    cases = " ".join(f"WHEN '{kind}' THEN {weight}" for kind, weight in entry.weights.items())
    kinds = ", ".join(f"'{kind}'" for kind, weight in entry.weights.items() if weight)
    factors = "[" + ", ".join(map(str, decay_table(entry))) + "]"
    key = f"CAST(({duckdb_sql(entry.key, {'hour_band': hour_band(spec)})}) AS VARCHAR)"
    daily = f"""SELECT u, event_date, {key} AS key, sum(CASE event_type {cases} END)::BIGINT AS weight
        FROM events WHERE event_type IN ({kinds}) GROUP BY u, event_date, key"""
    decayed = f"""SELECT u, key, sum(weight * coalesce(CAST({factors} AS BIGINT[])[last_event - event_date + 1], 0))::BIGINT AS weight
        FROM daily JOIN last_events USING (u) WHERE key IS NOT NULL GROUP BY u, key HAVING weight > 0"""
    # The smallest of (-weight, key): the largest weight, and of several keys with it the smallest.
    best = "SELECT u, min({'minus': -weight, 'key': key}) AS best, sum(weight)::BIGINT AS total FROM decayed GROUP BY u"
    names = (preferred(name), f"{preferred(name)}_weight", f"{preferred(name)}_total")
    selected = f"best.key AS {names[0]}, -best.minus AS {names[1]}, total AS {names[2]}"
    sql = f"WITH daily AS ({daily}), decayed AS ({decayed}), best AS ({best}) SELECT u, {selected} FROM best"
    return Query(f"preference_{name}", sql, names)


def attributes(spec: FeaturesSpec, as_of: date, zone: str) -> Query | None:
    """The last value that a user's accounts state; the day of registration is the earliest of the accounts'."""
    known = {name: entry for name, entry in spec.attributes.items() if understood("attributes", entry)}
    columns, registered = {}, ""
    for name, entry in known.items():
        if entry.key == "registered_at":
            registered = name
            columns[name] = f"min(registered) FILTER (WHERE registered < DATE '{as_of}')"
            continue
        text = f"nullif(trim(attributes['{entry.key or name}']), '')"
        value = f"TRY_CAST({text} AS {duckdb_type(entry.type)})"
        columns[name] = f"arg_max({value}, (valid_from, ingest_seq, account_id)) FILTER (WHERE {value} IS NOT NULL)"
    if not columns:
        return None
    day = f"CAST(timezone('{zone}', registered_at) AS DATE)"
    last = f"arg_max({day}, (valid_from, ingest_seq)) FILTER (WHERE registered_at IS NOT NULL) OVER (PARTITION BY account_id)"
    source = f"SELECT *, {last} AS registered FROM versions" if registered else "SELECT * FROM versions"
    selected = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return Query("attributes", f"SELECT u, {selected} FROM ({source}) GROUP BY u", tuple(columns))


def duckdb_type(kind: str) -> str:
    """DuckDB's word for an attribute's type."""
    return {"string": "VARCHAR", "int": "INTEGER"}.get(kind, kind.upper())


MORE: tuple[Callable[[FeaturesSpec, date], Query | None], ...] = ()
"""Builders of further kinds of feature; what they give is joined and compared like the rest."""
