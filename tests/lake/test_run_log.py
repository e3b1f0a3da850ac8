"""`run_log`: a row a stage, a JSON line a stage, and the error that matters."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from persona_spark.errors import LakeError
from persona_spark.lake.result import StageResult
from persona_spark.run_log import RunLog, StageReport
from persona_spark.schema import RUN_LOG

if TYPE_CHECKING:
    from persona_spark.lake.tables import Lake

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY = date(2026, 1, 2)


def fail() -> StageResult:
    raise LakeError("something is missing: run it first\nand a second line")


def test_each_stage_leaves_a_row_and_a_json_line(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    shown: list[str | StageReport] = []
    log = RunLog(lake, "run-1", STARTED, shown.append, shown.append)
    with caplog.at_level(logging.INFO, logger="persona_spark"):
        log.stage("ingest", None, lambda: StageResult(10, 9, {"quarantined": 1}))
        log.stage("publish", DAY, lambda: StageResult(0, 0, skipped=True))
        with pytest.raises(LakeError, match="run it first"):
            log.stage("tag", DAY, fail)
    rows = {row.stage: row for row in lake.read(RUN_LOG).collect()}
    assert {name: row.status for name, row in rows.items()} == {"ingest": "ok", "publish": "skipped", "tag": "failed"}
    assert (rows["ingest"].rows_in, rows["ingest"].rows_out, rows["ingest"].as_of, rows["ingest"].error) == (10, 9, None, None)
    assert (rows["tag"].rows_in, rows["tag"].as_of, rows["tag"].error) == (None, DAY, "something is missing: run it first")
    assert all(row.run_id == "run-1" and row.seconds >= 0 for row in rows.values())
    lines = [json.loads(record.message) for record in caplog.records if record.name == "persona_spark"]
    assert [(line["stage"], line["status"], line.get("quarantined")) for line in lines] == [
        ("ingest", "ok", 1), ("publish", "skipped", None), ("tag", "failed", None),
    ]  # fmt: skip
    assert [item if isinstance(item, str) else item.status for item in shown] == ["ingest", "ok", "publish", "skipped", "tag", "failed"]


def test_a_log_that_cannot_be_written_hides_no_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(type(lake), "append", refuse)
    log = RunLog(lake, "run-2", STARTED)
    with pytest.raises(LakeError, match="something is missing"):
        log.stage("tag", DAY, fail)
