"""A plan says what the run then does; verify finds every value that is not what the events say; upkeep changes none."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from narrow_shop import FIRST, SECOND, NarrowShop, build_narrow_shop, with_upkeep
from plain_plans import SETTINGS, settings_of
from pyspark.sql import functions as F
from rich.console import Console

from persona_spark import pipeline
from persona_spark.cli import main
from persona_spark.config.tile_tables import account_day_table, user_features_table
from persona_spark.errors import LakeError, UsageError
from persona_spark.features import plan as feature_plans
from persona_spark.lake.info import open_lake
from persona_spark.plan_console import show_plan
from persona_spark.profiles.ledger import last_entry, serving_entry
from persona_spark.profiles.tables import user_profile_history_table
from persona_spark.run_plan import RunPlan, plan_run
from persona_spark.schema import FEATURES_STATE, RUN_LOG
from persona_spark.upkeep import all_tables, run_upkeep
from persona_spark.upkeep_console import show_upkeep
from persona_spark.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.lake.tables import Lake


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NarrowShop]:
    """The release of the first day; the tests below go on from there, in their order."""
    with settings_of(spark, SETTINGS):
        yield build_narrow_shop(spark, tmp_path_factory.mktemp("narrow"))


def printed(show: Callable[..., None], *arguments: Any) -> str:
    text = io.StringIO()
    show(Console(file=text, width=160), *arguments)
    return text.getvalue()


def notes(shop: NarrowShop, run: str, stage: str) -> dict[str, Any]:
    """What a stage of a run told, without the rows of each tile."""
    row = shop.lake.read(RUN_LOG).where((F.col("run_id") == run) & (F.col("stage") == stage)).collect()[0]
    return dict(json.loads(row.notes))


def agree(plan: RunPlan, shop: NarrowShop, run: str) -> None:
    told = notes(shop, run, "tile")
    assert dict(plan.tiles) == {name: told[name] for name in plan.tiles}
    assert plan.tiles.keys() == told.keys() - {table.name for table in all_tables(shop.conf)}
    assert dict(plan.features) == notes(shop, run, "features")


def files_of(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if path.is_file()}


def test_a_plan_of_a_lake_that_does_not_exist_creates_none(shop: NarrowShop, spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    lake = open_lake(spark, shop.conf.main.lake, shop.conf.folder, str(folder), create=False)
    plan = plan_run(lake, shop.conf, FIRST)
    assert (plan.as_of.ingest_seq, dict(plan.waiting)) == (0, {"tiny_events": 1, "tiny_accounts": 1})
    text = printed(show_plan, plan)
    assert "2 new files wait" in text
    assert "everything will be made for the first time" in text
    assert not folder.exists()


def test_the_plan_of_a_night_is_what_the_run_reports_and_what_the_manifest_says(shop: NarrowShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_plans, "LARGEST_SHARE", 1.0)
    published = plan_run(shop.lake, shop.conf, FIRST)
    assert published.published == serving_entry(shop.lake).release_id  # type: ignore[union-attr]
    shop.send_late()
    assert "1 new files wait and are not counted below" in printed(show_plan, plan_run(shop.lake, shop.conf, SECOND))
    pipeline.run_ingest(shop.lake, shop.conf, shop.log("night"))
    before = files_of(shop.folder)
    plan = plan_run(shop.lake, shop.conf, SECOND)
    assert files_of(shop.folder) == before
    assert plan.exact
    assert plan.features["base"] == f"{FIRST} at ingest 2"
    assert (plan.tiles["new_events"], plan.tiles["anew"]) == (12, False)
    text = printed(show_plan, plan)
    assert f"{plan.features['recomputed']:,}  computed from tiles" in text
    assert f"{plan.stored:,} stored in user_features, {plan.columns:,} published" in text
    pipeline.run(shop.lake, shop.conf, SECOND, shop.log("night"))
    agree(plan, shop, "night")
    manifest = json.loads(serving_entry(shop.lake).manifest)  # type: ignore[union-attr]
    features = manifest["features"]
    assert features["base"] == {"as_of": str(FIRST), "ingest_seq": 2}
    assert (features["recomputed"], features["carried"]) == (plan.features["recomputed"], plan.features["carried"])
    assert features["reasons"] == {name: count for name, count in plan.features.items() if name in features["reasons"]}
    assert manifest["tiles"] == {"since": 2, "why_anew": None} | {name: count for name, count in plan.tiles.items() if name != "anew"}


def test_verify_finds_nothing_in_releases_that_nobody_touched(shop: NarrowShop) -> None:
    before = files_of(shop.folder)
    for release in shop.lake.read(FEATURES_STATE).select("as_of").collect():
        entry = shop.lake.read(user_profile_history_table(shop.conf)).where(F.col("as_of") == F.lit(release.as_of)).first()
        assert entry is not None
        found = verify(shop.lake, shop.conf, entry.release_id)
        assert found.holds, found
        assert found.users == 40
    assert files_of(shop.folder) == before


def tamper(shop: NarrowShop, change: Callable[[DataFrame], DataFrame]) -> None:
    table = user_profile_history_table(shop.conf)
    name = serving_entry(shop.lake).release_id  # type: ignore[union-attr]
    rows = shop.lake.read(table).where(F.col("release_id") == F.lit(name)).localCheckpoint()
    shop.lake.replace_where(change(rows).select(*table.names), table, f"release_id = '{name}'")


def test_verify_finds_a_changed_value_a_lost_and_an_extra_user(shop: NarrowShop, capsys: pytest.CaptureFixture[str]) -> None:
    table = user_profile_history_table(shop.conf)
    good = shop.lake.read(table).localCheckpoint()
    first, second = (row.user_id for row in good.select("user_id").distinct().orderBy("user_id").limit(2).collect())

    def change(rows: DataFrame) -> DataFrame:
        mine = F.col("user_id") == F.lit(second)
        changed = rows.where(F.col("user_id") != F.lit(first)).withColumns(
            {
                "event_count_30d": F.when(mine, F.lit(777).cast("bigint")).otherwise(F.col("event_count_30d")),
                "segment_name": F.when(mine, F.lit(None).cast("string")).otherwise(F.col("segment_name")),
            }
        )
        return changed.union(changed.where(mine).withColumn("user_id", F.lit("u_nobody")))

    tamper(shop, change)
    found = verify(shop.lake, shop.conf)
    assert (found.lost, found.extra, found.holds) == ((1, first), (1, "u_nobody"), False)
    assert [(item.column, item.users, item.example) for item in found.differences] == [
        ("event_count_30d", 1, second), ("segment_name", 1, second),
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="1"):
        main(["verify", "--conf", str(shop.conf.path)])
    text = capsys.readouterr().out
    assert "u_nobody" in text
    assert "777" in text
    shop.lake.replace(good, table)
    with pytest.raises(SystemExit, match="0"):
        main(["verify", "--conf", str(shop.conf.path)])


def test_verify_refuses_what_it_cannot_compute_again(shop: NarrowShop, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="release 20260102-none is not in the ledger"):
        verify(shop.lake, shop.conf, "20260102-none")
    tags = shop.conf.tags.model_copy(update={"tags": {"reviewer": shop.conf.tags.tags["reviewer"]}})
    with pytest.raises(UsageError, match=r"made by other definitions \(tags\).*name the configuration"):
        verify(shop.lake, replace(shop.conf, tags=tags))
    entry = serving_entry(shop.lake)
    assert entry is not None
    with monkeypatch.context() as patch:
        patch.setattr("persona_spark.verify.code_version", lambda: "0.0.1+other")
        with pytest.raises(UsageError, match=r"made by code .*, this is 0\.0\.1\+other"):
            verify(shop.lake, shop.conf)
    table = user_profile_history_table(shop.conf)
    good = shop.lake.read(table).localCheckpoint()
    shop.lake.delete(table, f"release_id = '{entry.release_id}'")
    with pytest.raises(LakeError, match="no rows in user_profile_history any more"):
        verify(shop.lake, shop.conf)
    shop.lake.replace(good, table)


def test_upkeep_changes_no_value_and_keeps_what_is_needed(shop: NarrowShop) -> None:
    conf = with_upkeep(shop.conf, files_a_partition=1, features_days=1)
    lake, table = shop.lake, user_features_table(conf.features)
    old = lake.read(table).where(F.col("as_of") == F.lit(FIRST)).withColumn("as_of", F.to_date(F.lit("2025-11-01")))
    lake.replace_where(old.localCheckpoint(), table, "as_of = DATE'2025-11-01'")
    before = {each.name: content(lake, each) for each in all_tables(conf) if lake.exists(each) and each not in {table, RUN_LOG}}
    done = {kept.table: kept for kept in run_upkeep(lake, conf, shop.log("upkeep"))}
    assert {each.name: content(lake, each) for each in all_tables(conf) if each.name in before} == before
    assert [str(day) for day in done["user_features"].removed] == ["2025-11-01"]
    assert {row.as_of for row in lake.read(table).select("as_of").distinct().collect()} == {FIRST, SECOND}
    days = done[account_day_table(conf.features).name]
    assert days.compacted > 0
    assert days.after.number < days.before.number
    assert "1 days removed, 2025-11-01 to 2025-11-01" in printed(show_upkeep, list(done.values()))
    assert verify(lake, conf).holds
    assert notes(shop, "upkeep", "upkeep")["tables"] == len(done)
    entry = serving_entry(lake)
    assert entry is not None
    assert last_entry(lake, entry.release_id) == entry
    assert not pipeline.run(lake, conf, SECOND, shop.log("after")).changed


def content(lake: Lake, table: Any) -> list[str]:
    return sorted(map(str, lake.read(table).collect()))
