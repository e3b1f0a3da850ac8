"""Publishing: order of the commits, ids, kills, audits, rollback; readers see one whole release."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from profile_rows import small_conf
from pyspark.sql import functions as F
from release_inputs import FIRST, MODEL, SECOND, write_days, write_model

from persona_spark.config.features import FeaturesSpec
from persona_spark.errors import AuditError, LakeError, UsageError
from persona_spark.lake.day_state import SEGMENTS, TAGS, end_day
from persona_spark.lake.tables import Lake, max_of
from persona_spark.profiles import Profiles, ledger, profile_of
from persona_spark.profiles.ledger import Release, record, release_id
from persona_spark.profiles.publish import is_current, publish, repair, rollback, withdraw
from persona_spark.profiles.tables import user_profile_history_table, user_profile_table
from persona_spark.schema import DAY_STATE, IDENTITY, PROFILE_RELEASE, USER_TAGS
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyspark.sql import SparkSession

    from persona_spark.config.load import Conf


def copy_of(spark: SparkSession, folder: Path, tmp_path: Path) -> Lake:
    shutil.copytree(folder, tmp_path / "lake")
    return Lake(spark, path=tmp_path / "lake")


def name_of(as_of: AsOf) -> str:
    return release_id(small_conf(), as_of, MODEL)


def entries(lake: Lake) -> list[tuple[int, str, str, bool]]:
    rows = lake.read(PROFILE_RELEASE).orderBy("seq").collect()
    return [(row.seq, row.release_id, row.state, row.serving) for row in rows]


def content(lake: Lake) -> list[str]:
    return sorted(map(str, lake.read(user_profile_table(small_conf())).collect()))


def served(lake: Lake) -> set[str]:
    return {row.release_id for row in lake.read(user_profile_table(small_conf())).select("release_id").distinct().collect()}


def versions(lake: Lake) -> dict[str, int]:
    tables = (user_profile_history_table(small_conf()), user_profile_table(small_conf()), PROFILE_RELEASE)
    return {table.name: lake.native(table).history(1).collect()[0].version for table in tables}


def test_each_table_gets_a_release_in_one_commit(spark: SparkSession, published_once: Path) -> None:
    """Version 0 is the empty table; the ledger has an entry a state."""
    lake, first = Lake(spark, path=published_once), name_of(FIRST)
    assert versions(lake) == {"user_profile_history": 1, "user_profile": 1, "profile_release": 3}
    assert entries(lake) == [(1, first, "staged", False), (2, first, "audited", False), (3, first, "published", True)]
    assert served(lake) == {first}
    manifest = json.loads(Profiles(spark, lake).releases().collect()[0].manifest)
    assert (manifest["model"], manifest["ingest_seq"], manifest["users"]) == (MODEL, 1, 3)
    assert manifest["ingests"][0]["loaded"] == 4
    assert all(item["passed"] for item in manifest["audits"])
    assert manifest["null_rates"]["gender"] == pytest.approx(2 / 3)


def test_release_id_is_a_function_of_what_decides_the_content() -> None:
    conf = small_conf()
    one = release_id(conf, FIRST, MODEL)
    assert one == release_id(replace(conf), AsOf(date(2018, 1, 1), 1), MODEL)
    assert one.startswith("20180101-")
    tags = conf.tags.model_copy(update={"tags": {**conf.tags.tags, "reviewer": conf.tags.tags["frequent_buyer"]}})
    others = [
        release_id(conf, SECOND, MODEL),
        release_id(conf, AsOf(FIRST.date, 2), MODEL),
        release_id(conf, FIRST, "other"),
        release_id(conf, FIRST, None),
        release_id(replace(conf, tags=tags), FIRST, MODEL),
    ]
    assert len({one, *others}) == 6


class Killed(Exception):  # noqa: N818 - not an error of the package
    """The process died here."""


def die_after(monkeypatch: pytest.MonkeyPatch, method: str, calls: int, *, before: bool = False) -> None:
    original: Callable[..., Any] = getattr(Lake, method)
    seen = {"calls": 0}

    def killed(*arguments: Any, **named: Any) -> Any:
        seen["calls"] += 1
        last = seen["calls"] == calls
        if last and before:
            raise Killed
        result = original(*arguments, **named)
        if last:
            raise Killed
        return result

    monkeypatch.setattr(Lake, method, killed)


KILLS = [("replace_where", 1, False), ("insert_new", 1, False), ("insert_new", 2, False), ("insert_new", 3, False), ("replace", 1, True)]
"""After the history was written, after each entry of the ledger, before `user_profile` is replaced."""


def test_run_after_kills_equals_one_without(
    spark: SparkSession, published_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, conf = copy_of(spark, published_once, tmp_path), small_conf()
    old, first, second = content(lake), name_of(FIRST), name_of(SECOND)
    for method, calls, before in KILLS:
        with monkeypatch.context() as patch:
            die_after(patch, method, calls, before=before)
            with pytest.raises(Killed):
                publish(lake, conf, SECOND)
        assert content(lake) == old, f"{method} {calls}"
    publish(lake, conf, SECOND)
    assert served(lake) == {second}
    assert [row.replace(second, first).replace("(2018, 1, 2)", "(2018, 1, 1)") for row in content(lake)] == old
    counts = lake.read(user_profile_history_table(conf)).groupBy("release_id").count().collect()
    assert {(row.release_id, row["count"]) for row in counts} == {(first, 3), (second, 3)}
    assert entries(lake)[-1][1:] == (second, "published", True)
    assert sum(serving for *_, serving in entries(lake)) == 2
    at_rest = versions(lake)
    again = publish(lake, conf, SECOND)
    assert (again.skipped, again.notes["release"], versions(lake)) == (True, second, at_rest)


@pytest.mark.parametrize(("table", "command"), [("user_scores", "score"), ("user_tags", "tag"), ("user_segments", "segments assign")])
def test_parts_that_a_run_did_not_end_are_not_published(
    spark: SparkSession, published_once: Path, tmp_path: Path, table: str, command: str
) -> None:
    lake = copy_of(spark, published_once, tmp_path)
    old = content(lake)
    lake.delete(DAY_STATE, f"table_name = '{table}' AND as_of = DATE'{SECOND.date}'")
    with pytest.raises(LakeError, match=rf"{table} as of 2018-01-02 was not made.*run persona {command} --as-of 2018-01-02 first"):
        publish(lake, small_conf(), SECOND)
    assert content(lake) == old


def test_failed_audit_leaves_the_serving_release(spark: SparkSession, published_once: Path, tmp_path: Path) -> None:
    lake, conf = copy_of(spark, published_once, tmp_path), small_conf()
    old = content(lake)
    lake.delete(IDENTITY, "as_of = '2018-01-02' AND user_id = 'bob'")
    with pytest.raises(AuditError) as caught:
        publish(lake, conf, SECOND)
    assert "was rejected; the serving release stays as it was" in str(caught.value)
    assert "users of identity: found 3, expected 2" in str(caught.value)
    assert "orders paid in the events: found 3, expected 2" in str(caught.value)
    assert caught.value.exit_code == 1
    assert content(lake) == old
    assert entries(lake)[-1] == (5, name_of(SECOND), "rejected", False)
    assert not is_current(lake, conf, SECOND)
    assert not repair(lake, conf)
    with pytest.raises(UsageError, match="is rejected: only a published release can serve"):
        rollback(lake, conf, name_of(SECOND))
    with pytest.raises(UsageError, match="there is no published release"):
        Profiles(spark, lake).release(name_of(SECOND))


def test_definitions_that_are_changed_back_bring_their_release_back(spark: SparkSession, release_inputs: Path, tmp_path: Path) -> None:
    lake, conf = copy_of(spark, release_inputs, tmp_path), small_conf()
    reviewer = conf.tags.tags["reviewer"].model_copy(update={"action": "another action"})
    changed = replace(conf, tags=conf.tags.model_copy(update={"tags": {**conf.tags.tags, "reviewer": reviewer}}))
    names = name_of(FIRST), release_id(changed, FIRST, MODEL)
    publish(lake, conf, FIRST)
    end_day(lake, TAGS, changed, FIRST)
    end_day(lake, SEGMENTS, changed, FIRST)
    publish(lake, changed, FIRST)
    assert served(lake) == {names[1]}
    again = publish(lake, conf, FIRST)
    assert (again.skipped, again.notes) == (False, {"release": names[0], "repaired": True})
    assert served(lake) == {names[0]}
    assert publish(lake, conf, FIRST).skipped
    assert not publish(lake, changed, FIRST).skipped
    assert served(lake) == {names[1]}
    assert not publish(lake, conf, FIRST).skipped
    # What somebody chose stays, whoever runs again.
    rollback(lake, conf, names[1])
    assert publish(lake, conf, FIRST).skipped
    assert served(lake) == {names[1]}


def test_backfill_rollback_and_withdrawal(spark: SparkSession, release_inputs: Path, tmp_path: Path) -> None:
    lake, conf = copy_of(spark, release_inputs, tmp_path), small_conf()
    first, second = name_of(FIRST), name_of(SECOND)
    publish(lake, conf, SECOND)
    result = publish(lake, conf, FIRST)
    assert result.notes["serving"] is False
    assert served(lake) == {second}
    assert Profiles(spark, lake).as_of(FIRST.date).count() == 3

    rollback(lake, conf, first)
    assert served(lake) == {first}
    assert entries(lake)[-1] == (7, first, "published", True)
    assert publish(lake, conf, SECOND).skipped
    assert served(lake) == {first}

    with pytest.raises(UsageError, match="is serving: let another one serve first"):
        withdraw(lake, first)
    withdraw(lake, second)
    assert [row.state for row in Profiles(spark, lake).releases().collect()] == ["withdrawn", "published"]
    with pytest.raises(UsageError, match="is withdrawn: only a published release can serve"):
        rollback(lake, conf, second)
    with pytest.raises(LakeError, match="was withdrawn, and the same inputs give the same release"):
        publish(lake, conf, SECOND)
    with pytest.raises(UsageError, match="release 20991231-0 is not in the ledger"):
        withdraw(lake, "20991231-0")
    assert served(lake) == {first}


def test_segments_of_another_model_are_not_published(spark: SparkSession, published_once: Path, tmp_path: Path) -> None:
    lake = copy_of(spark, published_once, tmp_path)
    write_model(lake, "2018-01-02-newer")
    with pytest.raises(LakeError, match=r"assigned by 2017-12-31-model, the live model is 2018-01-02-newer: run persona segments assign"):
        publish(lake, small_conf(), SECOND)


def entry(name: str) -> Release:
    return Release(name, FIRST.date, 1, 3, "{}")


def test_of_two_writers_of_the_ledger_one_fails(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    record(lake, entry("r0"), "staged")
    barrier, original = threading.Barrier(2), max_of

    def together(*arguments: Any) -> int:
        found = original(*arguments)
        barrier.wait(60)
        return found

    monkeypatch.setattr(ledger, "max_of", together)
    outcomes: dict[str, str] = {}

    def write(name: str) -> None:
        try:
            record(lake, entry(name), "staged")
            outcomes[name] = "written"
        except LakeError as error:
            outcomes[name] = str(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("r1", "r2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(text == "written" for text in outcomes.values()) == [False, True]
    assert any("run again" in text for text in outcomes.values())
    assert [seq for seq, *_ in entries(lake)] == [1, 2]


def test_writer_that_comes_late_does_not_take_the_other_ones_entry_for_its_own(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    record(lake, entry("r1"), "staged")
    monkeypatch.setattr(ledger, "max_of", lambda *_: 0)
    with pytest.raises(LakeError, match="entry 1 of the ledger was written by another run at the same time"):
        record(lake, entry("r2"), "staged")
    assert [name for _, name, *_ in entries(lake)] == ["r1"]


def changed(conf: Conf) -> Conf:
    """One measure more, one less."""
    content = conf.features.model_dump(mode="json")
    measures = {name: value for name, value in content["measures"].items() if name != "review_count"}
    new = {**measures, "like_count": {**measures["event_count"], "label": {"en": "Likes", "zh": "点赞"}}}
    tags = conf.tags.model_copy(update={"tags": {"frequent_buyer": conf.tags.tags["frequent_buyer"]}})
    return replace(conf, features=FeaturesSpec.model_validate({**content, "measures": new}), tags=tags)


def test_columns_may_come_and_go_between_releases(spark: SparkSession, published_once: Path, tmp_path: Path) -> None:
    lake, conf = copy_of(spark, published_once, tmp_path), changed(small_conf())
    write_days(lake, conf, SECOND.date)
    lake.delete(USER_TAGS, "tag = 'reviewer'")
    publish(lake, conf, SECOND)
    columns = lake.read(user_profile_table(conf)).columns
    assert "like_count_30d" in columns
    assert "review_count_30d" not in columns
    rollback(lake, conf, name_of(FIRST))
    rows = lake.read(user_profile_table(conf)).select("release_id", "like_count_30d", "order_count_lifetime").collect()
    assert {(row.release_id, row.like_count_30d) for row in rows} == {(name_of(FIRST), None)}


def test_readers_find_releases_and_say_what_there_is(spark: SparkSession, published_once: Path) -> None:
    lake = Lake(spark, path=published_once)
    profiles = Profiles(spark, str(published_once))
    name = name_of(FIRST)
    for frame in (profiles.latest(), profiles.as_of(FIRST.date), profiles.as_of("2018-01-01"), profiles.release(name)):
        assert sorted(row.user_id for row in frame.where(F.col("release_id") == F.lit(name)).collect()) == ["ann", "bob", "cem"]
    with pytest.raises(UsageError, match="there is no release as of 2018-01-02; the latest are 2018-01-01"):
        profiles.as_of(SECOND.date)
    with pytest.raises(UsageError, match="'yesterday' is not a date"):
        profiles.as_of("yesterday")
    with pytest.raises(UsageError, match="0001-01-01 lies outside of 1970-01-02 to 2999-12-31"):
        profiles.as_of("0001-01-01")
    with pytest.raises(UsageError, match=f"there is no published release x; the latest are {name}"):
        profiles.release("x")
    assert [(row.release_id, row.serving) for row in profiles.releases().collect()] == [(name, True)]
    assert profile_of(lake, "ann")["tags"] == ["frequent_buyer", "reviewer"]
    assert profile_of(lake, "n:ann")["paid_amount_lifetime"] == Decimal("150.01")
    assert (profile_of(lake, "cem")["tags"], profile_of(lake, "cem")["segment_id"]) == ([], None)
    with pytest.raises(UsageError, match=r"nobody in the serving release has the user or account id 'zoe'; an id looks like"):
        profile_of(lake, "zoe")


def test_lake_without_releases_says_so(lake: Lake) -> None:
    with pytest.raises(LakeError, match="nothing has been published"):
        Profiles(lake.spark, lake).latest()
    assert Profiles(lake.spark, lake).releases().count() == 0
    assert not repair(lake, small_conf())
