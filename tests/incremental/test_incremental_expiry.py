"""Old days that upkeep removed: whatever is run afterwards, also back in time, leaves what it would leave with all days there."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from narrow_shop import FIRST, NarrowShop, build_narrow_shop
from nights import KilledError, killed_after
from profile_rows import small_conf, write_features
from pyspark.sql import functions as F
from release_inputs import put
from settings import settings_of

from persona_spark.features import plan
from persona_spark.identity.identify import identify
from persona_spark.lake.day_state import SCORES, TAGS, begin_day, end_day
from persona_spark.lake.days import day_tables, expire_days
from persona_spark.lake.memory import MemoryLake
from persona_spark.lake.tables import Lake
from persona_spark.schema import ACCOUNTS, DAY_STATE, FEATURES_STATE, IDENTITY, TAG_HISTORY, USER_ALIAS, USER_SCORES, USER_TAGS
from persona_spark.tags.tag import tag
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.schema import Table

HELD: tuple[dict[str, int], ...] = ({}, {"order_count_90d": 6}, {"review_count_365d": 3}, {"order_count_90d": 6, "review_count_365d": 3})
ACCOUNT_NAMES = [f"n:a{number}" for number in range(12)]
IDENTIFIED = (0, 2, 3, 8)
"""Nights that look for users, which takes most of the time."""
USERS = ("ann", "bob", "cem", "dan", "eve")


@pytest.fixture(autouse=True)
def _few_tasks(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plan, "LARGEST_SHARE", 1.0)
    with settings_of(spark, {"spark.sql.shuffle.partitions": "1"}):
        yield


def on(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def days(lake: Lake, table: Table) -> set[date]:
    return {row.as_of for row in lake.read(table).select("as_of").distinct().collect()}


def check_same(one: DataFrame, other: DataFrame) -> None:
    """The same rows, each as often."""
    assert not one.isEmpty()
    assert one.exceptAll(other).collect() == []
    assert other.exceptAll(one).collect() == []


@dataclass
class Twins:
    """Two lakes to which the same is sent and on which the same days are run; days of the first expire."""

    expiring: MemoryLake
    whole: MemoryLake
    rng: random.Random = field(default_factory=lambda: random.Random(3))
    seq: int = 0

    def night(self, offset: int) -> None:
        """Some accounts state other keys and some users do other things; then users, of some days, and tags are found."""
        self.seq += 1
        day = on(offset)
        versions = [
            {"account_id": name, "namespace": "n", "source": "s", "platform": "shop", "valid_from": on(self.rng.choice([-9, 0, 1, 3])),
             "link_keys": [f"k{self.rng.randrange(4)}"], "ingest_seq": self.seq}
            for name in (ACCOUNT_NAMES if self.seq == 1 else self.rng.sample(ACCOUNT_NAMES, 3))
        ]  # fmt: skip
        held = {user: self.rng.choice(HELD) for user in self.rng.sample(USERS, 4)}
        scores = [{"as_of": day, "user_id": user, "rfm_segment": "lost", "lifecycle_stage": "active"} for user in held]
        conf, condition = small_conf(), f"as_of = DATE'{day}'"
        for lake in (self.expiring, self.whole):
            put(lake, ACCOUNTS, versions, f"ingest_seq = {self.seq}")
            if offset in IDENTIFIED:
                identify(lake, conf, AsOf(day, self.seq))
            write_features(lake, conf, day, {user: {**stated, "ingest_seq": self.seq} for user, stated in held.items()})
            put(lake, USER_SCORES, scores, condition)
            end_day(lake, SCORES, conf, AsOf(day, self.seq))
            tag(lake, conf, AsOf(day, self.seq))

    def expire(self, kept: int, lake: Lake | None = None) -> dict[str, tuple[date, ...]]:
        return expire_days(lake or self.expiring, small_conf().features, kept)

    def check(self) -> None:
        """All that stays for ever, and what the days that are left say."""
        for table in (USER_ALIAS, TAG_HISTORY):
            check_same(self.expiring.read(table), self.whole.read(table))
        for table in (IDENTITY, USER_TAGS):
            left = self.expiring.read(table)
            check_same(left, self.whole.read(table).where(F.col("as_of").isin(*days(self.expiring, table))))


def test_history_is_told_as_with_all_days_there_back_in_time_and_after_kills(spark: SparkSession, tmp_path: Path) -> None:
    twins = Twins(MemoryLake(Lake(spark, path=tmp_path / "expiring")), MemoryLake(Lake(spark, path=tmp_path / "whole")))
    for offset in (0, 1, 2, 4, 8):
        twins.night(offset)
    gone = {USER_ALIAS: on(2), TAG_HISTORY: on(1)}
    assert all(day in days(twins.whole, table) for table, day in gone.items()), "too little changes for the comparison to say anything"
    # After the rows of features and scores, and the record of tags: the rows of tags, segments and identity are still there.
    with pytest.raises(KilledError):
        twins.expire(4, killed_after(twins.expiring, 5))
    assert (days(twins.expiring, USER_SCORES), on(1) in days(twins.expiring, USER_TAGS)) == ({on(4), on(8)}, True)
    twins.night(1)
    twins.check()
    assert twins.expire(4)[USER_TAGS.name] == (on(0), on(1), on(2))
    assert (days(twins.expiring, IDENTITY), days(twins.expiring, USER_TAGS)) == ({on(8)}, {on(4), on(8)})
    # Before all days that expired, on a day that never was, and at the edge of what stayed.
    for offset in (0, 3, 4):
        twins.night(offset)
    twins.check()
    gone_now = twins.expire(1)
    assert (gone_now[IDENTITY.name], gone_now[USER_TAGS.name]) == ((on(0), on(3)), (on(0), on(3), on(4)))
    # Between days that expired, and on.
    for offset in (3, 9):
        twins.night(offset)
    twins.check()
    # A day whose run did not end stays until its history is told; marks go with their days.
    begin_day(twins.expiring, TAGS, on(3))
    twins.expire(1)
    old = twins.expiring.read(DAY_STATE).where(F.col("as_of") < F.lit(on(8)))
    assert {(row.table_name, row.as_of) for row in old.collect()} == {(USER_TAGS.name, on(3))}
    assert (on(3) in days(twins.expiring, USER_TAGS), on(3) in days(twins.expiring, USER_SCORES)) == (True, False)
    twins.night(9)
    twins.expire(1)
    assert on(3) not in days(twins.expiring, USER_TAGS)


def test_a_day_that_expired_is_computed_again_as_it_was(spark: SparkSession, tmp_path: Path) -> None:
    shop: NarrowShop = build_narrow_shop(spark, tmp_path)
    # Nobody in this shop holds a tag on the day.
    lake, tables = shop.lake, [table for table in day_tables(shop.conf.features) if table is not USER_TAGS]
    made = {table.name: lake.read(table).localCheckpoint() for table in tables}
    for offset in (40, 41):
        shop.run(on(offset), f"day {offset}")
    # The base of a day that stays does too; the serving day does, however old it is.
    assert not any(expire_days(lake, shop.conf.features, 1, FIRST).values())
    assert not any(expire_days(lake, shop.conf.features, 1).values())
    lake.replace(lake.read(FEATURES_STATE).withColumn("base_as_of", F.lit(None).cast("date")), FEATURES_STATE)
    assert not any(expire_days(lake, shop.conf.features, 1, FIRST).values())
    gone = expire_days(lake, shop.conf.features, 1)
    assert {name: days for name, days in gone.items() if days} == {table.name: (FIRST,) for table in tables}
    assert not any(expire_days(lake, shop.conf.features, 1).values())
    shop.run(FIRST, "again")
    for table in (item for item in tables if item is not FEATURES_STATE):
        check_same(lake.read(table).where(F.col("as_of") == F.lit(FIRST)), made[table.name])
