"""Small histories for the tests of tiles and features: literal events, accounts and identity, written as tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from persona_spark.config.base import load_model
from persona_spark.config.features import FeaturesSpec
from persona_spark.lake.contract import frame_of
from persona_spark.lake.dates import on_day
from persona_spark.schema import ACCOUNTS, EVENTS, IDENTITY, Table

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake

ZONE = "America/New_York"
CONF = Path(__file__).parents[2] / "conf"
EDGES = (1, 7, 8, 30, 31, 90, 91, 365, 366)
SALE_EDGES = ((5, 31), (6, 1), (6, 20), (6, 21), (10, 19), (10, 20), (11, 11), (11, 12), (12, 7), (12, 8), (12, 12), (12, 13))
"""Months and days on which a sale of conf/features.yaml starts or ends, and the days beside them."""


@dataclass(frozen=True)
class Event:
    """One event; `at` is UTC."""

    account: str
    kind: str
    at: datetime
    seq: int = 1
    order: str | None = None
    session: str | None = None
    category: str | None = None
    brand: str | None = None
    platform: str = "shop"
    quantity: int | None = None
    amount: Decimal | None = None
    discount: Decimal | None = None
    promotion: str | None = None
    dwell: int | None = None
    channel: str | None = None
    content: str | None = None
    price: Decimal | None = None
    rating: int | None = None
    text: str | None = None
    id: str | None = None

    @property
    def local(self) -> datetime:
        return self.at.astimezone(ZoneInfo(ZONE))

    def row(self, position: int) -> dict[str, Any]:
        day = self.local.date()
        return {
            "event_id": self.id or f"e{position}", "namespace": "n", "source": "s", "platform": self.platform, "event_time": self.at,
            "event_date": day, "event_month": day.replace(day=1), "event_hour": self.local.hour, "account_id": self.account,
            "order_id": self.order, "event_type": self.kind, "session_id": self.session, "category": self.category,
            "brand": self.brand, "quantity": self.quantity, "amount": self.amount, "discount": self.discount,
            "promotion_id": self.promotion, "dwell_seconds": self.dwell, "ingest_seq": self.seq,
            "channel": self.channel, "content_type": self.content, "price": self.price, "rating": self.rating, "text": self.text,
            "id_hash": 0,
        }  # fmt: skip


@dataclass(frozen=True)
class Version:
    """One version of an account."""

    account: str
    valid_from: date
    attributes: dict[str, str] = field(default_factory=dict)
    registered_at: datetime | None = None
    seq: int = 1

    def row(self, _: int) -> dict[str, Any]:
        return {
            "account_id": self.account, "namespace": "n", "source": "s", "platform": "shop", "registered_at": self.registered_at,
            "valid_from": self.valid_from, "attributes": self.attributes, "ingest_seq": self.seq,
        }  # fmt: skip


def load_spec() -> FeaturesSpec:
    """The features of conf/."""
    return load_model(FeaturesSpec, CONF / "features.yaml")


def conf_of(spec: FeaturesSpec) -> Conf:
    """What tiles, features and the projection read of a configuration."""
    return cast(
        "Conf",
        SimpleNamespace(
            features=spec, digest_of=lambda *_: spec.digest(), main=SimpleNamespace(lake=SimpleNamespace(zone=ZONE, currency="USD"))
        ),
    )


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    """A local time as UTC."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def write(lake: Lake, table: Table, rows: Iterable[Event | Version]) -> None:
    """Replace a table by literal rows."""
    lake.replace(frame_of(lake.spark, table, [row.row(position) for position, row in enumerate(rows)]), table)


def write_history(lake: Lake, events: Iterable[Event], versions: Iterable[Version] = ()) -> None:
    """Replace events and accounts."""
    write(lake, EVENTS, events)
    write(lake, ACCOUNTS, versions)


def write_identity(lake: Lake, owners: dict[str, str], day: date, seq: int) -> None:
    """Replace identity as of a day: account -> user."""
    same = {"as_of": day, "ingest_seq": seq, "first_seq": 1, "code": "code"}
    rows = [{**same, "account_id": account, "user_id": user} for account, user in owners.items()]
    lake.replace_where(frame_of(lake.spark, IDENTITY, rows), IDENTITY, on_day(day))


def random_owners(users: int, rng: random.Random) -> dict[str, str]:
    """One to three accounts a user."""
    return {f"n:a{user:02d}{letter}": f"u{user:02d}" for user in range(users) for letter in "abc"[: rng.randint(1, 3)]}


def random_events(owners: dict[str, str], day: date, count: int, rng: random.Random) -> list[Event]:
    """Events of all but the last two users, crowded around window edges, clock changes and shared orders; some after `day`."""
    idle = sorted(set(owners.values()))[-2:]
    accounts = [account for account, user in owners.items() if user not in idle]
    return [_random_event(rng.choice(accounts), owners, day, rng) for _ in range(count)]


