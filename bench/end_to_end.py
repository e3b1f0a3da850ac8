"""Time a simulated shop end to end: simulate, run, and where the time and the memory went.

Each part is its own process, started as a user would start it; its memory is that of Python and of all that it started, the
driver's JVM above all.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from deltalake import DeltaTable
from processes import MIB, ROOT, Part, timed

AS_OF = "2026-01-01"


def persona(arguments: list[str], memory: str, log: Path) -> Part:
    """Run the command line with `arguments`."""
    return timed(["-m", "persona_spark.cli", *arguments], log, {"SPARK_DRIVER_MEMORY": memory})


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
    parser.add_argument("--out", type=Path, default=ROOT / "lake" / "bench-shop", help="folder for feeds and lake; removed first")
    options = parser.parse_args()
    out = options.out.absolute()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)

    shop = ["--users", str(options.users), "--days", str(options.days), "--seed", str(options.seed), "--as-of", AS_OF]
    made = persona(["simulate", *shop, "--out", str(out / "shop")], options.memory, out / "simulate.log")
    os.environ["PERSONA_SIMULATED"] = str(out / "shop")
    conf = ["--conf", str(ROOT / "conf" / "simulator.yaml"), "--as-of", AS_OF, "--lake", str(out / "lake")]
    ran = persona(["run", *conf], options.memory, out / "run.log")
    again = persona(["run", *conf], options.memory, out / "again.log")

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
