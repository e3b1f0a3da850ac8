"""Jobs killed in the middle of ingest and in the middle of publish leave nothing that a rerun does not repair."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from commands import environment
from deltalake import DeltaTable

from persona_spark import pipeline
from persona_spark.lake.info import open_lake
from persona_spark.run_log import RunLog

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from small_shop import SmallLake

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


def rows(lake: Path | str, table: str, *key: str) -> pd.DataFrame:
    return DeltaTable(f"{lake}/{table}").to_pandas().sort_values(list(key), ignore_index=True)


def test_rerun_after_kills_equals_an_undisturbed_run(small_lake: SmallLake, tmp_path: Path) -> None:
    folder, day, conf = tmp_path / "lake", small_lake.as_of.date, small_lake.conf
    options = ["--conf", str(conf.path), "--lake", str(folder)]
    lake = open_lake(small_lake.lake.spark, conf.main.lake, conf.folder, str(folder))
    log = RunLog(lake, "again", datetime.now(tz=UTC))
    kill_when(folder / "events", ["ingest", *options], small_lake.shop, tmp_path)
    assert "events" not in set(DeltaTable(str(folder / "ingest")).to_pandas()["target"]), "the kill came too late"
    pipeline.run_ingest(lake, conf, log)
    for name in [stage for stage in pipeline.STAGES if stage != "publish"]:
        pipeline.run_stage(name, lake, conf, day, log)
    kill_when(folder / "user_profile_history", ["publish", *options, "--as-of", day.isoformat()], small_lake.shop, tmp_path)
    assert not any((folder / "user_profile").glob("*.parquet")), "the kill came too late"
    pipeline.run_stage("publish", lake, conf, day, log)
    for table, key in {"events": ("namespace", "event_id"), "quarantine": ("source", "raw"), "user_profile": ("user_id",)}.items():
        found, expected = rows(folder, table, *key), rows(small_lake.path, table, *key)
        assert len(found) == len(expected), table
        assert found.astype(str).equals(expected.astype(str)), table
    ledger = DeltaTable(str(folder / "profile_release")).to_pandas()
    assert ledger["serving"].sum() == 1
    assert not pipeline.run(lake, conf, day, RunLog(lake, "once more", datetime.now(tz=UTC))).changed
