"""The tables that a benchmark prints: goals and what was reached, stages, memory, differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from event_log import busy_seconds, by_group
from measure import FULL, PER_USER
from processes import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from measure import Measured

_HEAVIEST = 12


@dataclass(frozen=True)
class Goal:
    """One row of the table: a ratio that shall be small.

    Attributes:
        what: is measured.
        figure: what was found, in words.
        ratio: what was found, to be held against the goals.
        goal: what it may be.
        stretch: what it had better be; None when nothing is asked beyond the goal.
    """

    what: str
    figure: str
    ratio: float
    goal: float
    stretch: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the goal, or even the stretch, is met."""
        if self.stretch is not None and self.ratio <= self.stretch:
            return "stretch met"
        return "met" if self.ratio <= self.goal else "**missed**"


def goals(measured: Measured, plain: Measured | None) -> Iterator[Goal]:
    """The rows of one data set; `plain` is the same one without skew, for one that has it."""
    sides = measured.sides
    full, peer = sides["full spark"], sides["full duckdb"]
    ours, theirs = full.seconds("tile", "features"), peer.seconds()
    yield Goal("full rebuild: events, tiles, features written", _against(ours, theirs), ours / theirs, 2.5, 2)
    if "preferences spark" in sides:
        ours, theirs = sides["preferences spark"].seconds("tile", "features"), sides["preferences duckdb"].seconds()
        yield Goal("preferences alone, from events", _against(ours, theirs), ours / theirs, 4, 3)
    if "night spark" in sides:
        yield from _night(measured)
    tiles, events = measured.sizes["key tiles"], measured.sizes["events"]
    yield Goal("key tiles against events, bytes", f"{tiles / MIB:,.0f} / {events / MIB:,.0f} MiB", tiles / events, 1)
    if plain is not None:
        ours, even = full.seconds(), plain.sides["full spark"].seconds()
        yield Goal("full rebuild, against that without skew", f"{ours:,.1f} / {even:,.1f} s", ours / even, 1.3)
    differing = sum(found.total for found in measured.differences.values())
    yield Goal("cells in which the engines differ", f"{differing:,}", differing, 0)


def _night(measured: Measured) -> Iterator[Goal]:
    night, full = measured.sides["night spark"], measured.sides["full spark"]
    ours, whole = night.seconds("ingest", *FULL), full.seconds()
    yield Goal("a night, ingest to features, against the full rebuild", f"{ours:,.1f} / {whole:,.1f} s", ours / whole, 1 / 5, 1 / 10)
    theirs = measured.sides["full duckdb"].seconds()
    yield Goal("a night, ingest to features, against DuckDB's full time", _against(ours, theirs), ours / theirs, 1)
    users, once = night.seconds(*PER_USER), night.seconds("user_profile")
    yield Goal("what touches every user, against writing user_profile", f"{users:,.1f} / {once:,.1f} s", users / once, 5, 3)


def _against(ours: float, theirs: float) -> str:
    return f"Spark {ours:,.1f} s, DuckDB {theirs:,.1f} s"


def goal_table(measured: Measured, plain: Measured | None = None) -> str:
    """The goals of one data set."""
    rows = ["| what | measured | ratio | goal | stretch | verdict |", "| --- | ---: | ---: | ---: | ---: | --- |"]
    for goal in goals(measured, plain):
        stretch = "" if goal.stretch is None else f"{goal.stretch:.2g}"
        rows.append(f"| {goal.what} | {goal.figure} | {goal.ratio:.2f} | {goal.goal:.2g} | {stretch} | {goal.verdict} |")
    return "\n".join(rows)


def stage_table(measured: Measured) -> str:
    """Medians of each stage, and memory."""
    rows = ["| measurement | stage | seconds, median | each round |", "| --- | --- | ---: | --- |"]
    for name, side in measured.sides.items():
        for stage in side.stages[-1]:
            each = ", ".join(f"{one[stage]:.1f}" for one in side.stages)
            rows.append(f"| {name} | {stage} | {side.seconds(stage):,.1f} | {each} |")
    rows += ["", "| measurement | in all, median s | session start, s | peak memory, MiB |", "| --- | ---: | ---: | ---: |"]
    for name, side in measured.sides.items():
        start = f"{max(side.starts):.1f}" if side.starts else ""
        rows.append(f"| {name} | {side.seconds():,.1f} | {start} | {side.peak / MIB:,.0f} |")
    return "\n".join(rows)


