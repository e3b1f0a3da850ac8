"""A shop with few features and tags and a segment model made by hand, kept in memory: whole nights that are quick."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml
from nights import START, Shop
from profile_rows import demo_conf, small_conf
from small_feed import mapping

from persona_spark import pipeline
from persona_spark.config.defaults import init_conf
from persona_spark.config.load import Conf, load_conf
from persona_spark.lake.memory import MemoryLake
from persona_spark.lake.tables import Lake
from persona_spark.run_log import RunLog
from persona_spark.segments.model import CHAMPION, FrozenFeature, Segment, SegmentModel, save

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from pyspark.sql import SparkSession

FIRST, SECOND = START, START + timedelta(days=1)
NOW = datetime(2018, 6, 2, tzinfo=UTC)
STAGES = ("identify", "tile", "features", "score", "tag", "assign", "publish")
MAIN = """\
name: narrow
lake: {path: ../lake, zone: Asia/Shanghai, currency: CNY}
sources: [sources/narrow_events.yaml, sources/narrow_accounts.yaml]
# Among so few users a merge or two would be a fall that the audit refuses.
audits: {largest_user_drop: 1}
"""
SEGMENTS = """\
features:
  - {name: orders, expr: order_count_365d, transform: log1p, high: {en: frequent buyers, zh: 高频购买}}
  - {name: spend, expr: paid_amount_365d, transform: log1p, high: {en: big spenders, zh: 高消费}}
fit: {seed: 1}
training: {when: never}
"""


@dataclass(frozen=True)
class NarrowShop:
    """A configuration whose files lie in a folder, what was sent, and the lake."""

    conf: Conf
    shop: Shop
    lake: MemoryLake

    @property
    def fed(self) -> Conf:
        """The configuration without feeds: what was sent is all there is."""
        return replace(self.conf, sources=())

    def run(self, day: date, name: str) -> None:
        """Every stage after ingest."""
        log = RunLog(self.lake, name, NOW)
        for stage in STAGES:
            pipeline.run_stage(stage, self.lake, self.conf, day, log)


def write_narrow_conf(folder: Path) -> Conf:
    """A configuration of few definitions, and two feeds with a file each that wait to be taken in."""
    init_conf(folder / "conf")
    main = folder / "conf" / "narrow.yaml"
    main.write_text(MAIN, encoding="utf-8")
    for target in ("events", "accounts"):
        (folder / f"{target}.csv").write_text("user,item,type,at,price,qty\nu1,i1,pv,2018-05-01 10:00:00,,\n", encoding="utf-8")
        feed = mapping(f"../{target}.csv", target=target, source=f"narrow_{target}", namespace="narrow")
        (main.parent / "sources" / f"narrow_{target}.yaml").write_text(yaml.safe_dump(feed), encoding="utf-8")
    small, whole = small_conf(), demo_conf().features.preferences
    # Tiles need at least one preference.
    features = small.features.model_copy(update={"preferences": {"category": whole["category"]}})
    parts: dict[str, Any] = {"features": features, "tags": small.tags}
    for name, spec in parts.items():
        text = yaml.safe_dump(spec.model_dump(mode="json", exclude_defaults=True), allow_unicode=True, sort_keys=False)
        (main.parent / f"{name}.yaml").write_text(text, encoding="utf-8")
    (main.parent / "segments.yaml").write_text(SEGMENTS, encoding="utf-8")
    return load_conf(main)


def model_for(conf: Conf) -> SegmentModel:
    """A live model of two segments: users without orders, and the others."""
    features = tuple(FrozenFeature(item.name, item.expr, item.transform, 0.0, 0.0, 1.0, 1.0) for item in conf.segments.features)
    segments = (Segment(1, "lookers", 1, (0.0, 0.0)), Segment(2, "buyers", 1, (1.0, 4.0)))
    fitted = (conf.segments.scoring_hash(), 0, 2, 0.5, 2, 2, None, 4.0, features, segments, ())
    return SegmentModel("2017-10-31-hand", CHAMPION, FIRST, "by hand", FIRST, 1, *fitted)


def build_narrow_shop(spark: SparkSession, folder: Path, users: int = 15) -> NarrowShop:
    """The shop with the release of `FIRST`."""
    conf = write_narrow_conf(folder)
    lake = MemoryLake(Lake(spark, path=folder / "lake"))
    shop = Shop(lake, random.Random(1), users)
    shop.open(FIRST, 100)
    save(lake, model_for(conf))
    narrow = NarrowShop(conf, shop, lake)
    narrow.run(FIRST, "first")
    return narrow
