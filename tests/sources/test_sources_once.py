"""Exactly once: repeats, reruns, rewritten and late files, and what a killed ingest leaves; and what went to quarantine."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F
from small_feed import map_feed, mapping, rows_of, take_in

from persona_spark.lake.known import committed_seq, known_events
from persona_spark.lake.turn import Turn
from persona_spark.schema import EVENTS, INGEST, INGEST_FILE, QUARANTINE
from persona_spark.sources.retract import retract

if TYPE_CHECKING:
    from pathlib import Path

    from persona_spark.lake.memory import MemoryLake
    from persona_spark.lake.result import StageResult
    from persona_spark.lake.tables import Lake

HEADER = "user,item,type,at,price,qty\n"
COUNTS = ("read", "loaded", "duplicates", "quarantined")


def row(number: int) -> str:
    return f"u{number},i,pv,2024-0{number}-01 10:00:00,,\n"


def write(folder: Path, name: str, *rows: str, modified: int | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HEADER + "".join(rows), encoding="utf-8")
    if modified is not None:
        os.utime(folder / name, (modified, modified))


def counts(lake: Lake) -> list[tuple[int, ...]]:
    return [tuple(found) for found in lake.read(INGEST).orderBy("ingest_seq").select("ingest_seq", "files", *COUNTS).collect()]


def test_an_event_counts_once_whatever_happens_to_the_files(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, content = tmp_path / "feed", mapping("feed")

    def run() -> StageResult:
        return take_in(lake, tmp_path, content)

    write(feed, "a.csv", row(1), row(2), row(1))
    write(feed, "第 2 天 +50% [b].csv", row(2), row(3), "u9,i\n")
    assert run().notes == {"shop": "read 6 = 3 loaded + 2 duplicates + 1 quarantined"}
    assert run().skipped

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    write(feed, "a.csv", row(1), row(2), row(4))
    write(feed, "old.csv", row(3), row(5), row(5), modified=1_000_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(Turn, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert len(rows_of(lake, EVENTS, "event_id")) == 5
    assert counts(lake) == [(1, 2, 6, 3, 2, 1)]

    (feed / "old.csv").unlink()
    write(feed, "late.csv", row(6), "u8,i\n", modified=1_000_000_000)
    assert run().notes == {"shop": "read 5 = 2 loaded + 2 duplicates + 1 quarantined"}
    assert rows_of(lake, EVENTS, "account_id", "ingest_seq") == [
        ("shop:u1", 1), ("shop:u2", 1), ("shop:u3", 1), ("shop:u4", 2), ("shop:u6", 2),
    ]  # fmt: skip
    assert rows_of(lake, QUARANTINE, "raw", "ingest_seq") == [("u8,i", 2), ("u9,i", 1)]
    assert counts(lake) == [(1, 2, 6, 3, 2, 1), (2, 2, 5, 2, 2, 1)]
    files = rows_of(lake, INGEST_FILE, "path", "rows", "ingest_seq")
    assert "" not in rows_of(lake, INGEST_FILE, "header_hash")
    found = [(path.rpartition("/")[2], *rest) for path, *rest in files]
    assert found == [("a.csv", 3, 1), ("a.csv", 3, 2), ("late.csv", 2, 2), ("第 2 天 +50% [b].csv", 3, 1)]
    assert run().skipped


def test_rows_that_stand_twice_are_separate_events_when_the_mapping_says_so(memory: MemoryLake, tmp_path: Path) -> None:
    write(tmp_path / "feed", "a.csv", row(1), row(1), row(1), row(2))
    write(tmp_path / "feed", "copy of a.csv", row(1), row(1), row(2))
    found = take_in(memory, tmp_path, mapping("feed", repeats="separate"))
    assert found.notes == {"shop": "read 7 = 4 loaded + 3 duplicates + 0 quarantined"}
    assert rows_of(memory, EVENTS, "account_id") == ["shop:u1", "shop:u1", "shop:u1", "shop:u2"]


def test_two_feeds_of_one_namespace_share_events_and_every_row_is_accounted_for(memory: MemoryLake, tmp_path: Path) -> None:
    rows = {
        "u1,i,buy,2024-11-03 01:30:00,5,1": [],
        "u1,i,buy,2024-03-10 02:30:00,5,1": [],
        "u2,i,buy,yesterday,5,1": ["unparsable time"],
        "u3,i,sell,2024-01-01,5,1": ["unknown type: sell"],
        ",i,buy,2024-01-01,5,1": ["missing account"],
        "u4,i,buy,2024-01-01,-5,1": ["negative amount"],
        "u5,i,buy,2024-01-01,5e9,1": ["absurd amount"],
        "u6,i,buy,2026-01-02,5,1": ["time later than the ingest"],
        "u7,i,buy,1970-01-01,5,1": ["time before 2000-01-01"],
        "u8,i,buy": ["unreadable row"],
        ",i,sell,,x,-1": ["missing account", "negative quantity", "unknown type: sell", "unparsable amount", "unparsable time"],
    }
    (tmp_path / "feed.csv").write_text(HEADER + "\n".join(rows), encoding="utf-8")
    zoned: dict[str, Any] = {"time": {"from": "at", "as": "timestamp", "zone": "America/New_York"}}
    again = {**mapping(**zoned), "source": "other"}
    found = take_in(memory, tmp_path, mapping(**zoned), again)
    odd = "1 ambiguous and 1 non-existent local times"
    assert found.notes == {
        "shop": f"read 11 = 2 loaded + 0 duplicates + 9 quarantined, {odd}",
        "other": f"read 11 = 0 loaded + 2 duplicates + 9 quarantined, {odd}",
    }
    assert (found.rows_in, found.rows_out) == (22, 2)
    quarantined = memory.read(QUARANTINE).where("source = 'shop'").collect()
    assert {row.raw: row.reasons for row in quarantined} == {raw: reasons for raw, reasons in rows.items() if reasons}
    assert {(row.target, row.path.rpartition("/")[2], row.ingest_seq) for row in quarantined} == {("events", "feed.csv", 1)}
    ingests = memory.read(INGEST).orderBy("ingest_seq").collect()
    assert all(row.read == row.loaded + row.duplicates + row.quarantined for row in ingests)
    assert [(row.ambiguous_times, row.nonexistent_times) for row in ingests] == [(1, 1), (1, 1)]
    assert (ingests[0].min_event_date, ingests[0].max_event_date) == (date(2024, 3, 10), date(2024, 11, 3))
    assert ingests[1].min_event_date is None


def test_an_event_counts_once_when_a_version_in_another_month_came_by_hand(memory: MemoryLake, tmp_path: Path) -> None:
    """Of ids that tell the time only the months of the batch are searched; versions that came before and after their event were moved."""
    content = mapping("feed")
    write(tmp_path / "later" / "feed", "b.csv", row(2))
    unsent = map_feed(memory.spark, tmp_path / "later", content).values("event_id")
    write(tmp_path / "feed", "a.csv", row(1))
    take_in(memory, tmp_path, content)
    moved = F.lit(date(2024, 7, 1))
    july = memory.read(EVENTS).withColumns({"event_time": moved.cast("timestamp"), "event_date": moved, "event_month": moved})
    early = july.withColumns({"event_id": F.lit(unsent[0]), "account_id": F.lit("shop:u2")})
    retract(memory, july.limit(0), datetime(2026, 1, 1, tzinfo=UTC), "moved", july.unionByName(early))
    write(tmp_path / "feed", "b.csv", row(1), row(2), row(3))
    assert take_in(memory, tmp_path, content).notes == {"shop": "read 3 = 1 loaded + 2 duplicates + 0 quarantined"}
    live = known_events(memory, committed_seq(memory)).select("account_id", F.month("event_date")).collect()
    assert sorted(tuple(found) for found in live) == [("shop:u1", 7), ("shop:u2", 7), ("shop:u3", 3)]


def test_an_event_counts_once_when_a_corrected_mapping_reads_its_time_as_another_month(memory: MemoryLake, tmp_path: Path) -> None:
    (tmp_path / "feed").mkdir()
    file = tmp_path / "feed" / "a.csv"
    file.write_text(HEADER + "u1,i,pv,3/4/2024 10:00,,\n", encoding="utf-8")
    wrong, right = (mapping("feed", time={"from": "at", "as": pattern}) for pattern in ("M/d/yyyy H:mm", "d/M/yyyy H:mm"))
    take_in(memory, tmp_path, wrong)
    os.utime(file, (2_000_000_000, 2_000_000_000))
    assert take_in(memory, tmp_path, right).notes == {"shop": "read 1 = 0 loaded + 1 duplicates + 0 quarantined"}
    file.write_text(HEADER + "u1,i,pv,3/4/2024 10:00,,\nu2,i,pv,3/4/2024 10:00,,\n", encoding="utf-8")
    assert take_in(memory, tmp_path, right).notes == {"shop": "read 2 = 1 loaded + 1 duplicates + 0 quarantined"}


def test_an_id_that_does_not_tell_the_time_is_found_in_any_month(memory: MemoryLake, tmp_path: Path) -> None:
    content = mapping("feed", event_id="user")
    write(tmp_path / "feed", "a.csv", row(1), row(2), row(3))
    take_in(memory, tmp_path, content)
    write(tmp_path / "feed", "b.csv", row(1).replace("2024-01", "2024-05"), row(4))
    assert take_in(memory, tmp_path, content).notes == {"shop": "read 2 = 1 loaded + 1 duplicates + 0 quarantined"}
    hashed = memory.read(EVENTS).where(F.col("id_hash") == F.xxhash64("event_id"))
    assert sorted(event.event_id for event in hashed.collect()) == ["u1", "u2", "u3", "u4"]
