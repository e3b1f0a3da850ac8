"""Rows of `user_features` made by hand: everything is zero or null but what a test states."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona_spark.config.features import FeaturesSpec
from persona_spark.config.load import Conf, load_conf
from persona_spark.config.tags import TagsSpec
from persona_spark.config.tile_tables import user_features_table
from persona_spark.lake.code import FEATURE_CODE, code_version
from persona_spark.lake.contract import frame_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake

MAIN = Path(__file__).parents[2] / "conf" / "demo.yaml"
ZERO = "bigint"


@cache
def demo_conf() -> Conf:
    """The configuration of the demo."""
    return load_conf(MAIN)


@cache
def small_conf() -> Conf:
    """The configuration of the demo with few features and tags, so that tables are narrow and tests are fast."""
    conf = demo_conf()
    whole = conf.features.model_dump(mode="json")
    keep = {
        "measures": ("event_count", "review_count", "paid_amount", "returned_amount", "order_count", "active_day_count"),
        "derived": ("net_amount",),
        "preferences": (),
        "gaps": (),
        "streaks": (),
        "attributes": ("gender",),
    }
    narrow = {part: {name: whole[part][name] for name in names} for part, names in keep.items()}
    features = FeaturesSpec.model_validate({**whole, **narrow, "windows": ["30d", "90d", "365d", "lifetime"]})
    tags = {name: conf.tags.tags[name] for name in ("frequent_buyer", "reviewer")}
    return replace(conf, features=features, tags=TagsSpec(tags=tags))


def feature_rows(lake: Lake, conf: Conf, day: date, users: Mapping[str, Mapping[str, Any]]) -> DataFrame:
    """A frame for `user_features`: user -> stored column -> value."""
    table = user_features_table(conf.features)
    weights = ("_total", "_events", "_logs")
    rows = []
    for user, stated in users.items():
        unknown = set(stated) - set(table.names)
        assert not unknown, f"no columns of user_features: {unknown}"
        blank = {column.name: 0 if column.type == ZERO and not column.name.endswith(weights) else None for column in table.columns}
        own = {
            "user_id": user,
            "as_of": day,
            "account_ids": [f"n:{user}"],
            "ingest_seq": 1,
            "definition": conf.features.value_digest(),
            "code": code_version(FEATURE_CODE),
        }
        rows.append({**blank, **own, **stated})
    return frame_of(lake.spark, table, rows)


def write_features(lake: Lake, conf: Conf, day: date, users: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace the partition of `day` of `user_features`."""
    lake.replace_where(feature_rows(lake, conf, day, users), user_features_table(conf.features), f"as_of = '{day}'")
