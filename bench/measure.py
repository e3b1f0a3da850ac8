"""Measuring one data set: Spark and DuckDB by turns, each in a fresh process, on the same files."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from clones import clone
from confs import FEED_VARIABLE, write_conf, write_preferences_conf
from differences import compare
from event_log import spark_stages
from events_shape import AS_OF
from live_files import live_bytes
from peer_query import stored
from processes import timed

from persona_spark.config.load import load_conf

if TYPE_CHECKING:
    from pathlib import Path

    from differences import Differences
    from event_log import SparkStage
    from events_shape import Shop

FULL = ["tile", "identify", "features"]
PER_USER = ["score", "tag", "assign", "publish"]
NIGHTLY = ["ingest", *FULL, *PER_USER, "user_profile"]
KEY_TILES = "account_*key"
"""Names of the tables of the key tiles."""
TODAY, TOMORROW = AS_OF.isoformat(), (AS_OF + timedelta(days=1)).isoformat()


@dataclass
class Side:
    """What one engine took in the rounds of one measurement.

    Attributes:
        stages: seconds by stage or part, a dictionary a round.
        starts: seconds of starting a session.
        peaks: largest memory of the process and all that it started, bytes.
        notes: what the last round's stages told.
    """

    stages: list[dict[str, float]] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def seconds(self, *names: str) -> float:
        """Median over rounds of the sum of some stages; of all when none is named."""
        return median(sum(value for name, value in one.items() if not names or name in names) for one in self.stages)

    @property
    def peak(self) -> int:
        """The largest memory of any round."""
        return max(self.peaks)


@dataclass
class Measured:
    """All figures of one data set; what was not measured is missing."""

    shop: Shop
    events: int
    sides: dict[str, Side] = field(default_factory=dict)
    differences: dict[str, Differences] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    profiles: dict[str, list[SparkStage]] = field(default_factory=dict)
    low_heap: dict[str, Any] = field(default_factory=dict)

    def side(self, name: str) -> Side:
        """The figures of one engine in one measurement, new when there are none."""
        return self.sides.setdefault(name, Side())


@dataclass(frozen=True)
class Place:
    """Where one data set is measured.

    Attributes:
        base: folder of the data set.
        work: folder for clones, logs and what the peer writes.
        heap: heap of Spark's driver and limit of DuckDB's memory, such as 8g.
        settings: of Spark, to try, as NAME=VALUE.
    """

    base: Path
    work: Path
    heap: str
    settings: tuple[str, ...] = ()

    def stages(self, side: Side, lake: Path, conf: Path, stages: list[str], *, day: str = TODAY, events: Path | None = None) -> None:
        """Run stages with Spark; `events` is a folder for its event log."""
        log = self.work / f"{lake.name}-{stages[0]}.log"
        command = ["bench/spark_stages.py", "--lake", str(lake), "--conf", str(conf), "--as-of", day, "--stages", *stages]
        if self.settings:
            command += ["--set", *self.settings]
        if events:
            shutil.rmtree(events, ignore_errors=True)
            command += ["--event-log", str(events)]
        part = timed(command, log, {"SPARK_DRIVER_MEMORY": self.heap, FEED_VARIABLE: str(self.base / "feed")})
        told = last_json(log)
        side.stages.append({stage["stage"]: stage["seconds"] for stage in told["stages"]})
        side.starts.append(told["session"])
        side.peaks.append(part.peak)
        side.notes = {stage["stage"]: stage for stage in told["stages"]}

    def peer(self, side: Side, lake: Path, conf: Path, out: Path, day: str = TODAY) -> None:
        """Compute the same features with DuckDB."""
        log = out.with_suffix(".log")
        memory = f"{self.heap.removesuffix('g')}GiB"
        command = ["bench/peer.py", "--lake", str(lake), "--conf", str(conf), "--as-of", day, "--out", str(out), "--memory", memory]
        part = timed(command, log, {})
        told = last_json(log)
        parts = told["parts"]
        side.stages.append({**parts, "finding files": told["seconds"] - sum(parts.values())})
        side.peaks.append(part.peak)


def last_json(log: Path) -> dict[str, Any]:
    """The object on a log's last line."""
    told: dict[str, Any] = json.loads(log.read_text(encoding="utf-8").strip().splitlines()[-1])
    return told


