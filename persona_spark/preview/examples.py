"""Some users to look at: with low, median and high values, or with the most frequent texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.preview.statistics import MEDIAN, as_number, position, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, Row

    from persona_spark.preview.statistics import ColumnSummary

EACH = 2
TEXTS = 3


@dataclass(frozen=True)
class Example:
    """One user.

    Attributes:
        place: low, median or high; for text, frequent.
        user_id: the user.
        row: values of the column and of those that it is made from, in the order in which they are published.
    """

    place: str
    user_id: str
    row: dict[str, Any]


def examples(frame: DataFrame, summary: ColumnSummary, names: Sequence[str]) -> tuple[Example, ...]:
    """Users by their values in one column; ties go to the smaller user_id.

    Args:
        frame: user_id and the columns.
        summary: the column; low values are those above zero when the least is zero.
        names: columns to show.

    Returns:
        At most `EACH` users a place, none twice; one user for each of the `TEXTS` most frequent texts.
    """
    whole = F.struct("user_id", *(F.col(f"`{name}`") for name in names))
    if summary.kind == "text":
        return _of_texts(frame, summary, whole, names)
    if not summary.quantiles:
        return ()
    number = position(summary.feature)
    low = F.when(number > 0, number) if summary.zeros and as_number(summary.least) == 0 else number
    picks = {"low": low, "median": F.abs(number - as_number(summary.quantiles[MEDIAN])), "high": -number}
    ranked = frame.select(whole.alias("row"), *(rank.alias(place) for place, rank in picks.items()))
    best = (
        F.expr(f"min_by(row, struct({place}, row.user_id), {EACH * len(picks)}) filter (where {place} is not null)").alias(place)
        for place in picks
    )
    found = ranked.agg(*best).collect()[0]
    taken: dict[str, Example] = {}
    for place in picks:
        others = [row for row in found[place] or () if row.user_id not in taken]
        taken |= {row.user_id: _example(place, row, names) for row in others[:EACH]}
    return tuple(taken.values())


def _of_texts(frame: DataFrame, summary: ColumnSummary, whole: Column, names: Sequence[str]) -> tuple[Example, ...]:
    wanted = [text for text, _ in summary.texts[:TEXTS]]
    rows = frame.select(whole.alias("row"), shown(summary.feature).alias("text")).where(F.col("text").isin(wanted))
    first = rows.groupBy("text").agg(F.min_by("row", "row.user_id").alias("row")).collect()
    found = {row.text: row.row for row in first}
    return tuple(_example("frequent", found[text], names) for text in wanted)


def _example(place: str, row: Row, names: Sequence[str]) -> Example:
    return Example(place, row.user_id, {name: row[name] for name in names})
