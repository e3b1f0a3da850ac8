"""A simulated shop: the same rows however Spark divides the work, and a history that hangs together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from settings import settings_of

from persona_spark.errors import UsageError
from persona_spark.schema import EVENT_TYPES
from persona_spark.simulate import simulate
from persona_spark.simulate.accounts import PLATFORMS
from persona_spark.simulate.describe import persona_table

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

ROOT = Path(__file__).parents[2]
END = date(2026, 1, 1)
USERS, DAYS = 250, 230


@dataclass(frozen=True)
class Shop:
    path: Path
    notes: dict[str, int]

    def events(self, spark: SparkSession) -> DataFrame:
        return spark.read.parquet(str(self.path / "events"))


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    path = tmp_path_factory.mktemp("simulated") / "shop"
    result = simulate(spark, users=USERS, days=DAYS, seed=3, out=str(path), end=END)
    return Shop(path, dict(result.notes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def events(spark: SparkSession, shop: Shop) -> pd.DataFrame:
    frame = shop.events(spark).toPandas()
    frame["local"] = frame["event_time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Shanghai")
    return frame


@pytest.fixture(scope="module")
def truth(spark: SparkSession, shop: Shop) -> pd.DataFrame:
    return spark.read.parquet(str(shop.path / "truth")).toPandas()


def test_every_type_of_event_on_every_platform_within_the_history(events: pd.DataFrame) -> None:
    assert set(events["event_type"]) == set(EVENT_TYPES)
    assert set(events["platform"]) == set(PLATFORMS)
    assert events["event_id"].is_unique
    assert events["local"].min().date() >= END - timedelta(days=DAYS)
    assert events["local"].max().date() < END


def test_rows_are_counted_and_written_where_they_belong(shop: Shop, events: pd.DataFrame, truth: pd.DataFrame) -> None:
    assert shop.notes["events"] == len(events)
    assert shop.notes["truth"] == len(truth) == USERS
    assert sorted(path.name for path in shop.path.iterdir()) == ["accounts", "events", "items", "truth"]


def test_views_lead_to_carts_carts_to_orders_orders_to_payments(events: pd.DataFrame) -> None:
    lines = events.dropna(subset=["order_id"])
    placed, paid = (set(lines.loc[lines["event_type"] == kind, "order_id"]) for kind in ("order", "pay"))
    assert paid < placed, "some orders are never paid, none is paid without being placed"
    first = lines.pivot_table(index="order_id", columns="event_type", values="event_time", aggfunc="min")
    both = first.dropna(subset=["order", "pay"])
    assert (both["order"] < both["pay"]).all()
    assert lines.groupby("order_id")["account_id"].nunique().max() == 1
    ordered = events[(events["event_type"] == "order") & events["order_id"].isin(paid)]
    for kind in ("view", "cart"):
        of_kind = events[events["event_type"] == kind]
        seen = set(zip(of_kind["session_id"], of_kind["item_id"], strict=True))
        pairs = list(zip(ordered["session_id"], ordered["item_id"], strict=True))
        share = sum(pair in seen for pair in pairs) / len(pairs)
        assert share >= (0.99 if kind == "cart" else 0.5), kind


def test_payments_add_up_to_orders_and_returns_to_what_was_paid(events: pd.DataFrame) -> None:
    lines = events.dropna(subset=["order_id"])
    paid = lines[lines["event_type"] == "pay"].groupby("order_id")["amount"].sum()
    placed = lines[lines["event_type"] == "order"].groupby("order_id")["amount"].sum()
    # The last payments of the history may lie after its end.
    whole = [order for order in paid.index if paid[order] == placed[order]]
    assert len(whole) >= 0.99 * len(paid)
    assert (paid <= placed.reindex(paid.index)).all()
    back = lines[lines["event_type"] == "return"]
    returned = back.groupby("order_id")["amount"].sum()
    assert len(returned) > 0
    assert (returned <= paid.reindex(returned.index)).all()
    last_payment = lines[lines["event_type"] == "pay"].groupby("order_id")["local"].max()
    days = (back["local"] - back["order_id"].map(last_payment)).dt.total_seconds() / 86_400
    assert days.between(1, 13).all()


def test_a_presale_is_one_order_with_deposit_and_balance_on_11_11(events: pd.DataFrame) -> None:
    paid = events[events["event_type"] == "pay"]
    days = paid.assign(day=paid["local"].dt.date).groupby("order_id")["day"].nunique()
    presale = paid[paid["order_id"].isin(days[days == 2].index)]
    assert presale["order_id"].nunique() >= 5
    assert set(presale["promotion_id"]) == {"1111-2025"}
    for _, order in presale.groupby("order_id"):
        first = order["local"].dt.date == order["local"].dt.date.min()
        assert set(order.loc[~first, "local"].dt.date) == {date(2025, 11, 11)}
        assert date(2025, 10, 25) <= order.loc[first, "local"].min().date() <= date(2025, 11, 6)
        assert order.loc[first, "amount"].sum() < order.loc[~first, "amount"].sum() / 8


def test_promotions_are_named_on_their_days_and_give_discounts(events: pd.DataFrame) -> None:
    paid = events[(events["event_type"] == "pay") & events["promotion_id"].notna() & events["discount"].notna()]
    assert set(paid["promotion_id"]) == {"618-2025", "1111-2025", "1212-2025"}
    for promotion, dates in {"618-2025": "06-1[6789]", "1212-2025": "12-1[0123]"}.items():
        days = paid.loc[paid["promotion_id"] == promotion, "local"].dt.strftime("%m-%d")
        assert days.str.fullmatch(dates).all(), promotion
    assert (paid["discount"] > 0).mean() > 0.99


def test_reviews_have_stars_and_words_in_two_languages(events: pd.DataFrame) -> None:
    reviews = events[events["event_type"] == "review"]
    assert reviews["rating"].between(1, 5).all()
    chinese = reviews["text"].str.contains(r"[\u4e00-\u9fff]")
    assert 0.5 < chinese.mean() < 0.95
    contents = events[events["event_type"] == "content_view"]
    assert set(contents["content_type"]) == {"short_video", "image", "text", "live"}
    assert (contents["dwell_seconds"] > 0).all()


def test_truth_speaks_of_every_account_once(spark: SparkSession, shop: Shop, events: pd.DataFrame, truth: pd.DataFrame) -> None:
    accounts = spark.read.json(str(shop.path / "accounts")).toPandas()
    known = truth.explode("account_ids")
    assert sorted(known["account_ids"]) == sorted(accounts["account_id"])
    assert accounts["account_id"].is_unique
    assert accounts.merge(known, left_on="account_id", right_on="account_ids").groupby("person")["member_no"].nunique().max() == 1
    assert accounts["member_no"].nunique() == USERS
    silent = set(accounts["account_id"]) - set(events["account_id"])
    assert set(truth.loc[truth["persona"] == "no_events"].explode("account_ids")["account_ids"]) <= silent
    first = events.groupby("account_id")["local"].min().dt.tz_localize(None)
    registered = accounts.set_index("account_id")["registered_at"].astype("datetime64[us]")
    assert (registered.reindex(first.index) <= first).all()


def test_a_tenth_of_people_and_more_are_mixed(truth: pd.DataFrame) -> None:
    mixed = truth[truth["is_mixed"]]
    assert len(mixed) >= 0.1 * len(truth)
    assert (mixed["persona"] != mixed["second_persona"]).all()
    assert mixed["second_persona"].notna().all()
    assert truth.loc[~truth["is_mixed"], "second_persona"].isna().all()
    assert truth["persona"].nunique() == 13


def test_orders_of_the_truth_were_placed(events: pd.DataFrame, truth: pd.DataFrame) -> None:
    owner = truth.explode("account_ids").set_index("account_ids")["person"]
    paid = events[events["event_type"] == "pay"]
    counts = paid.groupby(paid["account_id"].map(owner))["order_id"].nunique()
    expected = truth.set_index("person")["orders"]
    assert (counts.reindex(expected.index).fillna(0) <= expected).all()
    assert counts.sum() >= 0.98 * expected.sum()


def test_same_rows_under_any_division_of_the_work(spark: SparkSession, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persona_spark.simulate.people._PEOPLE_OF_PARTITION", 30)
    changed = {"spark.sql.shuffle.partitions": "7", "spark.sql.codegen.factoryMode": "NO_CODEGEN", "spark.sql.adaptive.enabled": "false"}
    with settings_of(spark, changed):
        simulate(spark, users=USERS, days=DAYS, seed=3, out=str(tmp_path / "again"), end=END)
    assert len(list((tmp_path / "again" / "events").glob("*.parquet"))) > len(list((shop.path / "events").glob("*.parquet")))
    for part in ("events", "truth", "accounts", "items"):
        reader = spark.read.parquet if part in ("events", "truth") else spark.read.text
        one, other = (reader(str(path / part)) for path in (shop.path, tmp_path / "again"))
        assert one.exceptAll(other).isEmpty(), part
        assert other.exceptAll(one).isEmpty(), part


def test_another_seed_makes_another_shop_and_a_rerun_replaces_it(spark: SparkSession, tmp_path: Path) -> None:
    paths = [simulate(spark, users=20, days=40, seed=seed, out=str(tmp_path / "shop"), end=END).notes for seed in (0, -5)]
    accounts = spark.read.json(str(tmp_path / "shop" / "accounts"))
    assert accounts.count() == paths[1]["accounts"]
    assert paths[0] != paths[1]


@pytest.mark.parametrize("days", [1, 30])
def test_the_smallest_shops_work(spark: SparkSession, tmp_path: Path, days: int) -> None:
    result = simulate(spark, users=1, days=days, seed=1, out=str(tmp_path / "shop"), end=END)
    assert result.notes["truth"] == 1


def test_arguments_that_cannot_work_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    def refused(match: str, users: int = 10, days: int = 10, out: str = str(tmp_path / "new")) -> None:
        with pytest.raises(UsageError, match=match):
            simulate(spark, users=users, days=days, seed=1, out=out, end=END)

    refused("users is 0", users=0)
    refused("days is 0", days=0)
    refused("is a URL", out="s3a://bucket/shop")
    (tmp_path / "letters.txt").write_text("dear", encoding="utf-8")
    refused("is a file", out=str(tmp_path / "letters.txt"))
    refused("holds letters.txt", out=str(tmp_path))
    assert (tmp_path / "letters.txt").read_text(encoding="utf-8") == "dear"


def test_the_page_shows_the_numbers_in_use() -> None:
    assert persona_table() in (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
