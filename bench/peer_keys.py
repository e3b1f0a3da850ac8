"""Preferences: keys by decayed weight, first and last touch, and gaps between dates with the preferred key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peer_dates import days_of, gap_columns, with_gaps
from peer_query import Query, entries, said, selected, wanted
from peer_sql import condition, duckdb_sql, hour_band, price_band

from persona_spark.config.features_columns import preferred
from persona_spark.features.preferences import decay_table

if TYPE_CHECKING:
    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Preference

LOGS = 1_000
"""Weights times their binary logarithms are kept as whole numbers of 1 / LOGS."""
_SECOND = "(epoch_us(event_time) // 1000000)"
_POSITIVE = " FILTER (WHERE weight > 0)"


def preference(spec: FeaturesSpec, name: str) -> Query:
    """The keys of one preference, from the view `events` and the table `last_events`."""
    entry: Preference = spec.preferences[name]
    touched = bool(said(entry, "touch"))
    found = wanted(spec, _told(name) | (_touched(name) if touched else {}))
    used = {column: sql for column, sql in _aggregates(entry, touched=touched).items() if any(column in text for text in found.values())}
    told = f"SELECT u, {selected(used)} FROM by_key GROUP BY u"
    sql = f"WITH {_by_key(spec, entry, touched=touched)}, told AS ({told}) SELECT u, {selected(found)} FROM told"
    return Query(f"preference_{name}", sql, tuple(found), tuple(column for column in found if column == f"{name}_count"))


def _by_key(spec: FeaturesSpec, entry: Preference, *, touched: bool) -> str:
    """Weights of a user's keys: by day first, then decayed by the age against the user's own last event."""
    cases = " ".join(f"WHEN '{kind}' THEN {weight}" for kind, weight in entry.weights.items())
    kinds = ", ".join(f"'{kind}'" for kind, weight in entry.weights.items() if weight)
    moments = f", min({_SECOND}) AS first, max({_SECOND}) AS last" if touched else ""
    weight = f"sum(CASE event_type {cases} END)::BIGINT"
    daily = f"""SELECT u, event_date, {key_of(spec, entry)} AS key, {weight} AS weight, count(*) AS events{moments}
        FROM events WHERE event_type IN ({kinds}) GROUP BY u, event_date, key"""
    factors = "[" + ", ".join(map(str, decay_table(entry))) + "]"
    aged = f"""SELECT *, coalesce(CAST({factors} AS BIGINT[])[last_event - event_date + 1], 0) AS factor
        FROM daily JOIN last_events USING (u) WHERE key IS NOT NULL"""
    moments = ", min(first) AS first, max(last) AS last" if touched else ""
    events = "coalesce(sum(events) FILTER (WHERE factor > 0), 0)::BIGINT"
    by_key = f"SELECT u, key, sum(weight * factor)::BIGINT AS weight, {events} AS events{moments} FROM aged GROUP BY u, key"
    return f"daily AS ({daily}), aged AS ({aged}), by_key AS ({by_key})"


def key_of(spec: FeaturesSpec, entry: Any) -> str:
    """The key of an event."""
    columns = {"hour_band": hour_band(spec), "price_band": price_band(spec)}
    return f"CAST(({duckdb_sql(entry.key, columns)}) AS VARCHAR)"


def _aggregates(entry: Preference, *, touched: bool) -> dict[str, str]:
    """What is taken of a user's keys; the smallest of (-weight, key) is the largest weight, and of several the smallest key."""
    ranked = "{'minus': -weight, 'key': key}"
    taken = {
        "__most": f"min({ranked}, {int(said(entry, 'top') or 1)}){_POSITIVE}",
        "__total": f"sum(weight){_POSITIVE}::BIGINT",
        "__events": f"sum(events){_POSITIVE}::BIGINT",
        "__count": f"count(*){_POSITIVE}",
        "__logs": f"sum(CAST(round(weight * (ln(greatest(weight, 1)) / ln(2)) * {LOGS}) AS BIGINT)){_POSITIVE}::BIGINT",
    }
    moments = {"__first": "min({'at': first, 'key': key})", "__last": "min({'at': -last, 'key': key})"}
    return taken | (moments if touched else {})


def _told(name: str) -> dict[str, str]:
    """Columns of `user_features`."""
    return {
        f"{preferred(name)}_total": "__total",
        f"top_{name}": "list_transform(__most, lambda one: {'key': one.key, 'weight': -one.minus})",
        f"{preferred(name)}_events": "__events",
        f"{name}_count": "__count",
        f"{name}_logs": "__logs",
    }


def _touched(name: str) -> dict[str, str]:
    return {f"first_{name}": "__first.key", f"last_{name}": "__last.key"}


def gap_within(spec: FeaturesSpec, name: str) -> Query | None:
    """Gaps between the measure's dates on which something with the preferred key met its condition; None for other gaps."""
    entry = entries(spec, "gaps")[name]
    within = said(entry, "within")
    if within is None or within not in entries(spec, "preferences"):
        return None
    found = wanted(spec, gap_columns(name))
    best = f"SELECT u, top_{within}[1].key AS preferred FROM preference_{within}"
    where = f"{condition(spec.measures[entry.between].where)} AND {key_of(spec, spec.preferences[within])} = preferred"
    counting = f"SELECT u, day AS event_date FROM ({days_of(spec, entry.between)})"
    days = f"SELECT DISTINCT u, event_date AS day FROM events JOIN ({best}) USING (u) JOIN ({counting}) USING (u, event_date) WHERE {where}"
    return Query(f"gap_{name}", f"SELECT u, {selected(found)} FROM ({with_gaps(days)}) GROUP BY u", tuple(found), tuple(found))
