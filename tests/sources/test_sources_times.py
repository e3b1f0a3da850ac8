"""Times in every form, against Python's own zone data."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from small_feed import INGESTED_AT, Mapped, map_feed, mapping

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

NEW_YORK = "America/New_York"


def mapped(spark: SparkSession, folder: Path, texts: list[str], zone: str | None = None, **time: Any) -> Mapped:
    lines = "".join(f'u{index:02},i,pv,"{text}"\n' for index, text in enumerate(texts))
    (folder / "feed.csv").write_text("user,item,type,at\n" + lines, encoding="utf-8")
    content = mapping(time={"from": "at", **time}, zone=zone)
    content["set"] = {"account_id": "user"}
    return map_feed(spark, folder, content, zone=NEW_YORK)


def by_text(found: Mapped, texts: list[str]) -> dict[str, datetime | str]:
    """What became of each text: its time in UTC, or the reason against it."""
    result: dict[str, datetime | str] = {texts[int(row.account_id[-2:])]: row.event_time for row in found.good}
    for raw, reasons in found.bad:
        result[texts[int(raw[1:3])]] = "; ".join(reasons)
    return result


def test_iso_texts(spark: SparkSession, tmp_path: Path) -> None:
    ten = datetime(2024, 1, 1, 10)  # noqa: DTZ001 - UTC
    two, unparsable = ten - timedelta(hours=8), "unparsable time"
    expected: dict[str, datetime | str] = {
        "2024-01-01 10:00:00": ten,
        " 2024-01-01T10:00 ": ten,
        "2024-01-01T10:00:00Z": ten,
        "2024-01-01 10:00:00 UTC": ten,
        "2024-01-01 10:00:00.250": ten + timedelta(milliseconds=250),
        "2024-01-01T10:00:00+08:00": two,
        "2024-01-01 10:00:00.5 +0800": two + timedelta(milliseconds=500),
        "2024-01-01 10:00:00+08": two,
        "2024-01-01 10:00:00 Asia/Shanghai": two,
        "2024-1-1 9:05": datetime(2024, 1, 1, 9, 5),  # noqa: DTZ001 - UTC
        "2024-01-01": datetime(2024, 1, 1),  # noqa: DTZ001 - UTC
        "10:00:00": unparsable,
        "2024": unparsable,
        "1704067200": unparsable,
        "2024-02-30 10:00:00": unparsable,
        "2024/01/01 10:00:00": unparsable,
        "2024-01-01 10:00:00 soon": unparsable,
        "today": unparsable,
        "": unparsable,
        "2026-01-01 00:00:01": "time later than the ingest",
        INGESTED_AT.isoformat(): datetime(2026, 1, 1),  # noqa: DTZ001 - UTC
        "1999-12-31 00:00:00": "time before 2000-01-01",
    }
    texts = list(expected)
    assert by_text(mapped(spark, tmp_path, texts, **{"as": "timestamp", "zone": "UTC"}), texts) == expected


def test_epochs_as_text_of_any_kind(spark: SparkSession, tmp_path: Path) -> None:
    midnight = datetime(2024, 1, 1)  # noqa: DTZ001 - UTC
    forms: dict[str, dict[str, datetime | str]] = {
        "epoch_seconds": {"1704067200": midnight, "1704067200.5": midnight + timedelta(seconds=0.5), "1.7040672E9": midnight,
                          " 1704067200 ": midnight, "1704067200000": "unparsable time", "x": "unparsable time", "": "unparsable time",
                          "-5": "time before 2000-01-01"},
        "epoch_millis": {"1704067200001": midnight + timedelta(milliseconds=1), "1704067200": "time before 2000-01-01"},
        "epoch_nanos": {"1704067200000001999": midnight + timedelta(microseconds=1)},
    }  # fmt: skip
    for form, expected in forms.items():
        texts = list(expected)
        assert by_text(mapped(spark, tmp_path, texts, **{"as": form}), texts) == expected, form


def test_patterns(spark: SparkSession, tmp_path: Path) -> None:
    texts = ["12/1/2010 8:26", "1/31/2011 17:05", "31/1/2011 17:05", "2010-12-01 08:26:00"]
    found = by_text(mapped(spark, tmp_path, texts, **{"as": "M/d/yyyy H:mm", "zone": "Europe/London"}), texts)
    assert found == {
        texts[0]: datetime(2010, 12, 1, 8, 26),  # noqa: DTZ001 - UTC
        texts[1]: datetime(2011, 1, 31, 17, 5),  # noqa: DTZ001 - UTC
        texts[2]: "unparsable time",
        texts[3]: "unparsable time",
    }
    zoned = ["20240101 100000 +0800"]
    assert by_text(mapped(spark, tmp_path, zoned, **{"as": "yyyyMMdd HHmmss Z", "zone": "Europe/London"}), zoned) == {
        zoned[0]: datetime(2024, 1, 1, 2)  # noqa: DTZ001 - UTC
    }


def test_naive_times_through_both_changes_of_the_clock(spark: SparkSession, tmp_path: Path) -> None:
    start = datetime(2024, 3, 9, 22)  # noqa: DTZ001 - local
    spring = [start + timedelta(minutes=30 * step) for step in range(20)]
    autumn = [datetime(2024, 11, 2, 22) + timedelta(minutes=30 * step) for step in range(20)]  # noqa: DTZ001 - local
    texts = [f"{local:%Y-%m-%d %H:%M:%S}" for local in (*spring, *autumn)]
    found = mapped(spark, tmp_path, texts, **{"as": "timestamp", "zone": NEW_YORK})
    zone, utc = ZoneInfo(NEW_YORK), ZoneInfo("UTC")
    # fold=0: of a time that occurs twice the first; of one that does not exist the offset before, so it lies as much later.
    expected = {
        f"{local:%Y-%m-%d %H:%M:%S}": local.replace(tzinfo=zone).astimezone(utc).replace(tzinfo=None) for local in (*spring, *autumn)
    }
    assert by_text(found, texts) == expected
    ambiguous = sorted(texts[int(row.account_id[-2:])] for row in found.good if row.persona__ambiguous)
    skipped = sorted(texts[int(row.account_id[-2:])] for row in found.good if row.persona__nonexistent)
    assert ambiguous == ["2024-11-03 01:00:00", "2024-11-03 01:30:00"]
    assert skipped == ["2024-03-10 02:00:00", "2024-03-10 02:30:00"]
    moved = next(row for row in found.good if texts[int(row.account_id[-2:])] == "2024-03-10 02:30:00")
    assert (moved.event_time.hour, moved.event_date, moved.event_hour) == (7, date(2024, 3, 10), 3)


def test_the_hour_is_the_sources_the_date_is_the_lakes(spark: SparkSession, tmp_path: Path) -> None:
    texts = ["2024-01-01 00:30:00", "2024-01-01 13:30:00"]
    found = mapped(spark, tmp_path, texts, zone="Asia/Shanghai", **{"as": "timestamp"})
    assert found.values("event_time", "event_date", "event_month", "event_hour") == [
        (datetime(2023, 12, 31, 16, 30), date(2023, 12, 31), date(2023, 12, 1), 0),  # noqa: DTZ001 - UTC
        (datetime(2024, 1, 1, 5, 30), date(2024, 1, 1), date(2024, 1, 1), 13),  # noqa: DTZ001 - UTC
    ]
