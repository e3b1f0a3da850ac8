"""Jobs killed in the middle of ingest and in the middle of publish leave nothing that a rerun does not repair."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from commands import environment
from deltalake import DeltaTable
from stored import stored

from persona_spark import pipeline
from persona_spark.lake.info import open_lake
from persona_spark.run_log import RunLog

if TYPE_CHECKING:
    from pathlib import Path

    from small_shop import SmallLake

    from persona_spark.lake.tables import Lake

WAIT_SECONDS = 900


def kill_when(written: Path, arguments: list[str], shop: Path, cwd: Path) -> None:
    """Start a job, and kill -9 it with all its processes as soon as a data file of a table is there."""
    command = [sys.executable, "-m", "persona_spark.cli", *arguments]
    with (cwd / "killed.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=cwd, env=environment(PERSONA_SIMULATED=str(shop)), start_new_session=True
        )
        end = time.monotonic() + WAIT_SECONDS
        try:
            while not any(written.rglob("*.parquet")):
                assert process.poll() is None, (
                    f"ended before it wrote {written.name}: {(cwd / 'killed.log').read_text(encoding='utf-8')[-3000:]}"
                )
                assert time.monotonic() < end, f"never wrote {written.name}"
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def same_rows(small_lake: SmallLake, folder: Path, table: str) -> None:
    found, expected = stored(folder, table), stored(small_lake.path, table)
    assert len(found) == len(expected), table
    assert found.astype(str).equals(expected.astype(str)), table


def opened(small_lake: SmallLake, folder: Path) -> tuple[Lake, RunLog]:
    lake = open_lake(small_lake.lake.spark, small_lake.conf.main.lake, small_lake.conf.folder, str(folder))
    return lake, RunLog(lake, "again", datetime.now(tz=UTC))


def test_ingest_after_a_kill_equals_an_undisturbed_one(small_lake: SmallLake, tmp_path: Path) -> None:
    folder, conf = tmp_path / "lake", small_lake.conf
    lake, log = opened(small_lake, folder)
    kill_when(folder / "events", ["ingest", "--conf", str(conf.path), "--lake", str(folder)], small_lake.shop, tmp_path)
    assert "events" not in set(DeltaTable(str(folder / "ingest")).to_pandas()["target"]), "the kill came too late"
    pipeline.run_ingest(lake, conf, log)
    for table in ("events", "quarantine"):
        same_rows(small_lake, folder, table)
    assert pipeline.run_ingest(lake, conf, log).skipped


def test_publish_after_a_kill_equals_an_undisturbed_one(small_lake: SmallLake, tmp_path: Path) -> None:
    folder, conf, day = tmp_path / "lake", small_lake.conf, small_lake.as_of.date
    made_by_publish = shutil.ignore_patterns("user_profile", "user_profile_history", "profile_release")
    shutil.copytree(small_lake.path, folder, ignore=made_by_publish)
    lake, log = opened(small_lake, folder)
    options = ["--conf", str(conf.path), "--lake", str(folder), "--as-of", day.isoformat()]
    kill_when(folder / "user_profile_history", ["publish", *options], small_lake.shop, tmp_path)
    assert not any((folder / "user_profile").glob("*.parquet")), "the kill came too late"
    pipeline.run_stage("publish", lake, conf, day, log)
    same_rows(small_lake, folder, "user_profile")
    ledger = DeltaTable(str(folder / "profile_release")).to_pandas()
    assert ledger["serving"].sum() == 1
    assert not pipeline.run(lake, conf, day, RunLog(lake, "once more", datetime.now(tz=UTC))).changed