def _random_event(account: str, owners: dict[str, str], day: date, rng: random.Random) -> Event:
    user = owners[account]
    kinds = ["view", "view", "cart", "order", "pay", "pay", "return", "search", "click", "favourite", "share", "service"]
    kinds += ["content_view", "content_view", "review", "like", "comment", "invite", "follow"]
    kind = rng.choice(["view", "cart", "search"] if user.endswith("1") else kinds)
    event = Event(
        account,
        kind,
        _random_time(day, rng),
        seq=rng.choice([1, 1, 2, 3]),
        session=rng.choice([None, f"n:{user}s{rng.randrange(8)}", f"n:{account}s{rng.randrange(4)}"]),
        category=rng.choice([None, "tea", "rice", "soap"]),
        brand=rng.choice([None, "乙", "甲", "acme"]),
        platform=rng.choice(["shop", "app", "mini"]),
        dwell=rng.choice([None, 5, 40]),
        channel=rng.choice([None, "live", "app", "web"]),
        content=rng.choice([None, "short_video", "image", "text", "article", "live"])
        if kind in ("content_view", "like", "comment", "share")
        else None,
        price=rng.choice([None, None, Decimal("9.99"), Decimal("10.00"), Decimal("120.50"), Decimal("5000.00")]),
        rating=rng.choice([None, 1, 4, 5]) if kind == "review" else None,
        text=rng.choice([None, " ", "good", "好评"]) if kind in ("review", "comment") else None,
    )
    if kind not in ("order", "pay", "return"):
        return event
    return replace(
        event,
        order=rng.choice([None, f"n:{user}o{rng.randrange(12)}"]),
        quantity=rng.choice([None, 0, 1, 3]),
        amount=rng.choice([None, Decimal("0.00"), Decimal("0.01"), Decimal(rng.randrange(1, 99_999)) / 100]),
        discount=rng.choice([None, Decimal("0.50")]),
        promotion=rng.choice([None, "618"]),
    )


def _random_time(day: date, rng: random.Random) -> datetime:
    choice = rng.random()
    if choice < 0.1:
        # The hour that occurs twice, and the one that does not exist, in the zone of the tests.
        return rng.choice([datetime(2017, 11, 5, 5, 30, tzinfo=UTC), datetime(2017, 11, 5, 6, 30, tzinfo=UTC)])
    if choice < 0.15:
        return rng.choice([datetime(2017, 3, 12, 6, 59, tzinfo=UTC), datetime(2017, 3, 12, 7, 1, tzinfo=UTC)])
    if choice < 0.3:
        month, first = rng.choice(SALE_EDGES)
        edge = date(day.year, month, first)
        return at(edge if edge < day else edge.replace(year=day.year - 1), *rng.choice([(0, 0), (23, 59)]))
    back = rng.choice(EDGES) if choice < 0.6 else rng.randrange(-5, 420)
    hour, minute = rng.choice([(0, 0), (23, 59), (1, 59), (2, 0), (22, 59), (23, 0), (rng.randrange(24), 30)])
    return at(day - timedelta(days=back), hour, minute)


def random_versions(owners: dict[str, str], day: date, rng: random.Random) -> list[Version]:
    """Up to four versions an account, some dated on `day`, some later known, with gaps and values that do not fit."""
    versions: dict[tuple[str, date, int], Version] = {}
    for account in owners:
        for _ in range(rng.randrange(5)):
            version = _random_version(account, day, rng)
            versions.setdefault((account, version.valid_from, version.seq), version)
    return list(versions.values())


def _random_version(account: str, day: date, rng: random.Random) -> Version:
    stated = {
        "gender": rng.choice(["female", "male", " "]),
        "birth_year": rng.choice(["1990", "1956", "2001", "unknown"]),
        "age_band": rng.choice(["25-34", ""]),
        "city": rng.choice(["Dayton", "Columbus"]),
        "kids_count": rng.choice(["0", "3+"]),
        "member_level": rng.choice(["gold", "silver"]),
        "marital_status": rng.choice(["married", "single"]),
        "household_size": rng.choice(["1", "5+"]),
        "household_composition": rng.choice(["1 Adult", "2 Adults Kids"]),
        "home_ownership": rng.choice(["Homeowner", "Renter"]),
        "income_band": rng.choice(["50-74K", ""]),
    }
    kept = {name: value for name, value in stated.items() if rng.random() < 0.5}
    valid_from = day - timedelta(days=rng.choice([-1, 0, 1, 20, 20, 300]))
    registered = at(day - timedelta(days=rng.choice([0, 1, 57, 57, 294, 700])), rng.choice([0, 1, 23]), 30)
    return Version(account, valid_from, kept, rng.choice([None, registered]), rng.choice([1, 2, 3]))
