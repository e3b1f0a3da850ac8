"""Every published feature computed again from raw events by DuckDB and plain Python, without tiles or bands."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
from feature_history import ZONE

from persona_spark.schema import EVENT_TYPES

if TYPE_CHECKING:
    from datetime import date

    from feature_history import Event, Version

WINDOWS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365, "lifetime": 100_000}
CENT = Decimal("0.01")
ITEM_WEIGHTS = {
    "view": 1, "click": 1, "content_view": 1, "search": 1, "share": 2, "favourite": 3, "cart": 5, "pay": 10, "return": -10,
}  # fmt: skip
ACTIVITY = ("view", "click", "search", "favourite", "cart", "order", "pay", "review", "share", "like", "comment", "content_view")
HOUR_BAND = """CASE WHEN event_hour BETWEEN 5 AND 8 THEN 'early_morning' WHEN event_hour BETWEEN 9 AND 11 THEN 'morning'
    WHEN event_hour BETWEEN 12 AND 17 THEN 'afternoon' WHEN event_hour BETWEEN 18 AND 22 THEN 'evening' ELSE 'night' END"""
DIMENSIONS = {
    "category": ("category", ITEM_WEIGHTS, 30),
    "brand": ("brand", ITEM_WEIGHTS, 30),
    "hour_band": (HOUR_BAND, dict.fromkeys(ACTIVITY, 1), 60),
    "weekday": ("lower(dayname(event_date))", dict.fromkeys(ACTIVITY, 1), 60),
    "platform": ("platform", dict.fromkeys(ACTIVITY, 1), 60),
}
Rows = dict[str, dict[str, Any]]


def expected(events: list[Event], versions: list[Version], owners: dict[str, str], day: date, seq: int) -> Rows:
    """user -> published column -> value."""
    con = duckdb.connect()
    con.register("raw", _raw(events))
    con.register("owner", pd.DataFrame({"account_id": list(owners), "user_id": list(owners.values())}))
    con.execute(f"""CREATE TABLE ev AS SELECT raw.* REPLACE (event_date::DATE AS event_date), user_id FROM raw JOIN owner USING (account_id)
        WHERE event_date::DATE < DATE '{day}' AND ingest_seq <= {seq}""")
    users: Rows = {user: {"account_ids": []} for user in owners.values()}
    for account in sorted(owners):
        users[owners[account]]["account_ids"].append(account)
    for part in (_sums(con, day), _distinct(con, day), _dates(con, day), *(_preference(con, *item) for item in DIMENSIONS.items())):
        for user, values in part.items():
            users[user].update(values)
    for user, values in users.items():
        _fill(values)
        values.update(_attributes([version for version in versions if owners[version.account] == user], day, seq))
    return users


def _raw(events: list[Event]) -> pd.DataFrame:
    rows = [event.row(position) for position, event in enumerate(events)]
    for row in rows:
        row["cents"], row["discount_cents"] = (
            None if money is None else int(money * 100) for money in (row.pop("amount"), row.pop("discount"))
        )
    whole = dict.fromkeys(("cents", "discount_cents", "quantity", "dwell_seconds"), "Int64")
    return pd.DataFrame(rows).drop(columns="event_time").astype(whole)


def _query(con: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    result = con.execute(sql)
    names = [column[0] for column in result.description]
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in result.fetchall()}


def _sums(con: duckdb.DuckDBPyConnection, day: date) -> Rows:
    parts = []
    for label, days in WINDOWS.items():
        inside = f"event_date >= DATE '{day}' - {days}"
        for kind in (*EVENT_TYPES, "event"):
            if kind != "order":
                which = "TRUE" if kind == "event" else f"event_type = '{kind}'"
                parts.append(f"count(*) FILTER ({inside} AND {which}) AS {kind}_count_{label}")
        parts.append(f"count(*) FILTER ({inside} AND event_hour IN (23, 0, 1)) AS night_count_{label}")
        for name, column, which in (
            ("paid_amount", "cents", "event_type = 'pay'"),
            ("returned_amount", "cents", "event_type = 'return'"),
            ("discount_amount", "discount_cents", "event_type = 'pay'"),
            ("promotion_paid_amount", "cents", "event_type = 'pay' AND promotion_id IS NOT NULL"),
            ("item_count", "quantity", "event_type = 'pay'"),
            ("dwell_seconds", "dwell_seconds", "TRUE"),
        ):
            parts.append(f"coalesce(sum({column}) FILTER ({inside} AND {which}), 0)::BIGINT AS {name}_{label}")
        parts.append(f"count(DISTINCT event_date) FILTER ({inside}) AS active_day_count_{label}")
    return _query(con, f"SELECT user_id, {', '.join(parts)} FROM ev GROUP BY user_id")


def _distinct(con: duckdb.DuckDBPyConnection, day: date) -> Rows:
    users: Rows = {}
    for name, column, which in (
        ("order_count", "order_id", "event_type = 'pay'"),
        ("placed_order_count", "order_id", "event_type = 'order'"),
        ("session_count", "session_id", "TRUE"),
    ):
        counts = ", ".join(f"count(*) FILTER (first >= DATE '{day}' - {days}) AS {name}_{label}" for label, days in WINDOWS.items())
        firsts = f"SELECT user_id, min(event_date) AS first FROM ev WHERE {column} IS NOT NULL AND {which} GROUP BY user_id, {column}"
        for user, values in _query(con, f"SELECT user_id, {counts} FROM ({firsts}) GROUP BY user_id").items():
            users.setdefault(user, {}).update(values)
    return users


def _dates(con: duckdb.DuckDBPyConnection, day: date) -> Rows:
    orders = "SELECT user_id, min(event_date) AS d FROM ev WHERE event_type = 'pay' AND order_id IS NOT NULL GROUP BY user_id, order_id"
    visits = _query(con, "SELECT user_id, min(event_date) AS first_visit_date, max(event_date) AS last_visit_date FROM ev GROUP BY 1")
    bought = _query(
        con,
        f"""SELECT user_id, min(d) AS first_order_date, max(d) AS last_order_date,
        CASE WHEN count(DISTINCT d) > 1 THEN (max(d) - min(d)) / (count(DISTINCT d) - 1)::DOUBLE END AS repurchase_gap_days
        FROM ({orders}) GROUP BY user_id""",
    )
    users = {user: {**values, **bought.get(user, {})} for user, values in visits.items()}
    for values in users.values():
        for name in [name for name in values if name.endswith("_date")]:
            values[f"days_since_{name.removesuffix('_date')}"] = (day - values[name]).days
    return users


def _preference(con: duckdb.DuckDBPyConnection, name: str, meaning: tuple[str, dict[str, int], int]) -> Rows:
    key, weights, half_life = meaning
    weight = "CASE event_type " + " ".join(f"WHEN '{kind}' THEN {value}" for kind, value in weights.items()) + " ELSE 0 END"
    return _query(
        con,
        f"""WITH anchored AS (SELECT user_id, {key} AS key, {weight} AS weight,
            max(event_date) OVER (PARTITION BY user_id) - event_date AS age FROM ev),
        summed AS (SELECT user_id, key, sum(weight * round(1e6 * pow(0.5, age / {half_life}::DOUBLE))::BIGINT) AS total
            FROM anchored WHERE key IS NOT NULL AND age <= {8 * half_life} GROUP BY user_id, key),
        positive AS (SELECT * FROM summed WHERE total > 0)
        SELECT user_id, first(key ORDER BY total DESC, key ASC) AS preferred_{name},
            max(total)::DOUBLE / sum(total)::DOUBLE AS preferred_{name}_share FROM positive GROUP BY user_id""",
    )


def _fill(values: dict[str, Any]) -> None:
    counts = [f"{kind}_count" for kind in (*EVENT_TYPES, "event", "night", "item", "placed_order", "active_day", "session")]
    amounts = ["paid_amount", "returned_amount", "discount_amount", "promotion_paid_amount"]
    for label in WINDOWS:
        for name in (*counts, "dwell_seconds"):
            values.setdefault(f"{name}_{label}", 0)
        for name in amounts:
            values[f"{name}_{label}"] = Decimal(values.get(f"{name}_{label}", 0)) * CENT
        paid, orders = values[f"paid_amount_{label}"], values[f"order_count_{label}"]
        values[f"net_amount_{label}"] = paid - values[f"returned_amount_{label}"]
        values[f"average_order_value_{label}"] = (paid / orders).quantize(CENT, ROUND_HALF_UP) if orders else None
        values[f"night_share_{label}"] = _ratio(values[f"night_count_{label}"], values[f"event_count_{label}"])
        values[f"promotion_share_{label}"] = _ratio(values[f"promotion_paid_amount_{label}"], paid)
        discount, lines = values[f"discount_amount_{label}"], values[f"pay_count_{label}"]
        values[f"average_item_price_{label}"] = (paid / lines).quantize(CENT, ROUND_HALF_UP) if lines else None
        values[f"discount_rate_{label}"] = _ratio(discount, discount + paid)
        values[f"return_rate_{label}"] = _ratio(values[f"return_count_{label}"], lines)
        values[f"events_per_active_day_{label}"] = _ratio(values[f"event_count_{label}"], values[f"active_day_count_{label}"])
        values[f"cart_to_pay_rate_{label}"] = _ratio(values[f"pay_count_{label}"], values[f"cart_count_{label}"])


def _ratio(part: Any, whole: Any) -> float | None:
    return float(Decimal(part) / Decimal(whole)) if whole else None


def _attributes(versions: list[Version], day: date, seq: int) -> dict[str, Any]:
    known = sorted((v for v in versions if v.valid_from < day and v.seq <= seq), key=lambda v: (v.valid_from, v.seq, v.account))
    values: dict[str, Any] = {}
    registered: dict[str, date] = {}
    for version in known:
        values.update({name: text.strip() for name, text in version.attributes.items() if text.strip()} | _birth_year(version, values))
        if version.registered_at is not None:
            registered[version.account] = version.registered_at.astimezone(ZoneInfo(ZONE)).date()
    earlier = [found for found in registered.values() if found < day]
    values["registered_date"] = min(earlier) if earlier else None
    values["days_since_registration"] = (day - min(earlier)).days if earlier else None
    if values.get("birth_year") is not None:
        values["age"] = day.year - values["birth_year"]
        values["age_band"] = values.get("age_band") or _band(values["age"])
    return values


def _birth_year(version: Version, before: dict[str, Any]) -> dict[str, Any]:
    text = version.attributes.get("birth_year", "")
    return {"birth_year": int(text) if text.isdigit() else before.get("birth_year")}


def _band(age: int) -> str:
    bands = ((19, "under 19"), (25, "19-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"))
    return next((name for end, name in bands if age < end), "65+")


def differences(found: Rows, wanted: Rows) -> list[str]:
    """Every cell that differs, doubles beyond 1e-12 of their size."""
    wrong = [f"users differ: {sorted(set(found) ^ set(wanted))}"] if set(found) != set(wanted) else []
    for user in sorted(set(found) & set(wanted)):
        for name, value in found[user].items():
            other = wanted[user].get(name)
            same = abs(value - other) <= 1e-12 * abs(other) if isinstance(value, float) and other is not None else value == other
            if not same:
                wrong.append(f"{user}.{name}: {value!r}, expected {other!r}")
        wrong += [f"{user}.{name} is missing" for name in wanted[user] if name not in found[user]]
    return wrong
