"""`tag_history`: what was gained and lost at an as_of against the one before it, in whatever order they are run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from nights import KilledError, killed_after
from profile_rows import feature_rows, small_conf, write_features
from pyspark.sql import functions as F

from persona_spark.config.tile_tables import user_features_table
from persona_spark.errors import LakeError
from persona_spark.lake.contract import frame_of
from persona_spark.lake.day_state import SCORES, TAGS, check_day, end_day
from persona_spark.schema import EXPIRED_DAY, TAG_HISTORY, USER_SCORES, USER_TAGS
from persona_spark.tags.tag import tag
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from persona_spark.lake.memory import MemoryLake
    from persona_spark.lake.tables import Lake

FIRST, SECOND, THIRD = date(2018, 1, 1), date(2018, 1, 2), date(2018, 1, 5)
BUYER, REVIEWER = {"order_count_90d": 6}, {"review_count_365d": 3}
USERS = {
    FIRST: {"keeps": BUYER, "loses": BUYER, "gains": {}, "vanishes": BUYER, "never": {}},
    SECOND: {"keeps": BUYER, "loses": {}, "gains": REVIEWER, "never": {}},
    THIRD: {"keeps": {**BUYER, **REVIEWER}, "loses": BUYER, "gains": REVIEWER, "comes": BUYER, "never": {}},
}
EXPECTED = {
    FIRST: {("keeps", "frequent_buyer", "gained"), ("loses", "frequent_buyer", "gained"), ("vanishes", "frequent_buyer", "gained")},
    SECOND: {("loses", "frequent_buyer", "lost"), ("gains", "reviewer", "gained"), ("vanishes", "frequent_buyer", "lost")},
    THIRD: {("keeps", "reviewer", "gained"), ("loses", "frequent_buyer", "gained"), ("comes", "frequent_buyer", "gained")},
}


@pytest.fixture
def prepared(memory: MemoryLake) -> Lake:
    """Features and scores of all days."""
    conf = small_conf()
    frames = [feature_rows(memory, conf, day, users) for day, users in USERS.items()]
    memory.replace(reduce(lambda one, other: one.union(other), frames), user_features_table(conf.features))
    same = {"rfm_segment": "lost", "lifecycle_stage": "active"}
    rows = [{**same, "as_of": day, "user_id": user} for day, users in USERS.items() for user in users]
    memory.replace(frame_of(memory.spark, USER_SCORES, rows), USER_SCORES)
    for day in USERS:
        end_day(memory, SCORES, conf, AsOf(day, 1))
    return memory


def run(lake: Lake, day: date) -> None:
    tag(lake, small_conf(), AsOf(day, 1))


def history(lake: Lake) -> dict[date, set[tuple[str, str, str]]]:
    found: dict[date, set[tuple[str, str, str]]] = {}
    rows = lake.read(TAG_HISTORY).collect()
    for row in rows:
        found.setdefault(row.as_of, set()).add((row.user_id, row.tag, row.change))
    assert len(rows) == sum(map(len, found.values()))
    return found


def test_history_is_the_same_in_whatever_order_days_are_run_and_however_often(prepared: Lake) -> None:
    for day in (FIRST, THIRD):
        run(prepared, day)
    assert history(prepared)[THIRD] != EXPECTED[THIRD]
    for day in (SECOND, SECOND):
        run(prepared, day)
    assert history(prepared) == EXPECTED
    assert prepared.read(USER_TAGS).where(F.col("as_of") == F.lit(THIRD)).count() == 5


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_killed_day_leaves_no_gap_in_the_history(prepared: Lake, writes: int) -> None:
    """Killed after it began, after its rows, after its history."""
    run(prepared, FIRST)
    with pytest.raises(KilledError):
        tag(killed_after(prepared, writes), small_conf(), AsOf(SECOND, 1))
    run(prepared, THIRD)
    assert (history(prepared) == EXPECTED) == (writes > 1), "a day without rows was never there"
    with pytest.raises(LakeError, match=r"user_tags as of 2018-01-02 was not made, or the run that made it did not end: run persona tag"):
        check_day(prepared, TAGS, small_conf(), AsOf(SECOND, 1))
    run(prepared, SECOND)
    assert history(prepared) == EXPECTED
    check_day(prepared, TAGS, small_conf(), AsOf(SECOND, 1))


def test_two_killed_days_before_one_that_expired_are_told_together(prepared: Lake) -> None:
    """What was held on the expired day is told by the history alone, so no day may be told on what another one has just changed."""
    conf, between = small_conf(), SECOND + timedelta(days=1)
    write_features(prepared, conf, between, USERS[SECOND])
    same = prepared.read(USER_SCORES).where(F.col("as_of") == F.lit(SECOND)).withColumn("as_of", F.lit(between))
    prepared.replace_where(same, USER_SCORES, f"as_of = DATE'{between}'")
    end_day(prepared, SCORES, conf, AsOf(between, 1))
    for day in (FIRST, THIRD):
        run(prepared, day)
    gone = frame_of(prepared.spark, EXPIRED_DAY, [{"table_name": USER_TAGS.name, "as_of": THIRD}])
    prepared.replace(gone, EXPIRED_DAY)
    prepared.delete(USER_TAGS, f"as_of = DATE'{THIRD}'")
    with pytest.raises(KilledError):
        tag(killed_after(prepared, 2), conf, AsOf(SECOND, 1))
    run(prepared, between)
    assert history(prepared) == EXPECTED


def test_a_killed_day_on_which_nobody_holds_a_tag_any_more_is_told(prepared: Lake) -> None:
    for day in (FIRST, SECOND):
        run(prepared, day)
    write_features(prepared, small_conf(), SECOND, {"keeps": {}})
    with pytest.raises(KilledError):
        tag(killed_after(prepared, 2), small_conf(), AsOf(SECOND, 1))
    assert history(prepared)[SECOND] == EXPECTED[SECOND]
    run(prepared, THIRD)
    assert {(user, change) for user, _, change in history(prepared)[SECOND]} == {("keeps", "lost"), ("loses", "lost"), ("vanishes", "lost")}
    assert {change for *_, change in history(prepared)[THIRD]} == {"gained"}


def test_scores_of_another_ingest_or_by_other_definitions_are_refused(prepared: Lake) -> None:
    conf = small_conf()
    write_features(prepared, conf, FIRST, {"keeps": {"ingest_seq": 2}})
    with pytest.raises(LakeError, match=r"user_scores as of 2018-01-01 knows ingest 1, not 2: run persona score --as-of 2018-01-01 first"):
        tag(prepared, conf, AsOf(FIRST, 2))
    stages = conf.scores.lifecycle[::-1]
    other = replace(conf, scores=conf.scores.model_copy(update={"lifecycle": stages}))
    with pytest.raises(LakeError, match=r"was made by other definitions or other code than those in use: run persona score"):
        tag(prepared, other, AsOf(SECOND, 1))


def test_day_on_which_nobody_holds_a_tag_counts(prepared: Lake) -> None:
    write_features(prepared, small_conf(), SECOND, {"keeps": {}})
    for day in (FIRST, SECOND, THIRD):
        run(prepared, day)
    assert {change for *_, change in history(prepared)[SECOND]} == {"lost"}
    assert {change for *_, change in history(prepared)[THIRD]} == {"gained"}
    assert len(history(prepared)[THIRD]) == 5


def test_day_without_features_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"run persona features --as-of 2018-01-01 first"):
        run(lake, FIRST)
