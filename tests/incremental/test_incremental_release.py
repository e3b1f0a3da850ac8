"""A plan says what the run then does; verify finds every value that is not what the events say."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from narrow_shop import FIRST, SECOND, NarrowShop, build_narrow_shop
from pyspark.sql import functions as F
from rich.console import Console
from settings import settings_of

from persona_spark import cli
from persona_spark.errors import LakeError, UsageError
from persona_spark.features import plan as feature_plans
from persona_spark.lake.info import open_lake
from persona_spark.plan_console import show_plan
from persona_spark.profiles.ledger import serving_entry
from persona_spark.profiles.tables import user_profile_history_table, user_profile_table
from persona_spark.run_plan import plan_run
from persona_spark.schema import EVENTS, PROFILE_RELEASE, RETRACTIONS, RUN_LOG, SEGMENT_MODEL
from persona_spark.verify import verify
from persona_spark.verify_console import show_verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyspark.sql import DataFrame, Row, SparkSession

WRITES = ("replace", "replace_where", "append", "insert_new", "create", "delete", "delete_matching")


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NarrowShop]:
    """The release of the first day; the tests below go on from there, in their order."""
    with settings_of(spark, {"spark.sql.shuffle.partitions": "1"}):
        narrow = build_narrow_shop(spark, tmp_path_factory.mktemp("narrow"))
        yield narrow
        narrow.lake.release()


@pytest.fixture
def read_only(shop: NarrowShop, monkeypatch: pytest.MonkeyPatch) -> NarrowShop:
    """The shop, on whose lake every write is an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be written here")

    for name in WRITES:
        monkeypatch.setattr(shop.lake, name, refuse)
    return shop


def serving(shop: NarrowShop) -> Row:
    entry = serving_entry(shop.lake)
    assert entry is not None
    return entry


def printed(show: Callable[..., None], *arguments: Any) -> str:
    text = io.StringIO()
    show(Console(file=text, width=160), *arguments)
    return text.getvalue()


def notes(shop: NarrowShop, run: str, stage: str) -> dict[str, Any]:
    row = shop.lake.read(RUN_LOG).where((F.col("run_id") == run) & (F.col("stage") == stage)).collect()[0]
    return dict(json.loads(row.notes))


