"""What Spark's own event log says of each stage of the pipeline: bytes read, shuffled, spilled, and its heaviest Spark stages."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GROUP = "spark.jobGroup.id"
_MILLIS, _NANOS = 1e3, 1e9


@dataclass
class Work:
    """Sums over tasks; seconds are those of tasks, so two cores give two a second."""

    tasks: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    gc_seconds: float = 0.0
    rows_read: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    shuffle_read: int = 0
    shuffle_written: int = 0
    spilled_memory: int = 0
    spilled_disk: int = 0

    def add(self, metrics: dict[str, Any]) -> None:
        """Count one task."""
        read, wrote = metrics.get("Input Metrics", {}), metrics.get("Output Metrics", {})
        fetched, shuffled = metrics.get("Shuffle Read Metrics", {}), metrics.get("Shuffle Write Metrics", {})
        self.tasks += 1
        self.seconds += metrics.get("Executor Run Time", 0) / _MILLIS
        self.cpu_seconds += metrics.get("Executor CPU Time", 0) / _NANOS
        self.gc_seconds += metrics.get("JVM GC Time", 0) / _MILLIS
        self.rows_read += read.get("Records Read", 0)
        self.bytes_read += read.get("Bytes Read", 0)
        self.bytes_written += wrote.get("Bytes Written", 0)
        self.shuffle_read += fetched.get("Local Bytes Read", 0) + fetched.get("Remote Bytes Read", 0)
        self.shuffle_written += shuffled.get("Shuffle Bytes Written", 0)
        self.spilled_memory += metrics.get("Memory Bytes Spilled", 0)
        self.spilled_disk += metrics.get("Disk Bytes Spilled", 0)

    def add_up(self, other: Work) -> None:
        """Count all that another one has counted."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class SparkStage:
    """One stage of Spark: an exchange to an exchange.

    Attributes:
        number: Spark's.
        group: the stage of the pipeline.
        operators: what it consists of, as Spark names it.
        work: what its tasks did.
        spans: when each task began and ended, milliseconds.
    """

    number: int
    group: str
    operators: tuple[str, ...]
    work: Work = field(default_factory=Work)
    spans: list[tuple[int, int]] = field(default_factory=list)


def spark_stages(folder: Path) -> list[SparkStage]:
    """All stages of Spark that the logs in a folder tell of, in order."""
    stages: dict[int, SparkStage] = {}
    for event in _events(folder):
        kind = event.get("Event")
        if kind == "SparkListenerStageSubmitted":
            info = event["Stage Info"]
            number = info["Stage ID"]
            stages.setdefault(number, SparkStage(number, event.get("Properties", {}).get(_GROUP, "(none)"), _operators(info)))
        elif kind == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            stage = stages[event["Stage ID"]]
            stage.work.add(event["Task Metrics"])
            stage.spans.append((event["Task Info"]["Launch Time"], event["Task Info"]["Finish Time"]))
    return [stages[number] for number in sorted(stages)]


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "appstatus"))):
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)


def _operators(info: dict[str, Any]) -> tuple[str, ...]:
    """Names of the stage's operators, from the one that reads to the one that writes."""
    named: dict[str, None] = {}
    for rdd in sorted(info.get("RDD Info", []), key=lambda rdd: int(rdd["RDD ID"])):
        scope = json.loads(rdd["Scope"]) if rdd.get("Scope") else {}
        name = str(scope.get("name", "")).strip()
        if name:
            named.setdefault(name.partition(" ")[0] if name.startswith("WholeStageCodegen") else name, None)
    return tuple(named)


def by_group(stages: list[SparkStage]) -> dict[str, Work]:
    """Sums by stage of the pipeline, in order."""
    groups: dict[str, Work] = defaultdict(Work)
    for stage in stages:
        groups[stage.group].add_up(stage.work)
    return dict(groups)


def busy_seconds(stages: list[SparkStage], group: str) -> float:
    """Seconds in which at least one task of a group ran; what is left of its time the driver plans, commits and waits."""
    total, until = 0, 0
    for begun, ended in sorted(span for stage in stages if stage.group == group for span in stage.spans):
        total += max(0, ended - max(begun, until))
        until = max(until, ended)
    return total / _MILLIS
