"""Measures in windows: of days, of whole orders and of whole sessions.

Reads the view `events` (of users `u` before as_of), and makes `days` (a row a user and day), `firsts_orders` and `firsts_sessions` (a
row a user and order or session).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peer_query import Query, measures, said, selected, stored_name, wanted, windows_of
from peer_sql import band_of, bands, condition, duckdb_sql, in_window, quoted

if TYPE_CHECKING:
    from datetime import date

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Measure

KEYS = {"orders": "order_id", "sessions": "session_id"}
_SECOND = "(epoch_us(event_time) // 1000000)"


def user_days(spec: FeaturesSpec) -> str:
    """A row a user and day with all that adds up, and flags of the days that count."""
    columns = {stored_name(measure, name): _of_day(measure) for name, measure in measures(spec, "days").items()}
    return f"SELECT u, event_date, {selected({**columns, '__events': 'count(*)'})} FROM events GROUP BY u, event_date"


def _of_day(measure: Measure) -> str:
    if measure.distinct:
        return f"least(count(*){_where(measure)}, 1)"
    return f"count(*){_where(measure)}" if measure.sum is None else _sum(measure)


def _where(measure: Measure) -> str:
    return f" FILTER (WHERE {condition(measure.where)})" if measure.where else ""


def _sum(measure: Measure) -> str:
    value = duckdb_sql(measure.sum or "0")
    exact = f"CAST(TRY_CAST(({value}) AS DECIMAL(18, 2)) * 100 AS BIGINT)" if measure.unit == "money" else f"TRY_CAST(({value}) AS BIGINT)"
    return f"coalesce(sum({exact}){_where(measure)}, 0)::BIGINT"


def day_windows(spec: FeaturesSpec, as_of: date) -> Query:
    """What adds up over days, and days that count: days are summed in bands between windows' edges first."""
    mine = measures(spec, "days")
    edges = bands([window for measure in mine.values() for window in windows_of(spec, measure)])
    sums = {stored_name(measure, name): f"sum({quoted(stored_name(measure, name))})::BIGINT" for name, measure in mine.items()}
    banded = f"SELECT u, {band_of(edges, 'event_date', as_of)} AS band, {selected(sums)} FROM days GROUP BY u, band"
    totals = {
        f"{stored_name(measure, name)}_{window.label}": (
            f"coalesce(sum({quoted(stored_name(measure, name))}) FILTER (WHERE {in_window(edges, window)}), 0)::BIGINT"
        )
        for name, measure in mine.items()
        for window in windows_of(spec, measure)
    }
    found = wanted(spec, totals)
    return Query("windows", f"WITH banded AS ({banded}) SELECT u, {selected(found)} FROM banded GROUP BY u", tuple(found), tuple(found))


def firsts(spec: FeaturesSpec, kind: str) -> str:
    """Orders or sessions of a user: the first day on which each counts under each measure, and what it is worth over all its days."""
    mine = measures(spec, kind)
    columns = {name: f"min(event_date) FILTER (WHERE {condition(measure.where)})" for name, measure in mine.items()}
    columns |= {f"{name}__value": _worth(measure) for name, measure in mine.items() if said(measure, "take")}
    any_of = " OR ".join(f"({condition(measure.where)})" for measure in mine.values())
    return f"SELECT u, {selected(columns)} FROM events WHERE {KEYS[kind]} IS NOT NULL AND ({any_of}) GROUP BY u, {KEYS[kind]}"


def _worth(measure: Measure) -> str:
    if said(measure, "take") == "span":
        where = f" FILTER (WHERE {condition(measure.where)})"
        return f"max({_SECOND}){where} - min({_SECOND}){where}"
    return _sum(measure)


def counted(spec: FeaturesSpec, kind: str, as_of: date) -> Query:
    """Orders or sessions in each window: how many, the largest, sums, sums of spans, and what a spread is made of."""
    mine = measures(spec, kind)
    edges = bands([window for measure in mine.values() for window in windows_of(spec, measure)])
    totals = {
        column: sql
        for name, measure in mine.items()
        for window in windows_of(spec, measure)
        for column, sql in _totals(name, measure, window.label, in_window(edges, window, quoted(f"{name}__band"))).items()
    }
    found = wanted(spec, totals)
    placed = {f"{name}__band": band_of(edges, quoted(name), as_of) for name in mine}
    sql = f"SELECT u, {selected(found)} FROM (SELECT *, {selected(placed)} FROM firsts_{kind}) GROUP BY u"
    return Query(f"counted_{kind}", sql, tuple(found), tuple(found))


def _totals(name: str, measure: Measure, label: str, inside: str) -> dict[str, str]:
    where = f" FILTER (WHERE {quoted(name)} IS NOT NULL AND {inside})"
    stem, value = stored_name(measure, name), quoted(f"{name}__value")
    match said(measure, "take"):
        case "largest":
            return {f"{stem}_{label}": f"coalesce(max({value}){where}, 0)"}
        case "total" | "span":
            return {f"{stem}_{label}": f"coalesce(sum({value}){where}, 0)::BIGINT"}
        case "spread":
            return {
                f"{stem}_number_{label}": f"count({value}){where}",
                f"{stem}_sum_{label}": f"coalesce(sum({value}){where}, 0)::BIGINT",
                f"{stem}_squares_{label}": f"coalesce(sum({value}::HUGEINT * {value}){where}, 0)::DECIMAL(38, 0)",
            }
    return {f"{stem}_{label}": f"count(*){where}"}
