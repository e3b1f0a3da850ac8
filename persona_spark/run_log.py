"""What each run did: a row a stage in `run_log`, a log line in JSON, and a call for whoever shows progress."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from persona_spark.lake.contract import frame_of
from persona_spark.schema import RUN_LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from persona_spark.lake.result import StageResult
    from persona_spark.lake.tables import Lake

LOGGER = logging.getLogger("persona_spark")


@dataclass(frozen=True)
class StageReport:
    """One stage as it ended.

    Attributes:
        stage: its name.
        status: ok, skipped or failed.
        seconds: how long it took.
        result: rows and notes; None when it failed.
        error: first line of the error; None unless it failed.
    """

    stage: str
    status: str
    seconds: float
    result: StageResult | None
    error: str | None = None


@dataclass
class RunLog:
    """Runs stages and writes down how each went.

    Args:
        lake: where `run_log` is.
        run_id: id of the run.
        started_at: when the run started (UTC); stages are dated from it by a steady clock.
        on_start: called with a stage's name before it runs.
        on_end: called with its report after it ran.
    """

    lake: Lake
    run_id: str
    started_at: datetime
    on_start: Callable[[str], None] = lambda _: None
    on_end: Callable[[StageReport], None] = lambda _: None
    _origin: float = field(default_factory=time.perf_counter, init=False)

    def stage(self, name: str, as_of: date | None, work: Callable[[], StageResult]) -> StageResult:
        """Run `work` as the stage `name`; its error, if any, is written down and raised again."""
        self.on_start(name)
        begun = time.perf_counter()
        try:
            result = work()
        except Exception as error:
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            try:
                self._write(StageReport(name, "failed", time.perf_counter() - begun, None, line), as_of, begun)
            except Exception as second:  # noqa: BLE001 - what broke the stage may break its log; the first error is the one to see
                LOGGER.warning("the failure of stage %s could not be written to run_log: %s", name, second)
            raise
        status = "skipped" if result.skipped else "ok"
        self._write(StageReport(name, status, time.perf_counter() - begun, result), as_of, begun)
        return result

    def _write(self, report: StageReport, as_of: date | None, begun: float) -> None:
        rows_in, rows_out = (report.result.rows_in, report.result.rows_out) if report.result else (None, None)
        started = self.started_at.astimezone(UTC) + timedelta(seconds=begun - self._origin)
        notes = dict(report.result.notes) if report.result else {}
        told = json.dumps(notes, default=str, ensure_ascii=False) if report.result else None
        said = {
            "run_id": self.run_id,
            "stage": report.stage,
            "as_of": as_of,
            "status": report.status,
            "rows_in": rows_in,
            "rows_out": rows_out,
            "seconds": report.seconds,
            "error": report.error,
        }
        LOGGER.info(json.dumps({**said, "seconds": round(report.seconds, 3), **notes}, default=str, ensure_ascii=False))
        self.on_end(report)
        self.lake.append(frame_of(self.lake.spark, RUN_LOG, [{**said, "started_at": started, "notes": told}]), RUN_LOG)
