from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from feature_history import Event, at, conf_of, load_spec, random_events, random_owners, write
from pyspark.sql import functions as F

from persona_spark.config.features import FeaturesSpec
from persona_spark.config.tile_tables import account_day_table, account_key_table, account_order_table, account_session_table, tile_tables
from persona_spark.errors import LakeError
from persona_spark.lake.tile_state import former_tiles
from persona_spark.schema import EVENTS
from persona_spark.tiles import tile as stage
from persona_spark.tiles.account_tiles import tiles_of
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

    from persona_spark.lake.memory import MemoryLake
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table

DAY = date(2018, 1, 1)
LATE = [
    Event("n:a00a", "pay", at(date(2017, 10, 3)), seq=4, order="n:u00o1", amount=Decimal("3.10"), category="tea"),
    Event("n:new", "view", at(date(2017, 12, 31)), seq=4, session="n:new1", category="rice"),
    Event("n:a00a", "pay", at(DAY + timedelta(days=40)), seq=4, order="n:u00o2"),
]


def history(seed: int = 5) -> list[Event]:
    rng = random.Random(seed)
    return random_events(random_owners(6, rng), DAY, 250, rng)


def content(lake: Lake, spec: FeaturesSpec) -> dict[str, list[str]]:
    """Every tile with its parts put together."""
    return {table.name: sorted(map(str, whole(lake, table).collect())) for table in tile_tables(spec)}


def whole(lake: Lake, table: Table) -> DataFrame:
    """One row a key: what the parts add up to."""
    values = [column for column in table.columns if column.name not in (*table.key, "event_month")]
    sums = [how(column.name, column.type)(column.name).alias(column.name) for column in values]
    return lake.read(table).groupBy(*(name for name in table.key if name != "ingest_seq")).agg(*sums, F.max("ingest_seq"))


def how(name: str, kind: str) -> Callable[[str], SparkColumn]:
    if name.endswith(("_from", "_first", "first_seq")):
        return F.min
    return F.max if name.endswith(("_to", "_last")) or kind == "boolean" else F.sum


def test_late_data_older_knowledge_kills_and_new_definitions_equal_tiles_made_anew(
    memory: MemoryLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_spec()
    conf = conf_of(spec)
    write(memory, EVENTS, [*history(), *LATE])
    assert tile(memory, conf, AsOf(DAY, 4)).notes["anew"]
    fourth = content(memory, spec)
    assert tile(memory, conf, AsOf(DAY, 3)).notes["anew"]
    third = content(memory, spec)
    kill_before_mark(memory, monkeypatch, spec, 4)
    assert content(memory, spec) != third
    result = tile(memory, conf, AsOf(DAY, 4))
    assert (result.rows_in, result.notes["account_days_touched"], result.notes["anew"]) == (3, 3, False)
    assert result.notes["account_day"] == 3
    assert content(memory, spec) == fourth
    kill_while_made_anew(memory, monkeypatch)
    assert content(memory, spec) != fourth
    assert tile(memory, conf, AsOf(DAY, 4)).notes["anew"] == "a run that made them anew did not end"
    assert content(memory, spec) == fourth
    assert tile(memory, conf, AsOf(DAY, 4)).skipped
    other = changed(spec)
    assert tile(memory, conf_of(other), AsOf(DAY, 4)).notes["anew"]
    columns = memory.read(account_day_table(other)).columns
    assert "search_day_count" in columns
    assert "dwell_seconds" not in columns


def test_rows_of_items_of_an_account_and_month_lie_in_one_file(lake: Lake) -> None:
    spec = load_spec()
    write(lake, EVENTS, history())
    tile(lake, conf_of(spec), AsOf(DAY, 3))
    files = lake.read(account_key_table(spec, "item")).withColumn("file", F.input_file_name())
    months = files.groupBy("account_id", "event_month").agg(F.count_distinct("file").alias("files"), F.count("*").alias("rows"))
    assert months.where("rows > 3").count() > 6
    assert months.agg(F.max("files")).collect()[0][0] == 1
    assert files.select("file").distinct().count() > files.select("event_month").distinct().count()


def kill_before_mark(lake: Lake, monkeypatch: pytest.MonkeyPatch, spec: FeaturesSpec, seq: int) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "mark_tiles", killed)
        with pytest.raises(KeyboardInterrupt):
            tile(lake, conf_of(spec), AsOf(DAY, seq))


