"""What `persona run --plan` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table as Grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from persona_spark.run_plan import RunPlan

_WORDS = {
    "gone": "have no accounts any more: left out",
    "accounts": "have other accounts, or are new",
    "events": "have events that are new or were taken back",
    "attributes": "have an attribute that is new or came into force",
    "window": "have a day that passes into another window: no more than windows is computed",
}
_TILE_WORDS = {
    "new_events": "new events",
    "taken_back": "events taken back",
    "account_days_touched": "account-days touched",
    "late_account_days": "of them late",
}


def show_plan(out: Console, plan: RunPlan) -> None:
    """Print the plan: what waits, tiles, users by reason, columns."""
    out.print(f"Plan for {plan.as_of.date}, knowing ingest {plan.as_of.ingest_seq}. Nothing was written.", markup=False)
    _show_waiting(out, plan)
    if plan.published is not None:
        todo = "nothing to compute" if plan.exact else "a run takes in the files first, and makes a new release of that day"
        out.print(f"{'release':<10}{plan.published} is published already: {todo}", markup=False)
        return
    if plan.as_of.ingest_seq == 0:
        out.print(f"{'lake':<10}nothing has been taken in yet: everything will be made for the first time")
        return
    _show_tiles(out, plan.tiles)
    _show_features(out, plan.features)
    out.print(f"{'columns':<10}{plan.stored:,} stored in user_features, {plan.columns:,} published in user_profile")
    if plan.training is not None:
        out.print(f"{'segments':<10}will be trained: {plan.training}", markup=False)


def _show_waiting(out: Console, plan: RunPlan) -> None:
    if plan.exact:
        out.print(f"{'files':<10}no new files wait; the figures are exact")
        return
    files = ", ".join(f"{name} {count:,}" for name, count in plan.waiting.items())
    out.print(
        f"{'files':<10}{sum(plan.waiting.values()):,} new files wait and are not counted below, which is a lower bound: {files}",
        markup=False,
    )


def _show_tiles(out: Console, notes: Mapping[str, Any]) -> None:
    if not notes:
        out.print(f"{'tiles':<10}hold everything already")
        return
    if notes["anew"]:
        out.print(f"{'tiles':<10}will be made anew: {notes['anew']}", markup=False)
    counts = [f"{notes[name]:,} {words}" for name, words in _TILE_WORDS.items() if name in notes]
    out.print(f"{'' if notes['anew'] else 'tiles':<10}{', '.join(counts)}")


def _show_features(out: Console, notes: Mapping[str, Any]) -> None:
    if not notes:
        out.print(f"{'features':<10}are made already")
        return
    if "base" in notes:
        out.print(f"{'features':<10}base {notes['base']}", markup=False)
    else:
        out.print(f"{'features':<10}of all users: {notes['all_users']}", markup=False)
    grid = Grid("", "users", "", box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    grid.columns[1].justify = "right"
    grid.add_row(" " * 8, f"{notes['recomputed']:,}", "computed from tiles")
    grid.add_row("", f"{notes['carried']:,}", "carried over from the base")
    for reason, words in _WORDS.items():
        if reason in notes:
            grid.add_row("", f"{notes[reason]:,}", f"  {words}")
    out.print(grid)
