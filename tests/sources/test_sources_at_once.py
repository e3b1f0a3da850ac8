"""Two ingests at once: whoever reports success has exactly its rows in the lake, the other fails and is simply run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from small_feed import mapping, rows_of, take_in

from persona_spark.errors import LakeError
from persona_spark.lake.contract import frame_of
from persona_spark.lake.known import committed_seq
from persona_spark.lake.turn import Turn, take_turn
from persona_spark.schema import INGEST, INGEST_FILE, ITEMS, QUARANTINE, RETRACTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame

    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table

HEADER = "user,item,type,at,price,qty\n"
INGESTED = {"ingested_at": "2024-01-01", "source": "s", "target": "items", "mapping_hash": "h"}
"""Values of the row in `ingest`; the figures are its number."""


def row_of(lake: Lake, table: Table, seq: int, **values: str) -> DataFrame:
    """One row with the given values; numbers are `seq`, dates are null, arrays empty, other texts `x`."""
    columns = []
    for column in table.columns:
        fill = {"bigint": str(seq), "string": "'x'", "array<string>": "array()"}.get(column.type, "null")
        given = f"'{values[column.name]}'" if column.name in values else fill
        columns.append(f"cast({given} as {column.type}) as {column.name}")
    return lake.spark.range(1).selectExpr(*columns)


def end_well(turn: Turn) -> None:
    turn.commit(row_of(turn.lake, INGEST, turn.seq, **INGESTED))


def state(lake: Lake) -> list[list[object]]:
    names = {ITEMS: ("item_id", "ingest_seq"), QUARANTINE: ("path", "ingest_seq"), INGEST: ("ingest_seq",)}
    return [rows_of(lake, table, *columns) for table, columns in names.items()]


@pytest.mark.parametrize("after", [1, 2])
def test_an_ingest_overtaken_between_its_writes_fails_and_touches_nothing_of_the_other(lake: Lake, after: int) -> None:
    """The other one writes a table of its own, too, and none of quarantine, which the first one may write before or after it."""
    first = take_turn(lake, 0)
    steps = [(row_of(lake, ITEMS, 1, item_id="first"), ITEMS), (row_of(lake, QUARANTINE, 1, path="first"), QUARANTINE)]
    for rows, table in steps[:after]:
        first.write(rows, table)
    second = take_turn(lake, 0)
    second.write(row_of(lake, ITEMS, 1, item_id="second"), ITEMS)
    for rows, table in steps[after:]:
        with pytest.raises(LakeError, match=f"table {table.name} was changed by another writer .* run again"):
            first.write(rows, table)
    with pytest.raises(LakeError, match="table ingest was changed by another writer"):
        end_well(first)
    end_well(second)
    held = [[("second", 1)], [], [1]]
    assert state(lake) == held
    for rows, table in steps:
        with pytest.raises(LakeError, match="run again"):
            first.write(rows, table)
    with pytest.raises(LakeError, match="another ingest ran at the same time: run again"):
        take_turn(lake, 0)
    third = take_turn(lake, 1)
    third.write(row_of(lake, ITEMS, 2, item_id="third"), ITEMS)
    end_well(third)
    assert state(lake) == [[("second", 1), ("third", 2)], [], [1, 2]]


def test_an_ingest_that_commits_while_the_next_takes_its_turn_stays_whole(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = take_turn(lake, 0)
    first.write(row_of(lake, ITEMS, 1, item_id="first"), ITEMS)
    show = Turn.show

    def commits_first(self: Turn) -> None:
        end_well(first)
        show(self)

    monkeypatch.setattr(Turn, "show", commits_first)
    with pytest.raises(LakeError, match="another ingest ran at the same time: run again"):
        take_turn(lake, 0)
    assert state(lake)[0] == [("first", 1)]
    # The turn that failed has nothing that need be shut out.
    monkeypatch.setattr(Turn, "show", None)
    second = take_turn(lake, 1)
    second.end()
    assert take_turn(lake, 1).seq == 2


def test_a_turn_killed_before_it_was_shown_does_not_hide_one_that_still_runs(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The killed one began its work on what was known before the last ingest, so that its number is known when it takes its turn."""
    end_well(take_turn(lake, 0))
    running = take_turn(lake, 1)

    def killed(_: Turn) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Turn, "show", killed)
        with pytest.raises(KeyboardInterrupt):
            take_turn(lake, 0)
    last = take_turn(lake, 1)
    with pytest.raises(LakeError, match="run again"):
        running.write(frame_of(lake.spark, RETRACTIONS), RETRACTIONS)
    end_well(last)
    assert committed_seq(lake) == 2


def test_an_ingest_inside_another_wins_and_the_other_run_again_finds_nothing_new(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "feed").mkdir()
    days = {"a.csv": (1, 2), "b.csv": (2, 3)}

    def send(name: str) -> None:
        rows = "".join(f"u{day},i,pv,2024-01-0{day} 10:00:00,,\n" for day in days[name])
        (tmp_path / "feed" / name).write_text(HEADER + rows, encoding="utf-8")

    commit = Turn.commit

    def overtaken(self: Turn, row: DataFrame) -> None:
        monkeypatch.setattr(Turn, "commit", commit)
        send("b.csv")
        assert take_in(lake, tmp_path, mapping("feed")).notes == {"shop": "read 4 = 3 loaded + 1 duplicates + 0 quarantined"}
        commit(self, row)

    send("a.csv")
    monkeypatch.setattr(Turn, "commit", overtaken)
    with pytest.raises(LakeError, match="table ingest was changed by another writer at the same time, which goes first: run again"):
        take_in(lake, tmp_path, mapping("feed"))
    assert rows_of(lake, INGEST, "ingest_seq", "loaded") == [(1, 3)]
    assert [path[-5:] for path in rows_of(lake, INGEST_FILE, "path")] == ["a.csv", "b.csv"]
    assert take_in(lake, tmp_path, mapping("feed")).skipped
