"""What publishing reads, written as literal tables: three users, four payments, scores, tags, segments."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from profile_rows import feature_rows, small_conf

from persona_spark.config.tile_tables import user_features_table
from persona_spark.lake import day_state
from persona_spark.lake.contract import frame_of
from persona_spark.lake.tables import Lake
from persona_spark.profiles.publish import publish
from persona_spark.schema import EVENTS, IDENTITY, INGEST, SEGMENT_MODEL, USER_SCORES, USER_SEGMENTS, USER_TAGS
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from persona_spark.config.load import Conf
    from persona_spark.schema import Table

FIRST, SECOND = AsOf(date(2018, 1, 1), 1), AsOf(date(2018, 1, 2), 1)
USERS = ("ann", "bob", "cem")
MODEL = "2017-12-31-model"
PAYMENTS = (("ann", "o1", "100.00"), ("ann", "o2", "50.00"), ("ann", "o2", "0.01"), ("bob", "o3", "20.00"))
STATED: dict[str, dict[str, Any]] = {
    "ann": {"order_count_lifetime": 2, "paid_amount_minor_lifetime": 15_001, "event_count_lifetime": 3, "gender": "female"},
    "bob": {"order_count_lifetime": 1, "paid_amount_minor_lifetime": 2_000, "event_count_lifetime": 1},
    "cem": {},
}
TAGS = {"ann": ("reviewer", "frequent_buyer"), "bob": ("reviewer",)}


def put(lake: Lake, table: Table, rows: list[dict[str, Any]], condition: str | None = None) -> None:
    """Replace the rows of a table (those that meet `condition`); columns that a row does not state are null."""
    frame = frame_of(lake.spark, table, rows)
    if condition is None:
        lake.replace(frame, table)
    else:
        lake.replace_where(frame, table, condition)


def write_events(lake: Lake, day: date) -> None:
    """The payments, thirty days before `day`, all brought by ingest 1."""
    when = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - timedelta(days=30)
    common = {
        "namespace": "n", "source": "s", "platform": "shop", "event_time": when, "event_date": when.date(), "event_hour": 12,
        "event_month": when.date().replace(day=1), "event_type": "pay", "ingest_seq": 1, "id_hash": 0,
    }  # fmt: skip
    put(
        lake,
        EVENTS,
        [
            {**common, "event_id": str(at), "account_id": f"n:{user}", "order_id": f"n:{order}", "amount": Decimal(amount)}
            for at, (user, order, amount) in enumerate(PAYMENTS)
        ],
    )
    counts = {
        "files": 1,
        "read": 4,
        "loaded": 4,
        "duplicates": 0,
        "quarantined": 0,
        "retracted": 0,
        "ambiguous_times": 0,
        "nonexistent_times": 0,
    }
    put(lake, INGEST, [{"ingest_seq": 1, "source": "s", "target": "events", "ingested_at": when, **counts, "mapping_hash": "h"}])


def write_model(lake: Lake, version: str = MODEL) -> None:
    """A live segment model."""
    when = datetime(2017, 12, 31, tzinfo=UTC).date()
    row = {
        "model_version": version, "status": "champion", "status_as_of": when, "reason": "", "trained_as_of": when, "ingest_seq": 1,
        "spec_hash": "", "seed": 0, "k": 2, "silhouette": 0.5, "users": 3, "sample_users": 3, "clip": 4.0, "features": [], "segments": [],
        "trials": [],
    }  # fmt: skip
    put(lake, SEGMENT_MODEL, [row])


def write_days(lake: Lake, conf: Conf, *days: date) -> None:
    """Everything that depends on as_of, the same on each day."""
    condition = f"as_of IN ({', '.join(repr(day.isoformat()) for day in days)})"
    at = [{"as_of": day, "user_id": user} for day in days for user in USERS]
    put(
        lake,
        IDENTITY,
        [{**row, "account_id": f"n:{row['user_id']}", "ingest_seq": 1, "first_seq": 1, "code": "code"} for row in at],
        condition,
    )
    frames = [feature_rows(lake, conf, day, STATED) for day in days]
    lake.replace_where(reduce(lambda one, other: one.union(other), frames), user_features_table(conf.features), condition)
    buyer = {"rfm_recency_days": 30, "rfm_frequency": 1, "rfm_monetary": Decimal("20.00"), "rfm_score": "555", "rfm_segment": "champions"}
    other = {"rfm_segment": "no_purchase"}
    scores = [{**row, "lifecycle_stage": "active", **(other if row["user_id"] == "cem" else buyer)} for row in at]
    put(lake, USER_SCORES, scores, condition)
    put(lake, USER_TAGS, [{**row, "tag": tag} for row in at for tag in TAGS.get(str(row["user_id"]), ())], condition)
    segment = {"segment_id": 1, "segment_name": "night shoppers", "distance": 0.5, "model_version": MODEL}
    put(lake, USER_SEGMENTS, [{**row, **segment} for row in at if row["user_id"] != "cem"], condition)
    for day in days:
        for made in (day_state.SCORES, day_state.TAGS, day_state.SEGMENTS):
            day_state.end_day(lake, made, conf, AsOf(day, 1))


def build_inputs(spark: SparkSession, folder: Path) -> Path:
    """A lake in `folder` with the inputs of both days."""
    lake = Lake(spark, path=folder)
    write_events(lake, FIRST.date)
    write_model(lake)
    write_days(lake, small_conf(), FIRST.date, SECOND.date)
    return folder


def build_release(spark: SparkSession, inputs: Path, folder: Path) -> Path:
    """A copy of a lake with the first day published."""
    shutil.copytree(inputs, folder)
    publish(Lake(spark, path=folder), small_conf(), FIRST)
    return folder
