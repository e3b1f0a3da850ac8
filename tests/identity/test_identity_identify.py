from __future__ import annotations

import hashlib
import random
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from nights import KilledError, killed_after
from settings import settings_of

from persona_spark.identity.identify import identify
from persona_spark.identity.links import LARGEST_GROUP
from persona_spark.lake.contract import frame_of
from persona_spark.schema import ACCOUNTS, EVENTS, IDENTITY, USER_ALIAS
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from persona_spark.config.load import Conf
    from persona_spark.lake.memory import MemoryLake
    from persona_spark.lake.result import StageResult
    from persona_spark.lake.tables import Lake

START = date(2024, 1, 1)
NO_CONF: Conf = None  # type: ignore[assignment]  # identity reads nothing of it
Version = tuple[str, int, list[str] | None, int, str]
"""account_id, days after START from which it holds, link keys, ingest_seq, source."""


def day(offset: int) -> date:
    return START + timedelta(days=offset)


def add_accounts(lake: Lake, versions: list[Version]) -> None:
    same = {"namespace": "t", "platform": "t"}
    rows = [
        {**same, "account_id": account, "source": source, "valid_from": day(offset), "link_keys": keys, "ingest_seq": seq}
        for account, offset, keys, seq, source in versions
    ]
    lake.append(frame_of(lake.spark, ACCOUNTS, rows), ACCOUNTS)


def add_events(lake: Lake, events: list[tuple[str, int, int]]) -> None:
    frame = lake.spark.createDataFrame(
        [(a, day(offset), seq, f"e{i}") for i, (a, offset, seq) in enumerate(events)], "a string, d date, s bigint, e string"
    )
    values: dict[str, str] = {
        "event_id": "concat(e, '-', s)", "namespace": "'t'", "source": "'s'", "platform": "'t'", "event_time": "timestamp(d)",
        "event_date": "d", "event_month": "date(date_trunc('month', d))", "event_hour": "12", "account_id": "a",
        "event_type": "'view'", "ingest_seq": "s", "id_hash": "0",
    }  # fmt: skip
    lake.append(frame.selectExpr(*(f"CAST({values.get(c.name, 'NULL')} AS {c.type}) AS {c.name}" for c in EVENTS.columns)), EVENTS)


def run(lake: Lake, offset: int, seq: int) -> StageResult:
    return identify(lake, NO_CONF, AsOf(day(offset), seq))


def found(lake: Lake, offset: int) -> dict[str, str]:
    return {row.account_id: row.user_id for row in lake.read(IDENTITY).where(f"as_of = '{day(offset)}'").collect()}


def first_ingests(lake: Lake, offset: int) -> dict[str, int]:
    return {row.account_id: row.first_seq for row in lake.read(IDENTITY).where(f"as_of = '{day(offset)}'").collect()}


def aliases(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in lake.read(USER_ALIAS).collect())


def user(founder: str) -> str:
    return "u_" + hashlib.sha256(founder.encode()).hexdigest()[:24]


def expected(versions: list[Version], events: list[tuple[str, int, int]], offset: int, seq: int) -> dict[str, str]:
    """Union-find over plain Python values."""
    first, since, latest = known_of(versions, events, offset, seq)
    members: dict[str, set[str]] = {}
    for (account, _), (_, _, keys) in latest.items():
        for key in keys:
            members.setdefault(key, set()).add(account)
    parent = {account: account for account in first if since[account] < offset}

    def root(account: str) -> str:
        while parent[account] != account:
            account = parent[account]
        return account

    for head, *tail in (group for group in members.values() if len(group) <= LARGEST_GROUP):
        for other in tail:
            low, high = sorted((root(head), root(other)), key=lambda a: (first[a], a))
            parent[high] = low
    return {account: user(root(account)) for account in parent}


def known_of(
    versions: list[Version], events: list[tuple[str, int, int]], offset: int, seq: int
) -> tuple[dict[str, int], dict[str, int], dict[tuple[str, str], tuple[int, int, list[str]]]]:
    """First ingest and first date of each account, and the latest version of each account and feed."""
    first: dict[str, int] = {}
    since: dict[str, int] = {}
    latest: dict[tuple[str, str], tuple[int, int, list[str]]] = {}
    for account, start, known, keys, source in [(v[0], v[1], v[3], v[2], v[4]) for v in versions] + [(*e, None, "") for e in events]:
        if known > seq:
            continue
        first[account] = min(first.get(account, known), known)
        since[account] = min(since.get(account, start), start)
        if source and start < offset:
            latest[account, source] = max(latest.get((account, source), (-1, -1, [])), (start, known, keys or []), key=lambda v: v[:2])
    return first, since, latest