def kill_while_made_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(events: DataFrame, spec: FeaturesSpec, table: Table) -> DataFrame:
        if table.name == "account_order":
            raise KeyboardInterrupt
        return tiles_of(events.where("event_type = 'pay'"), spec, table)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "tiles_of", killed)
        with pytest.raises(KeyboardInterrupt):
            tile(lake, conf_of(load_spec()), AsOf(DAY, 3))


def changed(spec: FeaturesSpec) -> FeaturesSpec:
    measures = {name: measure.model_dump() for name, measure in spec.measures.items() if name != "dwell_seconds"}
    extra = {"distinct": "days", "where": "event_type = 'search'", "label": {"en": "Days with a search", "zh": "搜索天数"}}
    return FeaturesSpec.model_validate({**spec.model_dump(), "measures": {**measures, "search_day_count": extra}})


def test_tiles_by_hand(memory: MemoryLake) -> None:
    spec = load_spec()
    day = date(2017, 12, 30)
    events = [
        Event("n:a", "pay", at(day), seq=1, order="n:1", session="n:s", amount=Decimal("19.99"), quantity=2, category="tea"),
        Event("n:a", "pay", at(day, 23), seq=2, order="n:1", amount=Decimal("0.01"), promotion="618", category="tea"),
        Event("n:a", "return", at(day, 23, 30), seq=2, order="n:1", amount=Decimal("5.00"), category="rice"),
        Event("n:a", "order", at(day - timedelta(days=1)), seq=3, order="n:1"),
    ]
    write(memory, EVENTS, events)
    tile(memory, conf_of(spec), AsOf(DAY, 2))
    row = memory.read(account_day_table(spec)).collect()[0].asDict()
    names = ("event_count", "pay_count", "night_count", "paid_amount_minor", "returned_amount_minor", "item_count", "ingest_seq")
    assert [row[name] for name in names] == [3, 2, 2, 2000, 500, 2, 2]
    assert row["promotion_paid_amount_minor"] == 1
    assert orders(memory, spec) == [(day, True, False, 2000, 2)]
    keys = memory.read(account_key_table(spec, "item")).select("category", "category_weight", "category_events", "bought_price_band_events")
    assert sorted(map(tuple, keys.collect())) == [("rice", -10, 1, 0), ("tea", 10, 1, 1), ("tea", 10, 1, 1)]
    session = memory.read(account_session_table(spec)).collect()[0]
    assert session.session_seconds_from == session.session_seconds_to == at(day).timestamp()
    tile(memory, conf_of(spec), AsOf(DAY, 3))
    assert orders(memory, spec) == [(day - timedelta(days=1), False, True, 0, 3), (day, True, False, 2000, 2)]


def orders(lake: Lake, spec: FeaturesSpec) -> list[tuple[object, ...]]:
    names = ("event_date", "order_count_counts", "placed_order_count_counts", "order_amount_value", "ingest_seq")
    rows = lake.read(account_order_table(spec)).select(*names).collect()
    return sorted(tuple(row) for row in rows)


def test_tables_that_definitions_no_longer_need_are_emptied(memory: MemoryLake, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_spec()
    one = {name: preference for name, preference in spec.preferences.items() if preference.family == "item"}
    fewer = spec.model_copy(update={"preferences": one})
    table = account_key_table(spec, "context")
    write(memory, EVENTS, [Event("n:a", "view", at(date(2017, 12, 30)), category="tea", channel="web")])
    tile(memory, conf_of(spec), AsOf(DAY, 1))
    whole = content(memory, spec)
    assert whole[table.name]
    assert former_tiles(memory, spec) == ()
    kill_before_mark(memory, monkeypatch, fewer, 1)
    assert memory.read(table).isEmpty()
    assert tile(memory, conf_of(fewer), AsOf(DAY, 1)).notes["anew"]
    assert tile(memory, conf_of(fewer), AsOf(DAY, 1)).skipped
    # Its name is kept: upkeep deletes its files.
    assert [former.name for former in former_tiles(memory, fewer)] == [table.name]
    tile(memory, conf_of(spec), AsOf(DAY, 1))
    assert content(memory, spec) == whole
    assert former_tiles(memory, spec) == ()


def test_without_events_the_way_forward_is_named(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="run persona ingest first"):
        tile(lake, conf_of(load_spec()), AsOf(DAY, 0))
    assert not (tmp_path / "lake" / "tile_state").exists()
