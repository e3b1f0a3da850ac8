"""What follows from single dates of a user: first and last ones, gaps, runs of days; and what the accounts state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peer_query import Query, entries, kind_of, said, selected, wanted
from peer_sql import quoted

if TYPE_CHECKING:
    from datetime import date

    from persona_spark.config.features import FeaturesSpec

_RUN = "SELECT u, day, day - CAST(row_number() OVER (PARTITION BY u ORDER BY day) AS INTEGER) AS run"
_MEAN = "CASE WHEN count(*) > 1 THEN CAST(max(day) - min(day) AS DOUBLE) / (count(*) - 1) END"


def days_of(spec: FeaturesSpec, measure: str) -> str:
    """The dates on which a distinct measure counted: u, day."""
    kind = kind_of(spec.measures[measure])
    if kind == "days":
        return f"SELECT u, event_date AS day FROM days WHERE {quoted(measure)} > 0"
    return f"SELECT DISTINCT u, {quoted(measure)} AS day FROM firsts_{kind} WHERE day IS NOT NULL"


def dates_and_gaps(spec: FeaturesSpec, measure: str) -> Query | None:
    """First and last date, and gaps between the dates; None when no feature asks for them."""
    columns = {
        name: "min(day)" if entry.first else "max(day)"
        for name, entry in entries(spec, "dates").items()
        if measure in {entry.first, entry.last}
    }
    between: dict[str, str] = {}
    for name, entry in entries(spec, "gaps").items():
        if entry.between == measure and said(entry, "within") is None:
            between |= gap_columns(name)
    found = wanted(spec, columns | between)
    if not found:
        return None
    source = with_gaps(days_of(spec, measure)) if between else days_of(spec, measure)
    zero = tuple(name for name in found if name.endswith(("_number", "_sum", "_squares")))
    return Query(f"dates_{measure}", f"SELECT u, {selected(found)} FROM ({source}) GROUP BY u", tuple(found), zero)


def with_gaps(days: str) -> str:
    """Dates with the days from the one before."""
    return f"SELECT u, day, day - lag(day) OVER (PARTITION BY u ORDER BY day) AS gap FROM ({days})"


def gap_columns(name: str) -> dict[str, str]:
    """A gap feature, and the sums that it can be kept as."""
    return {
        name: _MEAN,
        f"{name}_number": "count(gap)",
        f"{name}_sum": "coalesce(sum(gap), 0)::BIGINT",
        f"{name}_squares": "coalesce(sum(gap * gap), 0)::BIGINT",
    }


def streaks(spec: FeaturesSpec, measure: str) -> Query | None:
    """Runs of days on end: the longest, or the last; None when no feature asks for them."""
    how = {"longest": "max(length)", "last": "arg_max(length, run)"}
    columns = {name: how[entry.take] for name, entry in entries(spec, "streaks").items() if entry.of == measure and entry.take in how}
    found = wanted(spec, columns)
    if not found:
        return None
    runs = f"SELECT u, run, count(*) AS length FROM ({_RUN} FROM ({days_of(spec, measure)})) GROUP BY u, run"
    return Query(f"streaks_{measure}", f"SELECT u, {selected(found)} FROM ({runs}) GROUP BY u", tuple(found), tuple(found))


def attributes(spec: FeaturesSpec, as_of: date, zone: str) -> Query | None:
    """The last value that a user's accounts state, from the view `versions`; the day of registration is the earliest of the accounts'."""
    columns = {name: _attribute(name, entry, as_of) for name, entry in entries(spec, "attributes").items()}
    found = wanted(spec, columns)
    if not found:
        return None
    day = f"CAST(timezone('{zone}', registered_at) AS DATE)"
    last = f"arg_max({day}, (valid_from, ingest_seq)) FILTER (WHERE registered_at IS NOT NULL) OVER (PARTITION BY account_id)"
    return Query("attributes", f"SELECT u, {selected(found)} FROM (SELECT *, {last} AS registered FROM versions) GROUP BY u", tuple(found))


def _attribute(name: str, entry: Any, as_of: date) -> str:
    if entry.key == "registered_at":
        return f"min(registered) FILTER (WHERE registered < DATE '{as_of}')"
    kind = {"string": "VARCHAR", "int": "INTEGER"}.get(entry.type, entry.type.upper())
    value = f"TRY_CAST(nullif(trim(attributes['{entry.key or name}']), '') AS {kind})"
    return f"arg_max({value}, (valid_from, ingest_seq, account_id)) FILTER (WHERE {value} IS NOT NULL)"
