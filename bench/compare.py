"""Measure the engine against DuckDB: same machine, same run, same files, by turns, medians of some rounds.

Makes the data that it needs, keeps them for the next run, and prints Markdown. Figures of different runs are not comparable.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import measure
import report
from events_data import add_shop_options, shop_of
from measure import Measured, Place
from processes import timed

if TYPE_CHECKING:
    from pathlib import Path

    from events_shape import Shop


def data_of(shop: Shop, out: Path, heap: str) -> Path:
    """Folder of a data set, made when it is not there, by a process of its own."""
    folder = out / shop.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    flags = [*(["--skew"] if shop.skew else []), "--affinity" if shop.affinity else "--no-affinity", "--memory", heap]
    numbers = ["--events", str(shop.events), "--days", str(shop.days), "--seed", str(shop.seed), "--out", str(out)]
    made = timed(["bench/events_data.py", *numbers, *flags], out / f"{shop.name}.log", {})
    print(f"data {shop.name}: {made.seconds:,.0f} s", flush=True)
    return folder


def measure_all(place: Place, measured: Measured, options: argparse.Namespace, *, only_full: bool) -> None:
    """All measurements of one data set."""
    last = options.rounds - 1
    for number in range(options.rounds):
        measure.full_rebuild(place, measured, profile=options.profile and number == last)
        if not only_full:
            measure.preferences(place, measured)
        print(f"  round {number + 1} of {options.rounds}: full rebuild{'' if only_full else ' and preferences'} done", flush=True)
    if not only_full:
        measure.first_release(place, measured)
        for number in range(options.rounds):
            measure.night(place, measured, profile=options.profile and number == last)
        print("  nights done", flush=True)
    measure.sizes(place, measured)
    measure.hold_against_peer(place, measured)
    if options.low_heap and not only_full:
        measure.low_heap(place, measured, options.low_heap)


def run_one(shop: Shop, options: argparse.Namespace, plain: Measured | None = None, *, only_full: bool = False) -> Measured:
    """Measure one data set and print what was found."""
    out = options.out.absolute()
    base = data_of(shop, out, options.heap)
    place = Place(base, out / "work" / shop.name, options.heap, tuple(options.set))
    shutil.rmtree(place.work, ignore_errors=True)
    place.work.mkdir(parents=True)
    measured = Measured(shop, shop.events_a_day * shop.days)
    measure_all(place, measured, options, only_full=only_full)
    kind = "skewed" if shop.skew else "with affinity" if shop.affinity else "without affinity"
    print(f"\n## {measured.events:,} events, {shop.users:,} users, {shop.days} days, {kind}\n")
    print(report.goal_table(measured, plain) + "\n")
    print(report.memory_text(measured, options.heap) + "\n")
    print(report.differences_text(measured) + "\n")
    print(report.stage_table(measured) + "\n")
    for name in measured.profiles:
        print(report.profile_table(measured, name) + "\n")
    (out / f"{shop.name}.json").write_text(json.dumps(asdict(measured), default=str, indent=1), encoding="utf-8")
    if not options.keep:
        shutil.rmtree(place.work)
    return measured


def main() -> None:
    """Measure every size that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 10_000_000], help="sizes, from the smallest")
    parser.add_argument("--rounds", type=int, default=3, help="medians are of so many")
    parser.add_argument("--heap", default="8g", help="heap of Spark's driver, and DuckDB's limit")
    parser.add_argument("--low-heap", help="also run the full rebuild of the largest size with this heap, such as 4g")
    parser.add_argument(
        "--profile",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep Spark's metrics of the last round, which costs it some percent",
    )
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="Spark settings to try, which win over the package's own"
    )
    parser.add_argument("--keep", action="store_true", help="leave the lakes that were made where they are")
    add_shop_options(parser)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, heap {options.heap}, {options.rounds} rounds{''.join(f', {text}' for text in options.set)}", flush=True)
    low = options.low_heap
    plain = []
    for events in options.events:
        options.low_heap = low if events == max(options.events) else None
        plain.append(run_one(replace(shop_of(options, events), affinity=True, skew=False), options))
    if len(plain) > 1:
        print("## Growth\n\n" + report.growth_table(plain) + "\n")
    largest, options.low_heap = plain[-1].shop, None
    if not options.affinity:
        run_one(replace(largest, affinity=False), options, only_full=True)
    if options.skew:
        run_one(replace(largest, skew=True), options, plain[-1], only_full=True)


if __name__ == "__main__":
    main()
