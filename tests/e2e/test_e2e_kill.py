"""A run that is killed in the middle of ingest, and one in the middle of publish, leave nothing that a rerun does not repair."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from commands import environment, persona
from deltalake import DeltaTable

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from small_shop import SmallLake

WAIT_SECONDS = 240


def kill_when(written: Path, arguments: list[str], shop: Path, cwd: Path) -> None:
    """Start a run, and kill -9 it with all its processes as soon as a data file of a table is there."""
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


@pytest.mark.parametrize(("killed_at", "not_yet"), [("events", "ingest"), ("user_profile_history", "user_profile")])
def test_rerun_after_a_kill_equals_an_undisturbed_run(small_lake: SmallLake, tmp_path: Path, killed_at: str, not_yet: str) -> None:
    lake = tmp_path / "lake"
    arguments = ["run", "--conf", str(small_lake.conf.path), "--as-of", small_lake.as_of.date.isoformat(), "--lake", str(lake)]
    kill_when(lake / killed_at, arguments, small_lake.shop, tmp_path)
    assert not any((lake / not_yet).glob("*.parquet")), f"the kill came too late: {not_yet} was written"

    again = persona(*arguments, cwd=tmp_path, PERSONA_SIMULATED=str(small_lake.shop))
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
    for table, key in {"events": ("namespace", "event_id"), "quarantine": ("source", "raw"), "user_profile": ("user_id",)}.items():
        found, expected = rows(lake, table, *key), rows(small_lake.path, table, *key)
        assert len(found) == len(expected), table
        assert found.astype(str).equals(expected.astype(str)), table
    ledger = DeltaTable(str(lake / "profile_release")).to_pandas()
    assert ledger["serving"].sum() == 1

    once_more = persona(*arguments, cwd=tmp_path, PERSONA_SIMULATED=str(small_lake.shop))
    assert once_more.returncode == 0, once_more.stderr[-2000:]
    assert "nothing changed" in once_more.stdout
