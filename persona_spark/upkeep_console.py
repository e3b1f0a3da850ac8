"""What `persona upkeep` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table as Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from persona_spark.upkeep import Kept

_MIB = 1024 * 1024


def show_upkeep(out: Console, done: Sequence[Kept]) -> None:
    """A line a table: files and size before and after, what was done."""
    grid = Grid("table", "files before", "after", "MiB before", "after", "done", box=None, pad_edge=False)
    for column in grid.columns[1:5]:
        column.justify = "right"
    for kept in done:
        sizes = (f"{files.size / _MIB:,.1f}" for files in (kept.before, kept.after))
        grid.add_row(kept.table, f"{kept.before.number:,}", f"{kept.after.number:,}", *sizes, _done(kept))
    out.print(grid)


def _done(kept: Kept) -> str:
    parts = [f"{kept.compacted:,} partitions put together"] if kept.compacted else []
    if kept.purged:
        parts.append(f"{kept.purged:,} files without removed rows")
    if kept.removed:
        parts.append(f"{len(kept.removed):,} days removed, {kept.removed[0]} to {kept.removed[-1]}")
    return ", ".join(parts) or "-"
