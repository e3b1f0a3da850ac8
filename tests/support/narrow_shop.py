"""The tiny shop with few features and tags and a segment model made by hand: whole runs and releases that are quick."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import yaml
from profile_rows import small_conf
from tiny_shop import COLUMNS, write_tiny_shop

from persona_spark import pipeline
from persona_spark.config.load import Conf, load_conf
from persona_spark.lake.info import open_lake
from persona_spark.run_log import RunLog
from persona_spark.segments.model import CHAMPION, FrozenFeature, Segment, SegmentModel, save

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from persona_spark.lake.tables import Lake

FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)
NOW = datetime(2026, 1, 3, tzinfo=UTC)
SEGMENTS = """\
features:
  - {name: orders, expr: order_count_365d, transform: log1p, high: {en: frequent buyers, zh: 高频购买}}
  - {name: spend, expr: paid_amount_365d, transform: log1p, high: {en: big spenders, zh: 高消费}}
fit: {seed: 1}
training: {when: never}
"""


@dataclass(frozen=True)
class NarrowShop:
    """Its files, the configuration, and the lake."""

    folder: Path
    conf: Conf
    lake: Lake

    def log(self, name: str = "run") -> RunLog:
        return RunLog(self.lake, name, NOW)

    def send_late(self, events: int = 12, seed: int = 3) -> None:
        """Another file: views of a tenth of the members, on the day before `SECOND` and at the edges of windows."""
        draw = random.Random(seed)
        days = ["2026-01-01", "2025-12-02", "2025-12-01", "2025-10-03", "2025-01-01"]
        with (self.folder / "data" / "events_late.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for number in range(events):
                member, day = f"m{draw.randrange(4):04d}", draw.choice(days)
                writer.writerow([f"late{number}", f"{day} 04:00:00", member, "look", "food-1", "food", "maker1", "", "", "", ""])


def write_narrow_conf(folder: Path, users: int) -> Conf:
    """The shop's files and a configuration of few definitions."""
    main = write_tiny_shop(folder, users)
    small = small_conf()
    parts: dict[str, Any] = {"features": small.features, "tags": small.tags}
    for name, spec in parts.items():
        text = yaml.safe_dump(spec.model_dump(mode="json", exclude_defaults=True), allow_unicode=True, sort_keys=False)
        (main.parent / f"{name}.yaml").write_text(text, encoding="utf-8")
    (main.parent / "segments.yaml").write_text(SEGMENTS, encoding="utf-8")
    return load_conf(main)


def model_for(conf: Conf) -> SegmentModel:
    """A live model of two segments: users without orders, and the others."""
    features = tuple(FrozenFeature(item.name, item.expr, item.transform, 0.0, 0.0, 1.0, 1.0) for item in conf.segments.features)
    segments = (Segment(1, "lookers", 1, (0.0, 0.0)), Segment(2, "buyers", 1, (1.0, 4.0)))
    return SegmentModel(
        "2025-12-31-hand",
        CHAMPION,
        FIRST,
        "by hand",
        FIRST,
        1,
        conf.segments.scoring_hash(),
        0,
        2,
        0.5,
        2,
        2,
        None,
        4.0,
        features,
        segments,
        (),
    )


def build_narrow_shop(spark: SparkSession, folder: Path, users: int = 40) -> NarrowShop:
    """The shop with the release of `FIRST`."""
    conf = write_narrow_conf(folder, users)
    lake = open_lake(spark, conf.main.lake, conf.folder)
    shop = NarrowShop(folder, conf, lake)
    save(lake, model_for(conf))
    pipeline.run(lake, conf, FIRST, shop.log())
    return shop


def with_upkeep(conf: Conf, **limits: int) -> Conf:
    """The configuration with other limits of upkeep."""
    upkeep = conf.main.upkeep.model_copy(update=limits)
    return replace(conf, main=conf.main.model_copy(update={"upkeep": upkeep}))
