"""Small feeds for the tests of ingest: files written by the test, a mapping as a dictionary, and what becomes of the rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from pyspark.sql import functions as F

from persona_spark.config.main import MainConf
from persona_spark.config.sources import SourceSpec
from persona_spark.sources.events import canonical_events
from persona_spark.sources.feed import PATH, RAW
from persona_spark.sources.files import location, new_files
from persona_spark.sources.ingest import ingest
from persona_spark.sources.read import read_feed
from persona_spark.sources.records import canonical_accounts, canonical_items
from persona_spark.sources.values import list_of_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyspark.sql import Row, SparkSession

    from persona_spark.config.load import Conf
    from persona_spark.lake.result import StageResult
    from persona_spark.lake.tables import Lake
    from persona_spark.schema import Table

INGESTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
_CANONICAL = {"events": canonical_events, "accounts": canonical_accounts, "items": canonical_items}


def mapping(path: str = "feed.csv", *, target: str = "events", **changes: Any) -> dict[str, Any]:
    """A mapping of user,item,type,at,price,qty; `changes` replace its keys, those of `files` and `set` one by one."""
    base: dict[str, Any] = {
        "source": "shop",
        "target": target,
        "namespace": "shop",
        "files": {"path": path, "format": "csv"},
        "set": {"account_id": "user"},
    }
    if target == "events":
        base |= {
            "time": {"from": "at", "as": "timestamp", "zone": "UTC"},
            "event_type": {"from": "type", "map": {"pv": "view", "buy": "pay", "back": "return"}},
            "event_id": ["user", "item", "type", "at"],
        }
        base["set"] = {"account_id": "user", "item_id": "item", "amount": "price", "quantity": "qty"}
    for key, value in changes.items():
        base[key] = {**base[key], **value} if key in ("files", "set") else value
    return {key: value for key, value in base.items() if value is not None}


def spec_of(content: Mapping[str, Any]) -> SourceSpec:
    """The mapping, checked as `persona check` does."""
    return SourceSpec.model_validate(content)


def conf_for(folder: Path, *contents: Mapping[str, Any], zone: str = "Asia/Shanghai", currency: str = "CNY", **limits: Any) -> Conf:
    """What ingest reads of a configuration."""
    main = MainConf.model_validate(
        {
            "name": "test",
            "lake": {"path": "lake", "zone": zone, "currency": currency},
            "sources": [f"{content['source']}.yaml" for content in contents],
            "ingest": limits,
        }
    )
    return cast("Conf", SimpleNamespace(main=main, sources=tuple(spec_of(content) for content in contents), folder=folder))


def take_in(lake: Lake, folder: Path, *contents: Mapping[str, Any], **conf: Any) -> StageResult:
    """Ingest the feeds at `INGESTED_AT`."""
    return ingest(lake, conf_for(folder, *contents, **conf), INGESTED_AT)


@dataclass(frozen=True)
class Mapped:
    """What a mapping made of a feed's rows, before the lake: good rows, and (raw record, reasons) of bad ones."""

    good: list[Row]
    bad: list[tuple[str, list[str]]]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason for _, reasons in self.bad for reason in reasons)

    def values(self, *names: str) -> list[Any]:
        """Of the good rows one column, or tuples of several, sorted."""
        rows = [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in self.good]
        return sorted(rows, key=repr)


def map_feed(spark: SparkSession, folder: Path, content: Mapping[str, Any], **conf: Any) -> Mapped:
    """Read a feed's files and map them, without a lake."""
    setup = conf_for(folder, content, **conf)
    spec = setup.sources[0]
    place = location(spec, folder)
    found = new_files(spark, spec, place, {})
    feed = read_feed(spark, spec, found.files, place)
    rows = _CANONICAL[spec.target](feed.rows, spec, setup, INGESTED_AT)
    kept = [name for name in rows.columns if name != "attributes"]
    collected = rows.select(*kept, "attributes", list_of_reasons().alias("reasons")).collect()
    counted = feed.records.groupBy(PATH).agg(F.count("*").alias("n")).collect()
    assert sum(row.n for row in counted) == len(collected)
    good = [row for row in collected if row.reasons == [""]]
    return Mapped(good, [(row[RAW], row.reasons) for row in collected if row.reasons != [""]])


def rows_of(lake: Lake, table: Table, *names: str) -> list[Any]:
    """Columns of a table's rows, sorted; values instead of tuples for one column."""
    rows = [row[0] if len(names) == 1 else tuple(row) for row in lake.read(table).select(*names).collect()]
    return sorted(rows, key=repr)
