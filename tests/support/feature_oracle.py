"""Every published feature computed again from raw events, without tiles or bands: sums by DuckDB, the rest by plain Python."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
from feature_history import ZONE
from feature_people import of_people

from persona_spark.schema import EVENT_TYPES

if TYPE_CHECKING:
    from datetime import date

    from feature_history import Event, Version

WINDOWS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365, "lifetime": 100_000}
FEW = ("30d", "365d", "lifetime")
BEFORE = {"prev_30d": 30, "prev_90d": 90}
CENT = Decimal("0.01")
EVENT_SUMS = (
    ("paid_amount", "cents", "event_type = 'pay'", tuple(WINDOWS)),
    ("returned_amount", "cents", "event_type = 'return'", tuple(WINDOWS)),
    ("discount_amount", "discount_cents", "event_type = 'pay'", tuple(WINDOWS)),
    ("promotion_paid_amount", "cents", "event_type = 'pay' AND promotion_id IS NOT NULL", tuple(WINDOWS)),
    ("item_count", "quantity", "event_type = 'pay'", tuple(WINDOWS)),
    ("paid_line_count", "1", "event_type = 'pay' AND (quantity IS NULL OR quantity > 0)", tuple(WINDOWS)),
    ("dwell_seconds", "dwell_seconds", "TRUE", tuple(WINDOWS)),
    (
        "full_price_paid_amount",
        "cents",
        "event_type = 'pay' AND promotion_id IS NULL AND (discount_cents IS NULL OR discount_cents = 0)",
        FEW,
    ),
    ("viewed_price_amount", "price_cents", "event_type = 'view'", FEW),
    ("viewed_price_count", "1", "event_type = 'view' AND price_cents IS NOT NULL", FEW),
    ("weekend_count", "1", "dayname(event_date) IN ('Saturday', 'Sunday')", FEW),
    ("short_video_view_count", "1", "event_type = 'content_view' AND content_type = 'short_video'", FEW),
    ("live_view_count", "1", "event_type = 'content_view' AND content_type = 'live'", FEW),
    ("image_text_view_count", "1", "event_type = 'content_view' AND content_type IN ('image', 'text', 'article')", FEW),
    ("rating_count", "1", "event_type = 'review' AND rating IS NOT NULL", FEW),
    ("rating_sum", "rating", "event_type = 'review'", FEW),
    ("review_text_count", "1", "event_type = 'review' AND text IN ('good', '好评')", FEW),
    ("paid_amount_in_618", "cents", "event_type = 'pay' AND strftime(event_date, '%m%d') BETWEEN '0601' AND '0620'", ("365d", "lifetime")),
    ("paid_amount_in_1111", "cents", "event_type = 'pay' AND strftime(event_date, '%m%d') BETWEEN '1020' AND '1111'", ("365d", "lifetime")),
    ("paid_amount_in_1212", "cents", "event_type = 'pay' AND strftime(event_date, '%m%d') BETWEEN '1208' AND '1212'", ("365d", "lifetime")),
)
"""Measure, column, condition, windows; amounts in cents."""
AMOUNTS = tuple(name for name, column, _, _ in EVENT_SUMS if column in ("cents", "discount_cents", "price_cents"))
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
    for part in (_sums(con, day), _distinct(con, day), _dates(con, day), of_people(events, owners, day, seq)):
        for user, values in part.items():
            users[user].update(values)
    for user, values in users.items():
        _fill(values)
        values.update(_attributes([version for version in versions if owners[version.account] == user], day, seq))
    return users


def _raw(events: list[Event]) -> pd.DataFrame:
    rows = [event.row(position) for position, event in enumerate(events)]
    for row in rows:
        for name, column in (("cents", "amount"), ("discount_cents", "discount"), ("price_cents", "price")):
            money = row.pop(column)
            row[name] = None if money is None else int(money * 100)
    whole = dict.fromkeys(("cents", "discount_cents", "price_cents", "quantity", "dwell_seconds", "rating"), "Int64")
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
        for name, column, which, windows in EVENT_SUMS:
            if label in windows:
                parts.append(f"coalesce(sum({column}) FILTER ({inside} AND {which}), 0)::BIGINT AS {name}_{label}")
        parts.append(f"count(DISTINCT event_date) FILTER ({inside}) AS active_day_count_{label}")
    for label, days in BEFORE.items():
        inside = f"event_date >= DATE '{day}' - {2 * days} AND event_date < DATE '{day}' - {days}"
        parts += [
            f"count(*) FILTER ({inside}) AS event_count_{label}",
            f"count(*) FILTER ({inside} AND event_type = 'view') AS view_count_{label}",
            f"coalesce(sum(cents) FILTER ({inside} AND event_type = 'pay'), 0)::BIGINT AS paid_amount_{label}",
        ]
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
        f"""SELECT user_id, min(d) AS first_order_date, max(d) AS last_order_date
        FROM ({orders}) GROUP BY user_id""",
    )
    users = {user: {**values, **bought.get(user, {})} for user, values in visits.items()}
    for values in users.values():
        for name in [name for name in values if name.endswith("_date")]:
            values[f"days_since_{name.removesuffix('_date')}"] = (day - values[name]).days
    return users


def _fill(values: dict[str, Any]) -> None:
    """Zeros where nothing was found, amounts in units, and what is derived."""
    counts = [f"{kind}_count" for kind in (*EVENT_TYPES, "event", "night", "placed_order", "active_day", "session")]
    windows = {**dict.fromkeys(counts, tuple(WINDOWS)), **{name: labels for name, _, _, labels in EVENT_SUMS}}
    for name in ("event_count", "view_count", "paid_amount"):
        windows[name] = (*windows[name], *BEFORE)
    for column in (f"{name}_{label}" for name, labels in windows.items() for label in labels):
        found = values.setdefault(column, 0)
        if column.rpartition("_")[0].removesuffix("_prev") in AMOUNTS:
            values[column] = Decimal(found) * CENT
    for label in WINDOWS:
        values.update({f"{name}_{label}": value for name, value in _derived(values, label).items()})
    for label, before in (("30d", "prev_30d"), ("90d", "prev_90d")):
        for name, of in (("event_trend", "event_count"), ("view_trend", "view_count"), ("paid_amount_trend", "paid_amount")):
            values[f"{name}_{label}"] = _ratio(values[f"{of}_{label}"], values[f"{of}_{before}"])
    _fill_days(values)


def _fill_days(values: dict[str, Any]) -> None:
    visited, bought = values.get("first_visit_date"), values.get("first_order_date")
    values["days_to_first_order"] = (bought - visited).days if bought else None
    values["current_streak_days"] = values["last_streak_days"] if values.get("days_since_last_visit") == 1 else 0
    gap, spread = values["repurchase_gap_days"], values["repurchase_gap_days_spread"]
    values["repurchase_irregularity"] = spread / gap if spread is not None else None
    gap, spread = values["category_gap_days"], values["category_gap_days_spread"]
    values["category_gap_irregularity"] = spread / gap if spread is not None else None
    gap = values["repurchase_gap_days"]
    values["expected_order_date"] = values["last_order_date"] + timedelta(days=int(gap + 0.5)) if gap is not None else None


def _derived(values: dict[str, Any], label: str) -> dict[str, Any]:
    def of(name: str) -> Any:
        return values[f"{name}_{label}"]

    paid, orders, lines, carts = of("paid_amount"), of("order_count"), of("paid_line_count"), of("cart_count")
    found = {
        "net_amount": paid - of("returned_amount"),
        "average_item_price": _money(paid, lines),
        "night_share": _ratio(of("night_count"), of("event_count")),
        "promotion_share": _ratio(of("promotion_paid_amount"), paid),
        "discount_rate": _ratio(of("discount_amount"), of("discount_amount") + paid),
        "return_rate": _ratio(of("return_count"), lines),
        "returned_amount_rate": _ratio(of("returned_amount"), paid),
        "events_per_active_day": _ratio(of("event_count"), of("active_day_count")),
        "items_per_order": _ratio(of("item_count"), orders),
        "cart_to_pay_rate": _ratio(lines, carts),
        "cart_abandonment_rate": None if not carts else max(0.0, 1 - lines / carts),
        "view_to_pay_rate": _ratio(lines, of("view_count")),
        "favourite_to_pay_rate": _ratio(lines, of("favourite_count")),
        "content_to_pay_rate": _ratio(lines, of("content_view_count")),
    }
    if label in FEW:
        viewed = _ratio(of("viewed_price_amount"), of("viewed_price_count"))
        piece = _ratio(paid, of("item_count"))
        found |= {
            "average_session_seconds": _ratio(of("session_seconds"), of("session_count")),
            "short_video_to_pay_rate": _ratio(lines, of("short_video_view_count")),
            "image_text_to_pay_rate": _ratio(lines, of("image_text_view_count")),
            "weekend_share": _ratio(of("weekend_count"), of("event_count")),
            "full_price_share": _ratio(of("full_price_paid_amount"), paid),
            "average_viewed_price": _money(of("viewed_price_amount"), of("viewed_price_count")),
            "bought_to_viewed_price": piece / viewed if viewed and piece is not None else None,
            "average_rating": _ratio(of("rating_sum"), of("rating_count")),
        }
    if label in ("365d", "lifetime"):
        found |= {f"share_in_{name}": _ratio(of(f"paid_amount_in_{name}"), paid) for name in ("618", "1111", "1212")}
    return found


def _money(amount: Decimal, parts: int) -> Decimal | None:
    return (amount / parts).quantize(CENT, ROUND_HALF_UP) if parts else None


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
    """Every cell that differs, doubles beyond 1e-9 of their size, and diversities, which sum rounded logarithms, beyond 1e-8."""
    wrong = [f"users differ: {sorted(set(found) ^ set(wanted))}"] if set(found) != set(wanted) else []
    for user in sorted(set(found) & set(wanted)):
        for name, value in found[user].items():
            other = wanted[user].get(name)
            if not _same(value, other, 1e-8 if name.endswith("_diversity") else 1e-9):
                wrong.append(f"{user}.{name}: {value!r}, expected {other!r}")
        wrong += [f"{user}.{name} is missing" for name in wanted[user] if name not in found[user]]
    return wrong


def _same(value: Any, other: Any, apart: float) -> bool:
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(_same(*pair, apart) for pair in zip(value, other, strict=True))
    if isinstance(value, tuple) and isinstance(other, tuple):
        return len(value) == len(other) and all(_same(*pair, apart) for pair in zip(value, other, strict=True))
    if isinstance(value, float) and other is not None:
        return bool(abs(value - other) <= apart * max(1.0, abs(other)))
    return bool(value == other)
