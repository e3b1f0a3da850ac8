"""A feature is seen before it is computed for good, its figures are those of pandas, and the lake stays as it was."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from feature_history import CONF, Event, Version, at, conf_of, write_history, write_identity

from persona_spark.config.base import read_yaml
from persona_spark.config.features import FeaturesSpec
from persona_spark.errors import LakeError, UsageError
from persona_spark.features.compute import compute_features
from persona_spark.lake.tables import Lake
from persona_spark.preview import preview_feature
from persona_spark.preview_console import preview_lines
from persona_spark.projection import profile_frame
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from persona_spark.preview import Preview

DAY = date(2018, 1, 1)
USERS = 9
WINDOWS = ("7d", "90d", "lifetime")
KEPT = {"paid_amount", "order_amount", "order_count", "active_day_count", "average_order_value", "category"}
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
LABEL = {"en": "New", "zh": "新"}


def history() -> Iterator[Event]:
    """User n paid n orders of n.10 each, the last one n days before as_of; user 8 paid much, user 0 did nothing."""
    for user in range(1, USERS):
        for back in range(user):
            yield Event(
                f"n:u{user}",
                "pay",
                at(DAY - timedelta(days=user + 9 * back)),
                order=f"n:{user}-{back}",
                amount=Decimal(user) + Decimal("0.10") if user < USERS - 1 else Decimal(5000),
                category="tea" if user < 4 else "rice",
            )


@pytest.fixture(scope="module")
def paid(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(spark, path=tmp_path_factory.mktemp("preview"))
    versions = [Version(f"n:u{user}", date(2017, 1, 1), {"birth_year": str(1980 + user)}) for user in range(4)]
    write_history(lake, history(), versions)
    write_identity(lake, {f"n:u{user}": f"u{user}" for user in range(USERS)}, DAY, 1)
    tile(lake, conf_of(small()), AsOf(DAY, 1))
    compute_features(lake, conf_of(small()), AsOf(DAY, 1))
    return lake


def few() -> dict[str, Any]:
    """Some of the definitions of conf/, of every section, all in the same windows."""
    content, _ = read_yaml(CONF / "features.yaml")
    kept = {
        section: {
            name: {key: value for key, value in entry.items() if key != "windows"}
            for name, entry in content[section].items()
            if name in KEPT
        }
        for section in ("measures", "derived", "preferences")
    }
    return content | kept | {"windows": list(WINDOWS)}


def small() -> FeaturesSpec:
    return FeaturesSpec.model_validate(few())


def added(section: str, name: str, **entry: Any) -> FeaturesSpec:
    """The same and one more."""
    content = few()
    return FeaturesSpec.model_validate(content | {section: content[section] | {name: {"label": LABEL, **entry}}})


def look(lake: Lake, name: str, spec: FeaturesSpec | None = None, **options: Any) -> Preview:
    return preview_feature(lake, conf_of(spec or small()), name, **options)


def shown(preview: Preview) -> str:
    return "\n".join(preview_lines(preview, "USD"))


def files(lake: Lake) -> list[Path]:
    return sorted(Path(str(lake.root)).rglob("*"))


def test_figures_are_those_of_pandas(paid: Lake) -> None:
    preview = look(paid, "paid_amount")
    frame = profile_frame(paid, conf_of(small()), AsOf(DAY, 1)).toPandas()
    assert (preview.source, preview.why, preview.users, preview.all_users) == ("user_features", (), USERS, USERS)
    assert [column.name for column in preview.columns] == [f"paid_amount_{window}" for window in WINDOWS]
    for column in preview.columns:
        values = pd.Series([float(value) for value in frame[column.name]])
        assert [float(value) for value in column.quantiles] == list(np.quantile(values, SHARES, method="inverted_cdf"))
        assert (float(column.least), float(column.greatest)) == (values.min(), values.max())
        assert column.mean == pytest.approx(values.mean())
        assert (column.nulls, column.zeros) == (0, (values == 0).sum())
        assert column.scale is not None
        apart = column.zeros if column.scale.zeros_apart else 0
        assert sum(column.counts) == USERS - apart
    record = preview.to_pandas().loc["paid_amount_lifetime"]
    assert (record["unit"], record["max"], record["p50"]) == ("money", Decimal("40000.00"), Decimal("16.40"))


def test_examples_are_low_median_and_high_users_with_what_the_value_is_made_from(paid: Lake) -> None:
    preview = look(paid, "average_order_value")
    assert preview.focus == "average_order_value_90d"
    assert [(one.place, one.user_id) for one in preview.examples] == [
        ("low", "u1"), ("low", "u2"), ("median", "u4"), ("median", "u3"), ("high", "u8"), ("high", "u7"),
    ]  # fmt: skip
    assert preview.examples[1].row == {
        "order_amount_90d": Decimal("4.20"), "order_count_90d": 2, "average_order_value_90d": Decimal("2.10"),
    }  # fmt: skip


def test_a_measure_that_was_just_added_is_made_from_events_without_writing(paid: Lake) -> None:
    before = files(paid)
    preview = look(paid, "dear_count", added("measures", "dear_count", count=True, where="event_type = 'pay' and amount > 5"))
    assert preview.source == "events"
    assert preview.columns[-1].name == "dear_count_lifetime"
    # Users 5 to 8 paid as many lines above 5 as they have numbers.
    assert (preview.columns[-1].zeros, preview.columns[-1].greatest) == (5, 8)
    assert preview.columns[-1].mean == pytest.approx(26 / 9)
    assert "other definitions" in shown(preview)
    assert files(paid) == before


def test_a_derived_feature_that_was_just_added_needs_only_stored_rows(paid: Lake) -> None:
    spec = added("derived", "paid_per_day", expr="paid_amount_{w} / active_day_count_{w}", unit="money", null_when="no visit")
    preview = look(paid, "paid_per_day_lifetime", spec)
    assert preview.source == "user_features"
    assert [(column.nulls, column.greatest) for column in preview.columns] == [(1, Decimal("5000.00"))]
    assert list(preview.examples[0].row) == ["paid_amount_lifetime", "active_day_count_lifetime", "paid_per_day_lifetime"]


def test_a_gap_that_was_just_added_is_made_from_the_stored_tiles(paid: Lake) -> None:
    preview = look(paid, "visit_gap_days", added("gaps", "visit_gap_days", between="active_day_count"))
    assert preview.source == "tiles"
    assert (preview.columns[0].nulls, preview.columns[0].least, preview.columns[0].greatest) == (2, 9.0, 9.0)
    assert "9.000 only" in shown(preview)


def test_a_sample_is_of_the_lowest_hashes_and_says_so(paid: Lake) -> None:
    spec = added("gaps", "visit_gap_days", between="active_day_count")
    few, more = look(paid, "order_count", spec, sample=3), look(paid, "order_count", spec, sample=4)
    assert (few.users, few.all_users, more.users) == (3, USERS, 4)
    hashes = paid.spark.sql(f"SELECT concat('u', id) AS user FROM range({USERS}) ORDER BY xxhash64(concat('u', id))").collect()
    totals = [sum(int(user.user[1:]) for user in hashes[:count]) for count in (3, 4)]
    assert [preview.columns[-1].mean for preview in (few, more)] == [totals[0] / 3, totals[1] / 4]
    assert "a sample: the 3 lowest xxhash64(user_id)" in shown(few)


def test_text_has_its_most_frequent_values_and_dates_their_range(paid: Lake) -> None:
    columns = {column.name: column for column in look(paid, "category").columns}
    for name in ("preferred_category", "first_category", "last_category"):
        text = columns[name]
        assert (text.kind, text.nulls, text.distinct, text.texts) == ("text", 1, 2, (("rice", 5), ("tea", 3)))
    share, keys = columns["preferred_category_share"], columns["top_category"]
    assert (share.kind, keys.kind, keys.nulls, keys.greatest) == ("number", "array", 1, 1)
    assert "top_category (size)" in shown(look(paid, "top_category"))
    days, since = look(paid, "last_order_date").columns
    assert (days.nulls, days.least, days.greatest, days.mean) == (1, DAY - timedelta(days=8), DAY - timedelta(days=1), None)
    assert (days.counts, since.least, since.greatest) == ((1,) * 8, 1, 8)
    assert [one.user_id for one in look(paid, "category").examples] == ["u4", "u1"]
    assert "2017-12-24" in shown(look(paid, "last_order_date"))


def test_a_column_without_values_says_so(paid: Lake) -> None:
    preview = look(paid, "income_band")
    assert (preview.columns[0].nulls, preview.columns[0].texts, preview.examples) == (USERS, (), ())
    assert "income_band: null 9 100.0%" in shown(preview)
    numbers = look(paid, "strange", added("attributes", "strange", type="double"))
    assert (numbers.columns[0].nulls, numbers.columns[0].quantiles, numbers.columns[0].scale, numbers.examples) == (USERS, (), None, ())
    assert "all null" in shown(numbers)


def test_what_is_no_number_is_left_out_and_counted(paid: Lake) -> None:
    spec = added("derived", "odd", expr="case when order_count_lifetime > 5 then double('NaN') else exp(order_count_lifetime * 400) end",
                 unit="number", null_when="never")  # fmt: skip
    column = look(paid, "odd", spec).columns[0]
    assert (column.nulls, column.not_finite, column.valued, column.greatest) == (0, 7, 2, pytest.approx(np.exp(400)))


def test_one_user_and_no_users(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, path=tmp_path)
    with pytest.raises(LakeError, match=r"table identity does not exist.*run persona run --as-of DATE first"):
        look(lake, "paid_amount")
    write_history(lake, [Event("n:u", "pay", at(DAY - timedelta(days=1)), order="n:1", amount=Decimal("2.50"))])
    write_identity(lake, {"n:u": "u"}, DAY, 1)
    one = look(lake, "paid_amount")
    assert (one.source, one.users, one.columns[0].quantiles) == ("events", 1, (Decimal("2.50"),) * 7)
    assert [(example.place, example.user_id) for example in one.examples] == [("low", "u")]
    assert "2.50 only" in shown(one)
    write_identity(lake, {}, DAY, 1)
    with pytest.raises(LakeError, match=r"identity has no accounts as of 2018-01-01 \(no day has\)"):
        look(lake, "paid_amount", as_of=DAY)


def test_what_does_not_exist_is_told_with_the_nearest_names(paid: Lake) -> None:
    with pytest.raises(UsageError, match=r"no feature 'paid_amout' \(did you mean paid_amount"):
        look(paid, "paid_amout")
    with pytest.raises(LakeError, match=r"no accounts as of 2017-01-01 \(the latest day that has is 2018-01-01\)"):
        look(paid, "paid_amount", as_of=date(2017, 1, 1))
    with pytest.raises(UsageError, match="at least one user, not 0"):
        look(paid, "paid_amount", sample=0)


def test_columns_of_every_section_can_be_looked_at_alone(paid: Lake) -> None:
    for name in (
        "repurchase_gap_days",
        "longest_streak_days",
        "age",
        "registered_date",
        "days_since_first_visit",
        "preferred_category_share",
    ):
        assert name in shown(look(paid, name))
