"""Bins hold every value once, shares never round to none or all, and blocks have the heights they claim."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import typer.testing
from pyspark.sql import functions as F

from persona_spark.cli import app
from persona_spark.errors import UsageError
from persona_spark.preview.bins import Scale, Spread, scale_of
from persona_spark.preview_console import bar, number_text, share_text, sparkline

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def spread_of(values: list[float], *, whole: bool = False) -> Spread:
    first, most, last = map(float, np.quantile([value for value in values if value], (0.01, 0.75, 0.99), method="inverted_cdf"))
    positive = [value for value in values if value > 0]
    zeros = values.count(0) / len(values)
    return Spread(min(values), max(values), (first, most, last), min(positive, default=None), zeros, whole)


def scale(values: list[float], **options: Any) -> Scale:
    return scale_of(spread_of(values, **options), zero_is_special=True)


def test_scales_follow_the_shape() -> None:
    assert scale([1.0, 2.0, 9.0, 10.0]) == Scale("even", 1, 10, 20)
    assert scale([2.0, 2.0]) == Scale("even", 2, 2, 1)
    assert scale([0.0, 0.0, 5.0]) == Scale("even", 5, 5, 1, zeros_apart=True)
    assert scale([3, 4, 6], whole=True) == Scale("even", 3, 7, 4)
    assert scale(list(range(100)), whole=True) == Scale("even", 0, 100, 20)
    assert scale([1, *[2] * 97, 3, 1000], whole=True) == Scale("log", 1, 1000, 10)
    assert scale([0.0, *[1.0] * 98, 1e6]) == Scale("log", 1, 1e6, 20, zeros_apart=True)
    tailed = scale([-1e6, *map(float, range(-100, 100)), 1e6])
    assert (tailed.kind, tailed.low, tailed.high) == ("even", -100 + 1, 98)


@pytest.mark.parametrize("values", [[0.0, 0.5, 1.0, 3.25, 10.0, 7.0], [1.0, 2.0, 4.0, 5.0, 1e4, 1e4 - 1, *[1.5] * 20], [3.0]])
def test_bins_are_those_of_numpy(spark: SparkSession, values: list[float]) -> None:
    found = scale(values)
    frame = spark.createDataFrame([(value,) for value in values], "x double").select(found.bin_of(F.col("x")).alias("bin"))
    counts = [0] * found.bins
    for row in frame.where("bin >= 0").collect():
        counts[row.bin] += 1
    kept = [value for value in values if value or not found.zeros_apart]
    expected = np.histogram(kept, bins=np.array(found.edges))[0] if found.bins > 1 else np.array([len(kept)])
    assert counts == list(expected)


def test_what_is_little_is_not_nothing() -> None:
    assert [share_text(*pair) for pair in ((0, 9), (1, 9000), (1, 9), (8999, 9000), (9, 9), (0, 0))] == [
        "0.0%", "<0.1%", "11.1%", ">99.9%", "100.0%", "-",
    ]  # fmt: skip
    assert sparkline([0, 1, 50, 100]) == " ▁▄█"
    assert (bar(1.0, 4), bar(0.5, 4), bar(0.001, 4), bar(0.0, 4)) == ("████", "██", "▏", "")


def test_numbers_are_short() -> None:
    values = (
        None,
        0,
        1985,
        45678,
        1_234_567,
        -3_000_000_000,
        Decimal("12.50"),
        Decimal("123456.78"),
        0.12345,
        0.00001,
        12.345,
        True,
        ["a", "b"],
    )
    assert [number_text(value) for value in values] == [
        "-", "0", "1985", "45,678", "1.2M", "-3.0G", "12.50", "123,457", "0.123", "1.0e-05", "12.35", "yes", "a, b",
    ]  # fmt: skip


def test_features_is_a_stage_and_has_a_preview() -> None:
    def run(*words: str) -> typer.testing.Result:
        return typer.testing.CliRunner().invoke(app, ["features", *words])

    assert "preview" in run("--help").output
    assert "--users" in run("preview", "--help").output
    for words, message in {
        (): "needs --conf FILE and --as-of DATE",
        ("--conf", "conf/demo.yaml"): "needs --conf FILE and --as-of DATE",
        ("--conf", "conf/demo.yaml", "preview", "x", "--conf", "y"): "options after the command: persona features preview",
        ("preview", "paid_amout", "--conf", "conf/demo.yaml"): "did you mean paid_amount",
    }.items():
        error = run(*words).exception
        assert isinstance(error, UsageError)
        assert message in str(error)
