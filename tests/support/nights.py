"""A shop night by night: new and late events, corrections, accounts that are joined and parted, and kills in between.

Everything is drawn from one seed, for many users at once; only what kind of nights there are is drawn by the test.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from persona_spark.lake.contract import struct_of
from persona_spark.schema import ACCOUNTS, EVENT_TYPES, EVENTS, INGEST, Table
from persona_spark.sources.fresh import fresh_events
from persona_spark.sources.retract import retract

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from pyspark.sql import DataFrame

    from persona_spark.config.sources import SourceSpec
    from persona_spark.lake.tables import Lake

ZONE = "America/New_York"
START = date(2017, 11, 1)
EDGES = (0, 1, 2, 7, 8, 30, 31, 90, 91, 365, 366)
CLOCKS = tuple(datetime(2017, month, day, hour, minute, tzinfo=UTC) for month, day, hour, minute in (
    (11, 5, 5, 30), (11, 5, 6, 30), (3, 12, 6, 59), (3, 12, 7, 1)
))  # fmt: skip
KINDS = (*EVENT_TYPES, "view", "pay", "pay", "content_view")
Row = dict[str, Any]


@dataclass
class Shop:
    """What has been sent so far.

    Attributes:
        lake: where it was sent to.
        rng: every draw.
        users: people, with up to three accounts each.
        seq: number of the last ingest.
        sent: the last version of each event, by id.
    """

    lake: Lake
    rng: random.Random
    users: int = 40
    seq: int = 0
    sent: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.accounts = [f"n:a{user:03d}{letter}" for user in range(self.users) for letter in "abc"[: self.rng.randint(1, 3)]]

    def open(self, day: date, events: int = 500) -> None:
        """The first ingest: a year of events, some after `day`, and what accounts state."""
        rows = [self._event(day, self.rng.choice(EDGES) if self.rng.random() < 0.5 else self.rng.randrange(-4, 420)) for _ in range(events)]
        self._send(rows + self._presales(day), self._versions(day, self.accounts))

    def night(self, day: date, events: int = 25) -> None:
        """An ingest: events of the last days, late ones at the edges of windows, and some known ones once more."""
        recent = [self._event(day, self.rng.randrange(-2, 3)) for _ in range(events)]
        late = [self._event(day, self.rng.choice(EDGES)) for _ in range(events // 3)]
        again = [dict(self.sent[name]) for name in self.rng.sample(sorted(self.sent), 5)]
        few = self.rng.sample(self.accounts, 3)
        self._send([*recent, *late, *self._presales(day, 2), *again], self._versions(day, few))

    def correct(self, day: date, events: int = 6) -> None:
        """Events taken back, and as many replaced by versions on another account, day or month; some ids are unknown, some stand twice."""
        names = self.rng.sample(sorted(self.sent), 2 * events)
        gone = [*names[:events], names[0], "unknown"]
        moved = []
        for name in names[events:]:
            base = dict(self.sent[name])
            new = self._event(day, self.rng.choice(EDGES))
            columns = self.rng.choice((("account_id",), _DAY_COLUMNS, ("amount", "category", "event_type")))
            moved.append({**base, **{key: new.get(key) for key in columns}})
        ids = _frame(self.lake, EVENTS, [{"namespace": "n", "event_id": name} for name in gone])
        self.seq += 1
        stamped = [{**row, "ingest_seq": self.seq} for row in moved]
        retract(self.lake, ids, datetime(2018, 6, 1, tzinfo=UTC), "a feed corrects rows", _frame(self.lake, EVENTS, stamped))
        self.sent = {name: row for name, row in self.sent.items() if name not in gone} | {row["event_id"]: row for row in moved}

    def _send(self, rows: list[Row], versions: list[Row]) -> None:
        committed, self.seq = self.seq, self.seq + 1
        spec = cast("SourceSpec", SimpleNamespace(namespace="n", repeats="drop", time=None, event_id="event_id"))
        frame = _frame(self.lake, EVENTS, [{**row, "ingest_seq": self.seq} for row in rows])
        self.lake.append(fresh_events(self.lake, spec, frame, committed, repeated=False).rows.select(*EVENTS.names), EVENTS)
        self.lake.append(_frame(self.lake, ACCOUNTS, [{**row, "ingest_seq": self.seq} for row in versions]), ACCOUNTS)
        self.lake.append(_frame(self.lake, INGEST, [_INGESTED | {"ingest_seq": self.seq, "loaded": len(rows)}]), INGEST)
        self.sent = {row["event_id"]: row for row in rows} | self.sent

    def _event(self, day: date, back: int, account: str | None = None) -> Row:
        rng = self.rng
        account = account or rng.choice(self.accounts[: len(self.accounts) * 9 // 10])
        person = account[:-1]
        hour, minute = rng.choice([(0, 0), (23, 59), (22, 59), (rng.randrange(24), 30)])
        moment = rng.choice(CLOCKS) if rng.random() < 0.04 else _at(day - timedelta(days=back), hour, minute)
        kind = rng.choice(KINDS)
        money = kind in {"order", "pay", "return"}
        row = {
            "event_id": f"e{rng.getrandbits(48):012x}", "namespace": "n", "source": "s", "platform": rng.choice(["shop", "app"]),
            "account_id": account, "event_type": kind, "session_id": rng.choice([None, f"{person}s{rng.randrange(6)}"]),
            "category": rng.choice([None, "tea", "rice", "soap"]), "brand": rng.choice([None, "乙", "甲"]), **_when(moment),
            "item_id": rng.choice([None, "n:i1", "n:i2", "n:i3"]), "channel": rng.choice([None, "web", "live"]),
            "dwell_seconds": rng.choice([None, 5, 40]), "rating": rng.randint(1, 5) if kind == "review" else None,
            "price": rng.choice([None, Decimal("5.00"), Decimal("80.00"), Decimal("900.00")]),
            "content_type": rng.choice([None, "short_video", "article"]), "text": rng.choice([None, "", "fine"]),
        }  # fmt: skip
        if money:
            # A few orders a person, so that returns come before payments and one order is paid on several days.
            row |= {
                "order_id": rng.choice([None, f"{person}o{rng.randrange(6)}"]), "quantity": rng.choice([None, 0, 1, 3]),
                "amount": rng.choice([None, Decimal("0.01"), Decimal(rng.randrange(1, 99_999)) / 100]),
                "discount": rng.choice([None, Decimal("0.50")]), "promotion_id": rng.choice([None, "618"]),
            }  # fmt: skip
        return row

    def _presales(self, day: date, orders: int = 8) -> list[Row]:
        """Orders whose deposit and balance are paid on two days, some through two accounts of one person."""
        rows = []
        for _ in range(orders):
            account = self.rng.choice(self.accounts)
            others = [other for other in self.accounts if other[:-1] == account[:-1]]
            order = f"{account[:-1]}p{self.rng.randrange(3)}"
            for back in (self.rng.choice(EDGES), self.rng.randrange(-1, 3)):
                paid = self._event(day, back, self.rng.choice(others))
                rows.append(paid | {"event_type": "pay", "order_id": order, "amount": Decimal(self.rng.randrange(1, 9_999)) / 100})
        return rows

    def _versions(self, day: date, accounts: Iterable[str]) -> list[Row]:
        """What accounts state: keys that join them to others or no longer do, attributes, and the day of registration."""
        rows: dict[tuple[str, date], Row] = {}
        for account in accounts:
            valid_from = day - timedelta(days=self.rng.choice([-2, -1, 0, 1, 3, 40, 400]))
            keys = [account[:-1]] if self.rng.random() < 0.6 else []
            if self.rng.random() < 0.1:
                keys.append(f"k{self.rng.randrange(6)}")
            stated = {"gender": self.rng.choice(["f", "m", " "]), "birth_year": self.rng.choice(["1990", "unknown"]), "city": "Dayton"}
            kept = {name: value for name, value in stated.items() if self.rng.random() < 0.5}
            registered = _at(day - timedelta(days=self.rng.choice([-1, 0, 1, 2, 57, 400])), self.rng.choice([0, 23]), 30)
            rows[account, valid_from] = {
                "account_id": account, "namespace": "n", "source": "s", "platform": "shop", "valid_from": valid_from,
                "registered_at": self.rng.choice([None, registered]), "link_keys": sorted(keys), "attributes": kept,
            }  # fmt: skip
        return list(rows.values())


_DAY_COLUMNS = ("event_time", "event_date", "event_month", "event_hour")
_INGESTED: Row = {
    "source": "s", "target": "events", "ingested_at": datetime(2018, 6, 1, tzinfo=UTC), "files": 1, "read": 0, "duplicates": 0,
    "quarantined": 0, "retracted": 0, "ambiguous_times": 0, "nonexistent_times": 0, "mapping_hash": "h",
}  # fmt: skip


def _at(day: date, hour: int, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def _when(moment: datetime) -> Row:
    local = moment.astimezone(ZoneInfo(ZONE))
    day = local.date()
    return {"event_time": moment, "event_date": day, "event_month": day.replace(day=1), "event_hour": local.hour}


def _frame(lake: Lake, table: Table, rows: list[Row]) -> DataFrame:
    """Literal rows, parsed by Spark itself: to start a Python worker for each frame takes longer than the rest of a night."""
    schema = struct_of(table)
    text = F.lit(json.dumps(rows, default=_text))
    return lake.spark.range(1).select(F.inline(F.from_json(text, ArrayType(schema)))).select(*table.names).localCheckpoint()


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


class KilledError(BaseException):
    """What ends a stage as a kill would: no handler of the package takes it."""


def killed_after(lake: Lake, writes: int) -> Lake:
    """The same lake, on which the write after so many others never happens."""
    left, depth = [writes], [0]
    names = ("replace", "replace_where", "append", "insert_new", "delete", "delete_matching")

    def counted(name: str) -> Any:
        original = getattr(type(lake), name)

        def call(self: Lake, *args: Any, **kwargs: Any) -> Any:
            if not depth[0] and left[0] == 0:
                raise KilledError
            depth[0] += 1
            try:
                result = original(self, *args, **kwargs)
            finally:
                depth[0] -= 1
            left[0] -= not depth[0]
            return result

        return call

    doomed = copy(lake)
    doomed.__class__ = type("Doomed", (type(lake),), {name: counted(name) for name in names})
    return doomed
