"""A shop small enough for tests that start their own Spark: a CSV of events, accounts as JSON lines, and the mappings."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from quick_conf import write_quick_conf

if TYPE_CHECKING:
    from pathlib import Path

AS_OF = "2026-01-01"
COLUMNS = ("event_id", "happened_at", "member", "action", "sku", "kind", "maker", "order_no", "pieces", "price", "campaign")

MAIN = """\
name: tiny
lake: {path: ../lake, zone: Asia/Shanghai, currency: CNY}
sources: [sources/tiny_events.yaml, sources/tiny_accounts.yaml]
"""
EVENTS = """\
source: tiny_events
target: events
namespace: tiny
files: {path: "../data/events*.csv", format: csv}
types: {pieces: bigint, price: "decimal(18,4)"}
time: {from: happened_at, as: timestamp, zone: UTC}
event_type: {from: action, map: {look: view, basket: cart, buy: pay}}
event_id: event_id
set:
  account_id: member
  item_id: sku
  order_id: order_no
  platform: "'tiny'"
  category: kind
  brand: maker
  quantity: pieces
  amount: price * pieces
  promotion_id: campaign
"""
ACCOUNTS = """\
source: tiny_accounts
target: accounts
namespace: tiny
files: {path: "../data/members*.json", format: json}
time: {from: joined, as: timestamp, zone: UTC}
set: {account_id: member, platform: "'tiny'", attributes: {gender: gender, city: city}}
"""


def write_tiny_shop(folder: Path, users: int = 240, seed: int = 7) -> Path:
    """Write `conf/` and `data/` into `folder`, the lake beside them; returns the main configuration file."""
    draw = random.Random(seed)
    write_quick_conf(folder / "conf")
    for name, text in {"tiny.yaml": MAIN, "sources/tiny_events.yaml": EVENTS, "sources/tiny_accounts.yaml": ACCOUNTS}.items():
        (folder / "conf" / name).write_text(text, encoding="utf-8")
    (folder / "data").mkdir()
    with (folder / "data" / "events.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(row for user in range(users) for row in _events(draw, user))
    with (folder / "data" / "members.json").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(_member(draw, user)) + "\n" for user in range(users))
    return folder / "conf" / "tiny.yaml"


def _events(draw: random.Random, user: int) -> list[tuple[object, ...]]:
    """Sessions of one member: each looks, some fill the basket, some buy; every fourth member shops at night."""
    rows: list[tuple[object, ...]] = []
    kinds = draw.sample(["baby", "sports", "food", "beauty", "home"], k=2)
    for session in range(draw.randint(1, 12)):
        day = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=draw.randint(1, 300))
        start = day.replace(hour=15 if user % 4 == 0 else draw.randint(1, 13), minute=draw.randint(0, 40))
        kind, campaign = draw.choice(kinds), "d11" if draw.random() < (0.8 if user % 3 == 0 else 0.1) else ""
        actions = ["look"] * draw.randint(1, 5) + (["basket"] if draw.random() < 0.6 else []) + (["buy"] if draw.random() < 0.5 else [])
        for step, action in enumerate(actions):
            paid = action == "buy"
            rows.append(
                (
                    f"{user}-{session}-{step}",
                    (start + timedelta(minutes=step)).strftime("%Y-%m-%d %H:%M:%S"),
                    f"m{user:04d}",
                    action,
                    f"{kind}-{draw.randint(1, 20)}",
                    kind,
                    f"maker{draw.randint(1, 4)}",
                    f"o{user}-{session}" if paid else "",
                    draw.randint(1, 3) if paid else "",
                    f"{draw.randint(100, 30000) / 100:.2f}" if paid else "",
                    campaign if paid else "",
                )
            )
    return rows


def _member(draw: random.Random, user: int) -> dict[str, str]:
    joined = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=draw.randint(0, 300))
    return {
        "member": f"m{user:04d}",
        "joined": joined.strftime("%Y-%m-%d %H:%M:%S"),
        "gender": draw.choice("FM"),
        "city": draw.choice(["Wuhan", "Xi'an"]),
    }
