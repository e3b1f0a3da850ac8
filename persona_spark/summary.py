"""What a run made, in words: the release, its RFM segments, its personas, some profiles, and how to open the tables."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from rich.table import Table as Grid

from persona_spark.console import value_text
from persona_spark.lake.known import known_rows
from persona_spark.profiles import Profiles
from persona_spark.schema import QUARANTINE
from persona_spark.segments.cards import current_cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, Row
    from rich.console import Console

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.pipeline import Outcome

EXAMPLES = 3
_MOST_REASONS = 5
_SHOWN = (
    "lifecycle_stage", "rfm_segment", "rfm_score", "segment_name", "order_count_365d", "paid_amount_365d",
    "average_order_value_365d", "days_since_last_order", "repurchase_gap_days", "preferred_category", "preferred_hour_band", "tags",
)  # fmt: skip


def show_summary(out: Console, lake: Lake, conf: Conf, outcome: Outcome) -> None:
    """Print what a run made."""
    profiles = Profiles(lake.spark, lake).as_of(outcome.as_of.date)
    groups = _groups(profiles)
    currency = conf.main.lake.currency
    _show_head(out, groups, outcome, currency)
    _show_rfm(out, groups, f"paid in {conf.scores.rfm.window} ({currency})")
    _show_cards(out, groups, lake)
    _show_examples(out, groups, profiles)
    _show_quarantine(out, lake, outcome.as_of.ingest_seq)
    _show_opening(out, lake, conf)


def _groups(profiles: DataFrame) -> list[Row]:
    """Users and sums of each pair of RFM segment and KMeans segment, in one pass: a few hundred rows for any number of users.

    `example` names, of a group's users with most tags, the one with the smallest id.
    """
    return (
        profiles.groupBy("release_id", "rfm_segment", "segment_id", "segment_name")
        .agg(
            F.count("*").alias("users"),
            F.count_if(F.col("order_count_lifetime") > 0).alias("buyers"),
            F.sum("order_count_lifetime").alias("orders"),
            F.sum("paid_amount_lifetime").alias("paid"),
            F.coalesce(F.sum("rfm_monetary_gross"), F.lit(Decimal(0))).alias("paid_in_window"),
            F.min(F.struct(-F.size("tags"), F.col("user_id"))).alias("example"),
        )
        .collect()
    )


def _show_head(out: Console, groups: Sequence[Row], outcome: Outcome, currency: str) -> None:
    users, buyers, orders = (sum(row[name] for row in groups) for name in ("users", "buyers", "orders"))
    paid = sum((row.paid for row in groups), Decimal(0))
    out.print()
    out.print(f"Release {groups[0].release_id}: {'published' if outcome.changed else 'nothing changed since it was published'}")
    if outcome.training:
        out.print(f"Segments were trained: {outcome.training}")
    out.print(f"{users:,} users, {buyers:,} of them buyers; {orders:,} orders, {paid:,} {currency} paid")


def _show_rfm(out: Console, groups: Sequence[Row], paid_title: str) -> None:
    users: dict[str, int] = defaultdict(int)
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for row in groups:
        users[row.rfm_segment] += row.users
        paid[row.rfm_segment] += row.paid_in_window
    total = sum(paid.values(), Decimal(0))
    grid = Grid("RFM segment", "users", paid_title, "share of paid", box=None, pad_edge=False, title_justify="left")
    for column in grid.columns[1:]:
        column.justify = "right"
    for name in sorted(users, key=lambda name: (-paid[name], -users[name], name)):
        share = f"{paid[name] / total:.1%}" if total else "-"
        grid.add_row(name, f"{users[name]:,}", f"{paid[name]:,}", share)
    out.print()
    out.print(grid)


def _show_cards(out: Console, groups: Sequence[Row], lake: Lake) -> None:
    sizes: dict[int | None, int] = defaultdict(int)
    for row in groups:
        sizes[row.segment_id] += row.users
    out.print()
    out.print("Personas (KMeans segments)")
    for card in current_cards(lake):
        out.print(f"  {card.segment_id}  {card.segment_name}: {sizes[card.segment_id]:,} users", markup=False)
        out.print(f"     {card.description}", markup=False)


def _show_examples(out: Console, groups: Sequence[Row], profiles: DataFrame) -> None:
    """A profile from each of the largest segments."""
    alike: dict[str, list[Row]] = defaultdict(list)
    for row in groups:
        alike[row.segment_name or row.rfm_segment].append(row)
    largest = sorted(alike, key=lambda name: (-sum(row.users for row in alike[name]), name))[:EXAMPLES]
    ids = [min(row.example for row in alike[name]).user_id for name in largest]
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
    counts = held.groupBy("source", "reason").agg(F.count("*").alias("n"))
    rows = counts.orderBy(F.desc("n"), "source", "reason").limit(_MOST_REASONS).collect()
    if rows:
        out.print()
        out.print("Rows in quarantine (table quarantine has each with its reasons)")
    for row in rows:
        out.print(f"  {row.source}: {row.n:,} {row.reason}", markup=False)


def _show_opening(out: Console, lake: Lake, conf: Conf) -> None:
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
