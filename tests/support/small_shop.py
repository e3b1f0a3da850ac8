"""One simulated shop, run through the whole pipeline once for all tests that look at a finished lake."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from quick_conf import write_quick_conf

from persona_spark import pipeline
from persona_spark.config.load import Conf, load_conf
from persona_spark.lake.info import open_lake
from persona_spark.run_log import RunLog
from persona_spark.simulate import simulate

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf

USERS, DAYS, SEED = 300, 90, 11
AS_OF = date(2026, 1, 1)


@dataclass(frozen=True)
class SmallLake:
    """A finished lake.

    Attributes:
        lake: its tables.
        conf: the configuration that it was made by.
        as_of: what its one release saw.
        shop: folder of the feeds and the truth; the configuration finds it by `PERSONA_SIMULATED`.
    """

    lake: Lake
    conf: Conf
    as_of: AsOf
    shop: Path

    @property
    def path(self) -> str:
        return str(self.lake.root)

    @property
    def profiles(self) -> DataFrame:
        return self.lake.spark.read.format("delta").load(f"{self.path}/user_profile")


def build_small_lake(spark: SparkSession, folder: Path) -> SmallLake:
    """Simulate the shop and run everything on it."""
    shop = folder / "shop"
    simulate(spark, users=USERS, days=DAYS, seed=SEED, out=str(shop), end=AS_OF)
    os.environ["PERSONA_SIMULATED"] = str(shop)
    conf = load_conf(write_quick_conf(folder / "conf") / "simulator.yaml")
    lake = open_lake(spark, conf.main.lake, conf.folder, str(folder / "lake"))
    outcome = pipeline.run(lake, conf, AS_OF, RunLog(lake, "small", datetime(2026, 1, 2, tzinfo=UTC)))
    return SmallLake(lake, conf, outcome.as_of, shop)
