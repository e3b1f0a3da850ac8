"""What people read on the terminal: progress, the summary of a run, releases, one profile."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from rich.table import Table as Grid

from persona_spark.lake.known import known_rows
from persona_spark.profiles import Profiles, releases
from persona_spark.schema import QUARANTINE
from persona_spark.segments.cards import current_cards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame, Row
    from rich.console import Console

    from persona_spark.config.load import Conf
    from persona_spark.doctor import Check
    from persona_spark.lake.tables import Lake
    from persona_spark.pipeline import Outcome
    from persona_spark.run_log import StageReport

EXAMPLES = 3
_LONG_NOTE = 60
_MOST_REASONS = 5
_SHOWN = (
    "lifecycle_stage", "rfm_segment", "rfm_score", "segment_name", "order_count_365d", "paid_amount_365d",
    "average_order_value_365d", "days_since_last_order", "repurchase_gap_days", "preferred_category", "preferred_hour_band", "tags",
)  # fmt: skip


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


def show_summary(out: Console, lake: Lake, conf: Conf, outcome: Outcome) -> None:
    """What a run made: the release, its RFM segments, its personas, three profiles, and how to open it."""
    profiles = Profiles(lake.spark, lake).as_of(outcome.as_of.date)
    head = profiles.agg(
        F.first("release_id").alias("release_id"),
        F.count("*").alias("users"),
        F.sum("order_count_lifetime").alias("orders"),
        F.sum("paid_amount_lifetime").alias("paid"),
        F.count_if(F.col("order_count_lifetime") > 0).alias("buyers"),
    ).collect()[0]
    currency = conf.main.lake.currency
    out.print()
    if outcome.changed:
        out.print(f"Release {head.release_id}: published")
    else:
        out.print(f"Release {head.release_id}: nothing changed since it was published")
    if outcome.training:
        out.print(f"Segments were trained: {outcome.training}")
    paid = head.paid or Decimal(0)
    out.print(f"{head.users:,} users, {head.buyers:,} of them buyers; {head.orders:,} orders, {paid:,} {currency} paid")
    _show_rfm(out, profiles, currency)
    _show_cards(out, profiles, lake)
    _show_examples(out, profiles)
    _show_quarantine(out, lake, outcome.as_of.ingest_seq)
    show_opening(out, lake, conf)


def _show_rfm(out: Console, profiles: DataFrame, currency: str) -> None:
    grid = Grid("RFM segment", "users", f"paid in 365 days ({currency})", "share of paid", box=None, pad_edge=False, title_justify="left")
    for name in grid.columns[1:]:
        name.justify = "right"
    rows = (
        profiles.groupBy("rfm_segment")
        .agg(F.count("*").alias("users"), F.sum("paid_amount_365d").alias("paid"))
        .orderBy(F.desc("paid"), F.desc("users"), "rfm_segment")
        .collect()
    )
    total = sum((row.paid for row in rows), Decimal(0))
    for row in rows:
        share = f"{row.paid / total:.1%}" if total else "-"
        grid.add_row(row.rfm_segment, f"{row.users:,}", f"{row.paid:,}", share)
    out.print()
    out.print(grid)


def _show_cards(out: Console, profiles: DataFrame, lake: Lake) -> None:
    sizes = {row.segment_id: row["count"] for row in profiles.where("segment_id IS NOT NULL").groupBy("segment_id").count().collect()}
    out.print()
    out.print("Personas (KMeans segments)")
    for card in current_cards(lake):
        out.print(f"  {card.segment_id}  {card.segment_name}: {sizes.get(card.segment_id, 0):,} users", markup=False)
        out.print(f"     {card.description}", markup=False)


def _show_examples(out: Console, profiles: DataFrame) -> None:
    """A profile from each of the largest segments: of the users with most tags the one with the smallest id."""
    rank = F.struct(-F.size("tags"), F.col("user_id"))
    groups = profiles.groupBy(F.coalesce("segment_name", "rfm_segment").alias("group"))
    largest = groups.agg(F.count("*").alias("users"), F.min_by("user_id", rank).alias("user_id"))
    ids = [row.user_id for row in largest.orderBy(F.desc("users"), "group").limit(EXAMPLES).collect()]
    for row in profiles.where(F.col("user_id").isin(ids)).orderBy("user_id").collect():
        out.print()
        out.print(f"Example: {row.user_id}", markup=False)
        values = row.asDict()
        for name in _SHOWN:
            if values.get(name) not in (None, []):
                out.print(f"  {name:<26}{value_text(values[name])}", markup=False)


def _show_quarantine(out: Console, lake: Lake, ingest_seq: int) -> None:
    """How many rows of the feeds could not be taken, and why most of them."""
    held = known_rows(lake, QUARANTINE, ingest_seq).select("source", F.explode("reasons").alias("reason"))
    rows = (
        held.groupBy("source", "reason")
        .agg(F.count("*").alias("n"))
        .orderBy(F.desc("n"), "source", "reason")
        .limit(_MOST_REASONS)
        .collect()
    )
    if rows:
        out.print()
        out.print("Rows in quarantine (table quarantine has each with its reasons)")
    for row in rows:
        out.print(f"  {row.source}: {row.n:,} {row.reason}", markup=False)


def show_opening(out: Console, lake: Lake, conf: Conf) -> None:
    """Where the tables are and how to open them."""
    out.print()
    if lake.root is None:
        out.print(f"Tables: {lake.schema}.user_profile and others in the same schema")
        return
    out.print(f"Tables: {lake.root}/<table>, for example user_profile, user_profile_history, profile_release, run_log")
    out.print(f"  persona profile USER_ID --conf {conf.path} --lake {lake.root}", markup=False)
    out.print(f'  Python:  Profiles(spark, "{lake.root}").latest()', markup=False)
    out.print(f'  Polars:  pl.read_delta("{lake.root}/user_profile")', markup=False)
    out.print(f"  DuckDB:  profile = DeltaTable(\"{lake.root}/user_profile\").to_pyarrow_table(); duckdb.sql('FROM profile')", markup=False)


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
