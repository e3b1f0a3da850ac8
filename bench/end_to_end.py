"""Time a simulated shop end to end: simulate, run, and where the time and the memory went.

Each part is its own process, started as a user would start it. Memory is what the operating system says of the process
and all that it started (the driver's JVM above all), looked at once a second. Pages that processes share count once: for a
moment after Java has started a command of the system, both hold the whole heap.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parents[1]
MIB = 1024**2
AS_OF = "2026-01-01"


@dataclass
class Peak:
    """The largest memory of a process and its descendants, bytes; 0 where there is no /proc."""

    pid: int
    largest: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until `stop` is called."""
        while not self._done.wait(1):
            self.largest = max(self.largest, tree_memory(self.pid))

    def stop(self) -> None:
        """End the watching."""
        self._done.set()


def tree_memory(root: int) -> int:
    """Memory now, bytes, of a process and its descendants: resident pages, each divided among those that share it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(map(proportional_memory, family))


def proportional_memory(pid: int) -> int:
    """Proportional set size of a process, bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@dataclass(frozen=True)
class Part:
    """One command: seconds on the clock, and its peak of memory in bytes."""

    seconds: float
    peak: int


def timed(arguments: list[str], memory: str, log: Path) -> Part:
    """Run `persona` with `arguments`; its output goes to `log`, which is shown when it fails."""
    env = {**os.environ, "SPARK_DRIVER_MEMORY": memory, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    begun = time.perf_counter()
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen([sys.executable, "-m", "persona_spark.cli", *arguments], stdout=out, stderr=subprocess.STDOUT, env=env)  # noqa: S603 - our own command
        peak = Peak(process.pid)
        watcher = threading.Thread(target=peak.watch, daemon=True)
        watcher.start()
        code = process.wait()
        peak.stop()
        watcher.join()
    if code:
        sys.exit(f"persona {' '.join(arguments)} failed:\n{log.read_text(encoding='utf-8')[-4000:]}")
    return Part(time.perf_counter() - begun, peak.largest)


def stage_rows(lake: Path) -> list[tuple[str, int, int, float]]:
    """Stages of the first run in order, from the lake's own run log: name, rows in, rows out, seconds."""
    rows = DeltaTable(str(lake / "run_log")).to_pyarrow_table().sort_by("started_at").to_pylist()
    first = rows[0]["run_id"]
    return [(row["stage"], row["rows_in"], row["rows_out"], row["seconds"]) for row in rows if row["run_id"] == first]


def main() -> None:
    """Simulate a shop, run everything on it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--users", type=int, default=50_000, help="people in the shop")
    parser.add_argument("--days", type=int, default=365, help="days of history")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--memory", default="6g", help="heap of Spark's driver")
    parser.add_argument("--out", type=Path, default=ROOT / "lake" / "bench", help="folder for feeds and lake; removed first")
    options = parser.parse_args()
    out = options.out.absolute()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)

    shop = ["--users", str(options.users), "--days", str(options.days), "--seed", str(options.seed), "--as-of", AS_OF]
    made = timed(["simulate", *shop, "--out", str(out / "shop")], options.memory, out / "simulate.log")
    os.environ["PERSONA_SIMULATED"] = str(out / "shop")
    conf = ["--conf", str(ROOT / "conf" / "simulator.yaml"), "--as-of", AS_OF, "--lake", str(out / "lake")]
    ran = timed(["run", *conf], options.memory, out / "run.log")
    again = timed(["run", *conf], options.memory, out / "again.log")

    size = sum(path.stat().st_size for path in (out / "lake").rglob("*.parquet"))
    print(f"{options.users:,} users, {options.days} days, {os.cpu_count()} cores, heap {options.memory}\n")
    print("| stage | rows in | rows out | seconds |\n| --- | ---: | ---: | ---: |")
    for name, rows_in, rows_out, seconds in stage_rows(out / "lake"):
        print(f"| {name} | {rows_in:,} | {rows_out:,} | {seconds:,.1f} |")
    print("\n| command | seconds | peak memory, MiB |\n| --- | ---: | ---: |")
    for name, part in {"simulate": made, "run": ran, "run again, nothing new": again}.items():
        print(f"| {name} | {part.seconds:,.1f} | {part.peak / MIB:,.0f} |")
    print(f"\nParquet in the lake: {size / MIB:,.0f} MiB")


if __name__ == "__main__":
    main()