def test_accounts_without_links_are_users_of_their_own_and_no_round_is_run(lake: Lake) -> None:
    add_events(lake, [("t:1", 0, 1), ("t:1", 3, 1), ("t:2", 5, 1), ("t:3", 1, 2)])
    add_accounts(lake, [("t:4", 0, None, 1, "s"), ("t:5", 0, ["alone"], 1, "s")])
    result = run(lake, 5, 1)
    assert found(lake, 5) == {a: user(a) for a in ("t:1", "t:4", "t:5")}
    assert result.notes == {"users": 3, "linking_keys": 0, "ignored_keys": 0, "rounds": 0, "changed_user_ids": 0}


def test_the_founder_is_the_account_known_first_then_the_smallest_id(memory: MemoryLake) -> None:
    add_accounts(
        memory, [("t:a", 0, ["k"], 2, "s"), ("t:z", 0, ["k"], 1, "s"), ("t:y", 0, ["k", "l"], 1, "s"), ("t:b", 0, ["l", "l"], 2, "s")]
    )
    run(memory, 1, 2)
    assert set(found(memory, 1).values()) == {user("t:y")}


def test_a_link_counts_from_the_day_after_its_date(memory: MemoryLake) -> None:
    add_events(memory, [("t:1", 0, 1), ("t:2", 0, 1)])
    add_accounts(memory, [("t:1", 0, ["k"], 1, "s"), ("t:2", 10, ["k"], 1, "s")])
    run(memory, 10, 1)
    assert found(memory, 10) == {"t:1": user("t:1"), "t:2": user("t:2")}
    run(memory, 11, 1)
    assert set(found(memory, 11).values()) == {user("t:1")}
    assert aliases(memory) == [(day(11), "t:2", user("t:2"), user("t:1"))]


def test_a_merge_and_its_undoing_are_written_down(memory: MemoryLake) -> None:
    add_accounts(memory, [("t:1", 0, ["k"], 1, "s"), ("t:2", 0, ["q"], 1, "s"), ("t:2", 5, ["k"], 1, "s"), ("t:2", 9, ["other"], 1, "s")])
    for offset in (3, 7, 12):
        run(memory, offset, 1)
    merge = (day(7), "t:2", user("t:2"), user("t:1"))
    parting = (day(12), "t:2", user("t:1"), user("t:2"))
    assert aliases(memory) == [merge, parting]
    run(memory, 7, 1)
    assert aliases(memory) == [merge, parting]


@pytest.mark.parametrize("writes", [2, 3])
def test_a_killed_day_leaves_no_gap_in_what_is_written_down(memory: MemoryLake, writes: int) -> None:
    """Killed after its rows, and after its changes."""
    add_accounts(memory, [("t:1", 0, ["k"], 1, "s"), ("t:2", 0, ["q"], 1, "s"), ("t:2", 5, ["k"], 1, "s")])
    run(memory, 3, 1)
    with pytest.raises(KilledError):
        run(killed_after(memory, writes), 7, 1)
    assert len(aliases(memory)) == writes - 2
    run(memory, 12, 1)
    assert aliases(memory) == [(day(7), "t:2", user("t:2"), user("t:1"))]


def test_a_correction_that_arrives_later_parts_accounts_of_the_same_day(memory: MemoryLake) -> None:
    add_accounts(memory, [("t:1", 0, ["k"], 1, "s"), ("t:2", 0, ["k"], 1, "s"), ("t:2", 0, [], 2, "s"), ("t:1", 0, None, 2, "elsewhere")])
    run(memory, 5, 1)
    assert set(found(memory, 5).values()) == {user("t:1")}
    run(memory, 5, 2)
    assert found(memory, 5) == {"t:1": user("t:1"), "t:2": user("t:2")}


def test_days_may_come_in_any_order(memory: MemoryLake) -> None:
    add_accounts(memory, [("t:1", 0, ["k"], 1, "s"), ("t:2", 0, [], 1, "s"), ("t:2", 5, ["k"], 1, "s")])
    for offset in (12, 3, 7):
        run(memory, offset, 1)
    assert aliases(memory) == [(day(7), "t:2", user("t:2"), user("t:1"))]


