"""What `persona verify` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table as Grid

from persona_spark.console import value_text

if TYPE_CHECKING:
    from rich.console import Console

    from persona_spark.verify import Verification


def show_verification(out: Console, found: Verification) -> None:
    """Print what was compared, and a line for each difference."""
    seen = f"as of {found.as_of.date}, knowing ingest {found.as_of.ingest_seq}"
    out.print(f"Release {found.release_id} {seen}: {found.users:,} users, {found.columns:,} columns", markup=False)
    if found.holds:
        out.print("equals what the raw events say, in every value")
        return
    of_users = {"are missing from it": found.lost, "should not be in it": found.extra, "have several rows in it": found.repeated}
    for words, (users, example) in of_users.items():
        if users:
            out.print(f"{users:,} users {words}, for example {example}", markup=False)
    if found.unserved:
        out.print(
            f"user_profile differs from the release in {found.unserved:,} rows, counted on both sides: delete the table user_profile "
            "and run persona run again, which writes it from user_profile_history",
            markup=False,
        )
    if found.differences:
        grid = Grid("column", "users that differ", "for example", "in the release", "from the events", box=None, pad_edge=False)
        grid.columns[1].justify = "right"
        for item in found.differences:
            grid.add_row(item.column, f"{item.users:,}", item.example, value_text(item.stored), value_text(item.computed))
        out.print(grid)
