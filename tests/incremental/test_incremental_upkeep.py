"""Upkeep puts files together, takes removed rows out of them and removes old days; the content of every table stays."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from feature_history import Event, at, write_history
from profile_rows import demo_conf, small_conf, write_features
from rich.console import Console
from settings import settings_of

from persona_spark import schema
from persona_spark.cli.app import begin
from persona_spark.config.tile_tables import account_day_table, user_features_table
from persona_spark.errors import LakeError
from persona_spark.lake.contract import frame_of
from persona_spark.lake.dates import on_day
from persona_spark.lake.files import compact, purge, vacuum
from persona_spark.lake.tables import Lake
from persona_spark.run_log import RunLog
from persona_spark.schema import EVENTS, FEATURES_STATE, LAKE, RUN_LOG, Table
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf
from persona_spark.upkeep import all_tables, run_upkeep
from persona_spark.upkeep_console import show_upkeep

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from persona_spark.config.load import Conf

DAY = date(2018, 1, 1)
MONTHS = (date(2018, 1, 1), date(2018, 2, 1))
OLD, BASE, LAST = DAY - timedelta(days=90), DAY - timedelta(days=60), DAY - timedelta(days=10)


def strict_conf() -> Conf:
    """The small configuration with a preference, which tiles need, and strict limits of upkeep."""
    conf = small_conf()
    category = demo_conf().features.preferences["category"]
    conf = replace(conf, features=conf.features.model_copy(update={"preferences": {"category": category}}))
    upkeep = conf.main.upkeep.model_copy(update={"files_a_partition": 1, "days": 30})
    return replace(conf, main=conf.main.model_copy(update={"upkeep": upkeep}))


def write_state(lake: Lake, day: date, base: date | None) -> None:
    row = {
        "as_of": day, "ingest_seq": 1, "definition": "d", "code": "c", "users": 1, "recomputed": 1, "base_as_of": base, "reasons": {},
    }  # fmt: skip
    lake.replace_where(frame_of(lake.spark, FEATURES_STATE, [row]), FEATURES_STATE, on_day(day))


def content(lake: Lake, table: Any) -> list[str]:
    return sorted(map(str, lake.read(table).collect()))


def test_upkeep_changes_no_value_and_keeps_what_is_needed(lake: Lake) -> None:
    conf = strict_conf()
    features, days = user_features_table(conf.features), account_day_table(conf.features)
    views = [Event("n:a", "view", at(DAY - timedelta(days=back)), seq=seq) for seq, back in ((1, 5), (1, 6), (2, 5), (2, 40), (2, 41))]
    write_history(lake, views)
    for seq in (1, 2):
        tile(lake, conf, AsOf(DAY, seq))
    # One of two rows of a month's only file.
    gone = lake.spark.createDataFrame([("n:a", DAY - timedelta(days=41))], "account_id string, event_date date")
    lake.delete_matching(gone, days, "true")
    for day, base in ((OLD, None), (BASE, None), (LAST, BASE)):
        write_features(lake, conf, day, {"ann": {"event_count_lifetime": 1}})
        write_state(lake, day, base)
    kept = [table for table in all_tables(conf) if lake.exists(table) and table.name not in {features.name, FEATURES_STATE.name}]
    before = {table.name: content(lake, table) for table in kept}
    done = {item.table: item for item in run_upkeep(lake, conf, RunLog(lake, "upkeep", datetime(2018, 1, 2, tzinfo=UTC)))}
    assert {table.name: content(lake, table) for table in kept} == before
    assert {EVENTS.name, days.name, features.name} <= set(done)
    assert (done[days.name].compacted, done[days.name].after.number < done[days.name].before.number) == (1, True)
    assert done[days.name].purged == 1
    # The base of a day that stays does too.
    assert done[features.name].removed == (OLD,)
    assert {row.as_of for row in lake.read(features).collect()} == {BASE, LAST}
    assert {row.as_of for row in lake.read(FEATURES_STATE).collect()} == {BASE, LAST}
    told = json.loads(lake.read(RUN_LOG).collect()[0].notes)
    assert (told["tables"], told["files_after"] < told["files_before"]) == (len(done), True)
    out = io.StringIO()
    show_upkeep(Console(file=out, width=160), list(done.values()))
    assert f"1 days removed, {OLD} to {OLD}" in out.getvalue()
    assert tile(lake, conf, AsOf(DAY, 2)).skipped


def test_a_new_lake_has_nothing_to_keep_up(lake: Lake) -> None:
    assert run_upkeep(lake, strict_conf(), RunLog(lake, "upkeep", datetime(2018, 1, 2, tzinfo=UTC))) == ()
    assert json.loads(lake.read(RUN_LOG).collect()[0].notes) == {"files_before": 0, "files_after": 0, "tables": 0}


def test_upkeep_makes_no_lake_where_there_is_none(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persona_spark.lake.session.build_session", lambda: spark)
    with pytest.raises(LakeError, match=r"there is no lake in .*mistyped: name it with --lake or --conf, or run persona run first"):
        begin(demo_conf(), str(tmp_path / "mistyped"), create=False)
    assert not (tmp_path / "mistyped").exists()


def test_no_table_is_forgotten() -> None:
    """Every table of the contracts changes but the one that says what a lake is."""
    contracts = {table.name for table in vars(schema).values() if isinstance(table, Table)}
    assert contracts - {table.name for table in all_tables(strict_conf())} == {LAKE.name}


def account_days(table: Table, accounts: str) -> list[dict[str, Any]]:
    """A day a month of accounts with names of one letter, month by month."""
    return [
        dict.fromkeys(table.names, 1) | {"account_id": name, "event_date": month, "event_month": month}
        for month in MONTHS
        for name in accounts
    ]


def test_removed_rows_leave_the_files(lake: Lake, tmp_path: Path) -> None:
    table = account_day_table(small_conf().features)
    frame = frame_of(lake.spark, table, account_days(table, "abc"))
    lake.replace(frame.coalesce(1), table)
    whole = lake.read(table).inputFiles()
    assert (len(whole), purge(lake, table)) == (2, 0)
    gone = lake.spark.createDataFrame([("b", MONTHS[0])], "account_id string, event_date date")
    lake.delete_matching(gone, table, "true")
    left = content(lake, table)
    assert (len(left), len(in_files(lake, lake.read(table).inputFiles()))) == (5, 6)
    # Two files are no crowd, and a row in three not many: compaction leaves them.
    assert (compact(lake, table, 8), purge(lake, table), purge(lake, table)) == (0, 1, 0)
    assert content(lake, table) == left
    assert len(set(lake.read(table).inputFiles()) & set(whole)) == 1
    with settings_of(lake.spark, {"spark.databricks.delta.retentionDurationCheck.enabled": "false"}):
        lake.native(table).vacuum(0)
    everything = [str(path) for path in (tmp_path / "lake" / table.name).rglob("*.parquet")]
    assert sorted(in_files(lake, everything)) == ["a", "a", "b", "c", "c"]


def test_only_partitions_with_small_files_count_as_put_together_wherever_the_lake_is(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, path=tmp_path / "event_month=2017-01-01" / "lake")
    table = account_day_table(small_conf().features)
    rows = account_days(table, "abcd")
    first, second = (frame_of(lake.spark, table, part).coalesce(1) for part in (rows[:7], rows[7:]))
    lake.replace(first, table)
    lake.replace_where(second, table, "event_month = DATE'2018-02-01' AND account_id = 'd'")
    assert len(lake.read(table).inputFiles()) == 3
    with settings_of(spark, {"spark.databricks.delta.optimize.minFileSize": "1"}):
        assert compact(lake, table, 1) == 0
    assert (compact(lake, table, 1), len(lake.read(table).inputFiles())) == (1, 2)


def in_files(lake: Lake, files: list[str]) -> list[str]:
    """Accounts in Parquet files, whatever Delta says of their rows."""
    return [row.account_id for row in lake.spark.read.parquet(*files).select("account_id").collect()]


def test_files_that_may_still_be_read_are_not_deleted(lake: Lake) -> None:
    with pytest.raises(LakeError, match="keep those of 7 days or more"):
        vacuum(lake, EVENTS, 6)