def test_a_key_that_too_many_share_is_ignored_and_counted(memory: MemoryLake) -> None:
    shared = LARGEST_GROUP + 1
    add_accounts(memory, [(f"t:{i:03}", 0, ["hotline"] + (["few"] if i < LARGEST_GROUP else []), 1, "s") for i in range(shared)])
    result = run(memory, 1, 1)
    assert result.notes["ignored_keys"] == 1
    assert result.notes["linking_keys"] == 1
    assert result.notes["users"] == 2


def test_a_long_chain_is_one_user_after_few_rounds(memory: MemoryLake) -> None:
    order = list(range(200))
    random.Random(5).shuffle(order)
    add_accounts(memory, [(f"t:{number:03}", 0, [f"k{i}", f"k{i + 1}"], 1, "s") for i, number in enumerate(order)])
    result = run(memory, 1, 1)
    assert set(found(memory, 1).values()) == {user("t:000")}
    assert int(str(result.notes["rounds"])) < 15


def test_a_day_that_other_code_linked_is_not_taken_over(memory: MemoryLake, monkeypatch: pytest.MonkeyPatch) -> None:
    add_accounts(memory, [(f"t:{i}", 0, ["k"], 1, "s") for i in range(3)])
    assert run(memory, 1, 1).notes["users"] == 1
    monkeypatch.setattr("persona_spark.identity.identify.LARGEST_GROUP", 2)
    assert run(memory, 2, 1).notes["users"] == 1
    monkeypatch.setattr("persona_spark.identity.accounts.code_version", lambda _: "other")
    notes = run(memory, 3, 1).notes
    assert (notes["users"], "base" in notes) == (3, False)


def test_only_users_of_whom_a_key_came_or_went_are_put_together_anew(memory: MemoryLake) -> None:
    crowd: list[Version] = [(f"t:c{i:02}", 0, ["crowd"], 1, "s") for i in range(LARGEST_GROUP + 1)]
    pairs: list[Version] = [(f"t:{name}", 0, [key], 1, "s") for name, key in (("1", "a"), ("2", "a"), ("3", "b"), ("4", "b"))]
    later: list[Version] = [("t:2", 3, ["a", "b"], 2, "s"), ("t:c07", 5, [], 3, "s"), ("t:5", 6, None, 3, "s"), ("t:2", 7, ["b"], 3, "s")]
    later.append(("t:c07", 8, ["crowd"], 4, "s"))
    add_accounts(memory, crowd + pairs + later)
    rounds = []
    for offset, seq in ((2, 1), (3, 2), (4, 2), (6, 3), (7, 3), (8, 3), (9, 4)):
        rounds.append(run(memory, offset, seq).notes["rounds"])
        assert found(memory, offset) == expected(crowd + pairs + later, [], offset, seq)
    # What is stated on a day counts from the next on; the crowd's key links while one is away; who comes without keys joins nobody.
    assert [bool(number) for number in rounds] == [True, False, True, True, False, True, True]


@pytest.mark.parametrize("seed", [0, 1])
def test_random_graphs_equal_union_find_under_any_partitioning(memory: MemoryLake, seed: int) -> None:
    draw = random.Random(seed)
    names = [f"t:{draw.randrange(10**6)}" for _ in range(60)]
    versions: list[Version] = []
    stated: set[tuple[str, int, int]] = set()
    for _ in range(90):
        name, offset, seq = draw.choice(names), draw.randrange(20), draw.randint(1, 4)
        if (name, offset, seq) in stated:
            continue
        stated.add((name, offset, seq))
        keys = [f"k{draw.randrange(70)}" for _ in range(draw.randrange(4))]
        versions.append((name, offset, keys or None, seq, draw.choice(["s", "s", "r"])))
    events = [(draw.choice(names), draw.randrange(20), draw.randint(1, 4)) for _ in range(60)]
    add_accounts(memory, versions)
    add_events(memory, events)
    bases = []
    for offset, seq in ((15, 4), (4, 1), (8, 2), (8, 3), (11, 3), (14, 4), (16, 3)):
        notes = run(memory, offset, seq).notes
        assert found(memory, offset) == expected(versions, events, offset, seq)
        assert first_ingests(memory, offset) == {a: known_of(versions, events, offset, seq)[0][a] for a in found(memory, offset)}
        bases.append(notes.get("base"))
    # The last one knows less than the day before it.
    assert bases == [None, None, *(f"{day(offset)} at ingest {seq}" for offset, seq in ((4, 1), (8, 2), (8, 3), (11, 3))), None]
    before = aliases(memory)
    with settings_of(memory.spark, {"spark.sql.shuffle.partitions": "7"}):
        run(memory, 15, 4)
    assert found(memory, 15) == expected(versions, events, 15, 4)
    assert aliases(memory) == before