def full_rebuild(place: Place, measured: Measured, *, profile: bool) -> None:
    """One round of everything from events to features, by both; leaves the lake as `work`/full."""
    lake, conf = clone(place.base / "lake", place.work / "full"), write_conf(place.work / "conf")
    events = place.work / "events-full" if profile else None
    place.stages(measured.side("full spark"), lake, conf, FULL, events=events)
    if events:
        measured.profiles["full spark"] = spark_stages(events)
    place.peer(measured.side("full duckdb"), lake, conf, place.work / "full.parquet")


def preferences(place: Place, measured: Measured) -> None:
    """One round of preferences alone, by both."""
    lake, conf = clone(place.base / "lake", place.work / "preferences"), write_preferences_conf(place.work / "preferences-conf")
    place.stages(measured.side("preferences spark"), lake, conf, FULL)
    place.peer(measured.side("preferences duckdb"), lake, conf, place.work / "preferences.parquet")


def first_release(place: Place, measured: Measured) -> None:
    """Publish a first release on `work`/full, with a segment model, so that nights have something to follow; not timed for the table."""
    place.stages(
        measured.side("first release"), place.work / "full", place.work / "conf" / "bench.yaml", ["score", "tag", "train", *PER_USER[2:]]
    )


def night(place: Place, measured: Measured, *, profile: bool) -> None:
    """One round of a night: one new day's files are taken in, and all stages follow; leaves the lake as `work`/night."""
    lake, conf = clone(place.work / "full", place.work / "night"), place.work / "conf" / "bench.yaml"
    events = place.work / "events-night" if profile else None
    place.stages(measured.side("night spark"), lake, conf, NIGHTLY, day=TOMORROW, events=events)
    if events:
        measured.profiles["night spark"] = spark_stages(events)


def hold_against_peer(place: Place, measured: Measured) -> None:
    """Compare what both computed: of the full rebuild, of preferences alone, and of the night, for which the peer runs once more."""
    for name in ("full", "preferences", "night"):
        lake = place.work / name
        if not lake.exists():
            continue
        day = TOMORROW if name == "night" else TODAY
        conf = place.work / ("preferences-conf" if name == "preferences" else "conf") / "bench.yaml"
        if name == "night":
            place.peer(measured.side("night duckdb"), lake, conf, place.work / "night.parquet", day)
        measured.differences[name] = compare(lake, day, place.work / f"{name}.parquet", stored(load_conf(conf).features))


def sizes(place: Place, measured: Measured) -> None:
    """Bytes of events, of the key tiles and of the other tables that the full rebuild wrote."""
    full = place.work / "full"
    for name in ("events", "account_day", "account_order", "account_session", "user_features"):
        measured.sizes[name] = live_bytes(full / name)
    measured.sizes["key tiles"] = sum(live_bytes(table) for table in full.glob(KEY_TILES))


def low_heap(place: Place, measured: Measured, heap: str) -> None:
    """Run the full rebuild with a small heap: whether it ends, and what it spills."""
    logs = place.work / "events-low"
    lake, side = clone(place.base / "lake", place.work / "low"), Side()
    try:
        replace(place, heap=heap).stages(side, lake, write_conf(place.work / "conf"), FULL, events=logs)
    except SystemExit as error:
        measured.low_heap = {"heap": heap, "error": str(error)[-400:]}
        return
    spilled = sum(stage.work.spilled_disk for stage in spark_stages(logs))
    measured.low_heap = {"heap": heap, "seconds": side.seconds(), "peak": side.peak, "spilled": spilled}
    shutil.rmtree(lake)
