"""Run stages on a lake in this process and print, as JSON on the last line, what each took.

The session's start is told apart. Stages are those of the pipeline by name, `ingest`, and `user_profile`: one plain write of all
profiles, against which the stages that touch every user are held. Each stage is a job group, so that Spark's event log tells
stages apart.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from persona_spark import pipeline
from persona_spark.config.load import load_conf
from persona_spark.lake.info import open_lake
from persona_spark.lake.known import committed_seq
from persona_spark.lake.result import StageResult
from persona_spark.lake.session import build_session
from persona_spark.projection import profile_frame
from persona_spark.sources.ingest import ingest
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Callable

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake

PLAIN_WRITE = "user_profile"


@dataclass(frozen=True)
class StageTime:
    """One stage as it ended."""

    stage: str
    seconds: float
    rows_in: int
    rows_out: int
    notes: dict[str, str]


def run_stages(lake: Lake, conf: Conf, day: date, names: list[str]) -> list[StageTime]:
    """Run `names` in their order for `day`."""
    done = []
    for name in names:
        lake.spark.sparkContext.setJobGroup(name, name)
        begun = time.perf_counter()
        result = _work(name, lake, conf, day)()
        seconds = time.perf_counter() - begun
        notes = {key: str(value) for key, value in result.notes.items()}
        print(f"{name}: {seconds:,.1f} s", flush=True)
        done.append(StageTime(name, seconds, result.rows_in, result.rows_out, notes))
    return done


def _work(name: str, lake: Lake, conf: Conf, day: date) -> Callable[[], StageResult]:
    if name == "ingest":
        night = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=20)
        return partial(ingest, lake, conf, night)
    if name == PLAIN_WRITE:
        return partial(write_profiles, lake, conf, day)
    return lambda: pipeline.STAGES[name](lake, conf, AsOf(day, committed_seq(lake)))


def write_profiles(lake: Lake, conf: Conf, day: date) -> StageResult:
    """Write the profiles of `day` once, beside the lake, with nothing around it."""
    frame = profile_frame(lake, conf, AsOf(day, committed_seq(lake)), parts=("scores", "tags", "segments"))
    place = f"{lake.root}/plain_profile"
    # As the product writes its own: each task the rows that it has.
    frame.write.format("delta").mode("overwrite").option("optimizeWrite", "false").save(place)
    return StageResult(0, 0)


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lake", required=True)
    parser.add_argument("--conf", type=Path, required=True)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--stages", nargs="+", required=True)
    parser.add_argument("--event-log", type=Path, help="folder for Spark's event log")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="Spark settings to try, which win over the package's own"
    )
    options = parser.parse_args()
    settings = dict(text.split("=", 1) for text in options.set)
    if options.event_log:
        options.event_log.mkdir(parents=True, exist_ok=True)
        settings |= {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": options.event_log.absolute().as_uri(),
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.compress": "false",
        }
    begun = time.perf_counter()
    spark = build_session("bench", settings)
    conf = load_conf(options.conf)
    lake = open_lake(spark, conf.main.lake, conf.folder, options.lake)
    session = time.perf_counter() - begun
    stages = run_stages(lake, conf, options.as_of, options.stages)
    spark.stop()
    print("\n" + json.dumps({"session": session, "stages": [asdict(stage) for stage in stages]}))


if __name__ == "__main__":
    main()
