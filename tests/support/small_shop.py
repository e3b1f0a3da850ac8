"""One simulated shop, run through the whole pipeline once, by the installed package, for all tests that look at a finished lake."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from installed import installed_persona

from persona_spark.config.defaults import init_conf
from persona_spark.config.load import Conf, load_conf
from persona_spark.lake.info import open_lake
from persona_spark.lake.known import committed_seq
from persona_spark.simulate import simulate
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.lake.tables import Lake

USERS, DAYS, SEED = 300, 90, 11
AS_OF = date(2026, 1, 1)
QUICK = {"smallest_k: 6\n": "smallest_k: 4\n", "largest_k: 12\n": "largest_k: 5\n", "starts: 2\n": "starts: 1\n"}
"""Fewer numbers of segments to try: what is tested is the pipeline, not the choice of k."""


@dataclass(frozen=True)
class SmallLake:
    """A finished lake.

    Attributes:
        lake: its tables.
        conf: the configuration that it was made by.
        as_of: what its one release saw.
        shop: folder of the feeds and the truth; the configuration finds it by `PERSONA_SIMULATED`.
        told: what the command printed.
    """

    lake: Lake
    conf: Conf
    as_of: AsOf
    shop: Path
    told: str

    @property
    def path(self) -> str:
        return str(self.lake.root)

    @property
    def profiles(self) -> DataFrame:
        return self.lake.spark.read.format("delta").load(f"{self.path}/user_profile")


def build_small_lake(spark: SparkSession, programs: Path, folder: Path) -> SmallLake:
    """Simulate the shop, and have the package whose programs are given run everything on it."""
    shop = folder / "shop"
    simulate(spark, users=USERS, days=DAYS, seed=SEED, out=str(shop), end=AS_OF)
    os.environ["PERSONA_SIMULATED"] = str(shop)
    init_conf(folder / "conf")
    segments = folder / "conf" / "segments.yaml"
    text = segments.read_text(encoding="utf-8")
    for usual, quick in QUICK.items():
        assert usual in text
        text = text.replace(usual, quick)
    segments.write_text(text, encoding="utf-8")
    conf = load_conf(folder / "conf" / "simulator.yaml")
    options = ["--conf", str(conf.path), "--as-of", AS_OF.isoformat(), "--lake", "lake"]
    done = installed_persona(programs, "run", *options, cwd=folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lake = open_lake(spark, conf.main.lake, conf.folder, str(folder / "lake"))
    return SmallLake(lake, conf, AsOf(AS_OF, committed_seq(lake)), shop, done.stdout)