def differences_text(measured: Measured) -> str:
    """What was compared, what differs, what was not compared."""
    lines = []
    for name, found in measured.differences.items():
        wrong = {column: count for column, count in found.cells.items() if count}
        lines.append(
            f"{name}: {len(found.cells)} columns of {found.users:,} users compared, {found.total:,} cells differ, "
            f"{found.lonely:,} users on one side only."
        )
        lines += [f"  differs: {column}: {count:,}" for column, count in wrong.items()]
        lines.append(f"  not compared: {', '.join(found.not_compared) or 'none'}")
    return "\n".join(lines)


def profile_table(measured: Measured, name: str) -> str:
    """Spark's own metrics of the last round of a measurement, by stage of the pipeline, and the heaviest stages of Spark."""
    profile, clock = measured.profiles[name], measured.sides[name].stages[-1]
    names = [f"seconds ({name})", "with a task running", "tasks", "task s", "CPU s", "GC s", "rows read", "MiB read", "MiB written"]
    names += ["shuffle read", "shuffle written", "spilled from memory", "to disk"]
    rows = [f"| stage | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for stage, work in by_group(profile).items():
        busy = f"{clock[stage]:,.1f} | {busy_seconds(profile, stage):,.1f}" if stage in clock else " | "
        figures = f"{work.tasks:,} | {work.seconds:,.1f} | {work.cpu_seconds:,.1f} | {work.gc_seconds:,.1f} | {work.rows_read:,}"
        moved = _mib(work.bytes_read, work.bytes_written, work.shuffle_read, work.shuffle_written, work.spilled_memory, work.spilled_disk)
        rows.append(f"| {stage} | {busy} | {figures} {moved}")
    rows += ["", "| stage | Spark stage | tasks | task s | MiB read | shuffle read | shuffle written | spilled to disk | operators |"]
    rows.append("| --- |" + " ---: |" * 7 + " --- |")
    for heavy in sorted(profile, key=lambda stage: -stage.work.seconds)[:_HEAVIEST]:
        work = heavy.work
        figures = _mib(work.bytes_read, work.shuffle_read, work.shuffle_written, work.spilled_disk)
        rows.append(f"| {heavy.group} | {heavy.number} | {work.tasks} | {work.seconds:,.1f} {figures} {', '.join(heavy.operators)} |")
    return "\n".join(rows)


def _mib(*sizes: int) -> str:
    return "| " + " | ".join(f"{size / MIB:,.1f}" for size in sizes) + " |"


def growth_table(all_measured: Sequence[Measured]) -> str:
    """Seconds of the full rebuild by size, and the line through the smallest and the largest: seconds a million and a fixed cost."""
    first, last = all_measured[0], all_measured[-1]
    slope = (_rebuild(last) - _rebuild(first)) / (last.events - first.events)
    fixed = _rebuild(first) - slope * first.events
    rows = ["| events | Spark, s | line, s | off by | DuckDB, s |", "| ---: | ---: | ---: | ---: | ---: |"]
    for measured in all_measured:
        line, peer = fixed + slope * measured.events, measured.sides["full duckdb"].seconds()
        rows.append(
            f"| {measured.events:,} | {_rebuild(measured):,.1f} | {line:,.1f} | {_rebuild(measured) / line - 1:+.0%} | {peer:,.1f} |"
        )
    return "\n".join([*rows, "", f"Line: {fixed:,.1f} s and {slope * 1e6:,.2f} s a million events."])


def _rebuild(measured: Measured) -> float:
    return measured.sides["full spark"].seconds()


def memory_text(measured: Measured, heap: str) -> str:
    """Peaks, and how the run with a small heap went."""
    peak = measured.sides["full spark"].peak / MIB
    text = f"Memory: heap {heap}, peak of the full rebuild {peak:,.0f} MiB."
    low = measured.low_heap
    if not low:
        return text
    if "error" in low:
        return f"{text} With {low['heap']} it **failed**: {low['error']}"
    took = f"it took {low['seconds']:,.1f} s, peak {low['peak'] / MIB:,.0f} MiB, spilled {low['spilled'] / MIB:,.0f} MiB to disk"
    return f"{text} With {low['heap']} {took}."
