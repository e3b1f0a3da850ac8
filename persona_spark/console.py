"""What people read on the terminal: progress, checks, releases, one profile."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table as Grid

from persona_spark.profiles import releases

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import Row, SparkSession
    from rich.console import Console

    from persona_spark.doctor import Check
    from persona_spark.lake.tables import Lake
    from persona_spark.run_log import StageReport

_LONG_NOTE = 60


def session_started(out: Console, spark: SparkSession, seconds: float) -> None:
    """One line when Spark is there, in the columns of the stages."""
    master = spark.conf.get("spark.master", "")
    out.print(f"{'session':<10}{'ok':<8}{f'Spark {spark.version} on {master}':<32}{seconds:>7.1f} s", markup=False)


def stage_started(out: Console, name: str) -> None:
    """Say which stage runs, where the terminal can overwrite the line."""
    if out.is_terminal:
        out.print(f"  {name} ...", end="\r")


def stage_ended(out: Console, report: StageReport) -> None:
    """One line a stage: status, rows, seconds, notes."""
    rows = f"{report.result.rows_in:>12,} -> {report.result.rows_out:>11,} rows" if report.result else " " * 31
    notes = [f"{key} {value_text(value)}" for key, value in report.result.notes.items()] if report.result else []
    below = max(map(len, notes), default=0) > _LONG_NOTE
    beside = "" if below else "  ".join(notes)
    out.print(f"{report.stage:<10}{report.status:<8}{rows}{report.seconds:>8.1f} s  {beside}".rstrip(), markup=False)
    for note in notes if below else ():
        out.print(f"{'':<10}{note}", markup=False)


def value_text(value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value) or "-"
    return str(value)


def show_checks(out: Console, checks: Iterable[Check]) -> None:
    """The rows of `persona doctor`."""
    for item in checks:
        out.print(f"{'ok' if item.ok else 'FAILED':<8}{item.name:<22}{item.detail}", markup=False)
        if not item.ok and item.todo:
            out.print(f"{'':<30}-> {item.todo}", markup=False)


def show_releases(out: Console, lake: Lake) -> None:
    """The ledger's releases, newest first."""
    rows = releases(lake).collect()
    if not rows:
        out.print("no releases yet: persona run makes one")
        return
    names = [name for name in rows[0].asDict() if name != "manifest"]
    grid = Grid(*names, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*(value_text(row[name]) for name in names))
    out.print(grid)


def show_profile(out: Console, row: Row) -> None:
    """One profile, a line a column; columns that are null are left out."""
    values: Mapping[str, Any] = row.asDict()
    for name, value in values.items():
        if value is not None:
            out.print(f"{name:<34}{value_text(value)}", markup=False)