def test_a_plan_of_a_lake_that_does_not_exist_creates_none(shop: NarrowShop, spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    lake = open_lake(spark, shop.conf.main.lake, shop.conf.folder, str(folder), create=False)
    plan = plan_run(lake, shop.conf, FIRST)
    assert (plan.as_of.ingest_seq, dict(plan.waiting)) == (0, {"narrow_accounts": 1, "narrow_events": 1})
    text = printed(show_plan, plan)
    assert "2 new files wait and are not counted below" in text
    assert "everything will be made for the first time" in text
    assert not folder.exists()


def test_a_release_that_is_there_leaves_nothing_to_plan(read_only: NarrowShop) -> None:
    plan = plan_run(read_only.lake, read_only.fed, FIRST)
    assert (plan.published, plan.exact) == (serving(read_only).release_id, True)
    assert "is published already: nothing to compute" in printed(show_plan, plan)


def test_the_plan_of_a_night_is_what_the_run_reports_and_what_the_manifest_says(shop: NarrowShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_plans, "LARGEST_SHARE", 1.0)
    shop.shop.night(SECOND, 6)
    shop.shop.correct(SECOND, 2)
    plan = plan_run(shop.lake, shop.fed, SECOND)
    shop.run(SECOND, "second")
    told = notes(shop, "second", "tile")
    assert dict(plan.tiles) == {name: count for name, count in told.items() if not name.startswith("account_") or name in plan.tiles}
    assert {**plan.features, "columns": plan.stored} == notes(shop, "second", "features")
    assert notes(shop, "second", "publish")["columns"] == plan.columns
    assert plan.features["base"] == f"{FIRST} at ingest 1"
    changed = [row for table in (EVENTS, RETRACTIONS) for row in shop.lake.read(table).where("ingest_seq > 1").collect()]
    days = {(row.account_id, row.event_date) for row in changed}
    late = sum(event_date < FIRST for _, event_date in days)
    assert 0 < late < len(days)
    assert (plan.tiles["account_days_touched"], plan.tiles["late_account_days"]) == (len(days), late)
    text = printed(show_plan, plan)
    assert f"{len(days):,} account-days touched, {late:,} of them late" in text
    assert f"{plan.features['recomputed']:,}  computed from tiles" in text
    assert f"{plan.stored:,} stored in user_features, {plan.columns:,} published" in text
    assert f"{plan.tiles['new_events']:,} new events, {plan.tiles['taken_back']:,} events taken back" in text
    manifest = json.loads(serving(shop).manifest)
    assert manifest["columns"] == {"stored": plan.stored, "published": plan.columns}
    features = manifest["features"]
    assert (features["base"], features["why_full"]) == ({"as_of": str(FIRST), "ingest_seq": 1}, None)
    assert (features["recomputed"], features["carried"]) == (plan.features["recomputed"], plan.features["carried"])
    assert features["reasons"] == {name: plan.features[name] for name in features["reasons"]}
    assert features["reasons"]
    assert manifest["tiles"] == {"since": 1, "why_anew": None} | {name: count for name, count in plan.tiles.items() if name != "anew"}


def test_verify_finds_nothing_in_releases_that_nobody_touched(read_only: NarrowShop) -> None:
    names = {row.release_id for row in read_only.lake.read(PROFILE_RELEASE).select("release_id").collect()}
    assert len(names) == 2
    for name in names:
        found = verify(read_only.lake, read_only.conf, name)
        assert found.holds, found
        assert (found.release_id, found.users > 0) == (name, True)


def test_verify_finds_a_changed_value_a_lost_and_an_extra_user(
    shop: NarrowShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = user_profile_history_table(shop.conf)
    good, ours = shop.lake.read(table), F.col("release_id") == F.lit(serving(shop).release_id)
    first, second = (row.user_id for row in good.where(ours).select("user_id").orderBy("user_id").limit(2).collect())
    mine = ours & (F.col("user_id") == F.lit(second))
    changed = good.where(~ours | (F.col("user_id") != F.lit(first))).withColumns(
        {
            "event_count_30d": F.when(mine, F.lit(777).cast("bigint")).otherwise(F.col("event_count_30d")),
            "segment_name": F.when(mine, F.lit(None).cast("string")).otherwise(F.col("segment_name")),
        }
    )
    shop.lake.replace(changed.union(changed.where(mine).withColumn("user_id", F.lit("u_nobody"))), table)
    found = verify(shop.lake, shop.conf)
    assert (found.lost, found.extra, found.holds) == ((1, first), (1, "u_nobody"), False)
    assert [(item.column, item.users, item.example, item.stored) for item in found.differences] == [
        ("event_count_30d", 1, second, 777), ("segment_name", 1, second, None),
    ]  # fmt: skip
    monkeypatch.setattr(cli.look, "look", lambda *_: shop.lake)
    with pytest.raises(SystemExit, match="1"):
        cli.main(["verify", "--conf", str(shop.conf.path)])
    text = capsys.readouterr().out
    assert "1 users should not be in it, for example u_nobody" in text
    assert "have several rows" not in text
    assert "777" in text
    shop.lake.replace(good.union(good.where(mine)), table)
    twice = verify(shop.lake, shop.conf)
    assert (twice.repeated, twice.differences, twice.users, twice.holds) == ((1, second), (), found.users, False)
    shop.lake.replace(good, table)
    with pytest.raises(SystemExit, match="0"):
        cli.main(["verify", "--conf", str(shop.conf.path)])


def test_verify_finds_a_profile_that_is_not_the_release_that_serves(shop: NarrowShop) -> None:
    table = user_profile_table(shop.conf)
    good = shop.lake.read(table)
    mine = F.col("user_id") == F.lit(good.agg(F.min("user_id")).collect()[0][0])
    shop.lake.replace(
        good.withColumn("event_count_30d", F.when(mine, F.lit(777).cast("bigint")).otherwise(F.col("event_count_30d"))), table
    )
    found = verify(shop.lake, shop.conf)
    assert (found.unserved, found.differences, found.holds) == (2, (), False)
    out = io.StringIO()
    show_verification(Console(file=out, width=160), found)
    assert "user_profile differs from the release in 2 rows" in out.getvalue()
    shop.lake.replace(good, table)


def test_verify_refuses_what_it_cannot_compute_again(shop: NarrowShop, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="release 20260102-none is not in the ledger"):
        verify(shop.lake, shop.conf, "20260102-none")
    tags = shop.conf.tags.model_copy(update={"tags": {"reviewer": shop.conf.tags.tags["reviewer"]}})
    with pytest.raises(UsageError, match=r"made by other definitions \(tags\).*name the configuration"):
        verify(shop.lake, replace(shop.conf, tags=tags))
    with monkeypatch.context() as patch:
        patch.setattr("persona_spark.verify.code_version", lambda: "0.0.1+other")
        with pytest.raises(UsageError, match=r"made by code .*, this is 0\.0\.1\+other"):
            verify(shop.lake, shop.conf)
    table = user_profile_history_table(shop.conf)
    good: DataFrame = shop.lake.read(table)
    shop.lake.delete(table, f"release_id = '{serving(shop).release_id}'")
    with pytest.raises(LakeError, match="no rows in user_profile_history any more"):
        verify(shop.lake, shop.conf)
    shop.lake.replace(good, table)


def test_a_release_without_a_model_can_be_verified(shop: NarrowShop) -> None:
    shop.lake.delete(SEGMENT_MODEL, "true")
    shop.run(SECOND + timedelta(days=1), "without a model")
    assert verify(shop.lake, shop.conf).holds
