"""How a feature looks, before or after it is computed for good: its columns in numbers, and some users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from persona_spark.errors import UsageError
from persona_spark.preview.choice import choose, inputs_of
from persona_spark.preview.examples import Example, examples
from persona_spark.preview.rows import Source, preview_rows
from persona_spark.preview.statistics import QUANTILES, ColumnSummary, summaries

if TYPE_CHECKING:
    from datetime import date

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.preview.choice import Choice
    from persona_spark.time import AsOf

SAMPLE = 50_000
"""Most users whose rows are made in memory."""


@dataclass(frozen=True)
class Preview:
    """A feature, looked at.

    Attributes:
        choice: the definition and its columns.
        as_of: the day, and what was known.
        users: users looked at.
        all_users: users of the lake as of the day.
        source: `user_features` when the stored rows were made by the definitions in use, else what rows were made from in memory.
        why: why they had to be made; empty for stored rows.
        columns: what each column holds.
        focus: the column by which the examples were chosen.
        examples: some users; their values of `focus` and of the columns that it is made from.
    """

    choice: Choice
    as_of: AsOf
    users: int
    all_users: int
    source: Source
    why: tuple[str, ...]
    columns: tuple[ColumnSummary, ...]
    focus: str
    examples: tuple[Example, ...]

    def to_pandas(self) -> pd.DataFrame:
        """One row a column: unit, users, nulls, zeros, quantiles, mean; the most frequent texts as a list of (text, users)."""
        return pd.DataFrame([_record(column) for column in self.columns]).set_index("column")


def preview_feature(lake: Lake, conf: Conf, name: str, as_of: date | None = None, sample: int = SAMPLE) -> Preview:
    """Look at a definition of conf/features.yaml, or at one published column, without writing anything.

    Rows of `user_features` are taken when the definitions in use made them. Otherwise, as for a feature that was just added, rows are
    made in memory: from the tiles if these hold what the definitions ask for, else from events.

    Args:
        lake: the lake.
        conf: the configuration, with the feature in it.
        name: a definition in any section of the file, or a published column.
        as_of: the day; default the latest for which accounts were identified.
        sample: most users that are made in memory; the same ones each time.

    Raises:
        UsageError: when nothing has that name, with the names nearest to it; when `sample` is below 1.
        LakeError: when no accounts have been identified as of the day.
    """
    if sample < 1:
        raise UsageError(f"a preview needs at least one user, not {sample}: leave --users out for {SAMPLE:,}")
    choice = choose(conf.features, name)
    rows = preview_rows(lake, conf, as_of, sample)
    names = dict.fromkeys(column.column.name for column in choice.columns)
    names |= dict.fromkeys(other for column in choice.columns for other in inputs_of(conf.features, column))
    frame = rows.frame.select("user_id", *names)
    # Rows made in memory would be made again for each pass; stored ones are read again at little cost, however many they are.
    frame = frame if rows.stored else frame.persist()
    try:
        columns = summaries(frame, choice.columns)
        focus = _focus(columns)
        order = [column.name for column in conf.features.profile_columns()]
        chosen = examples(frame, focus, sorted({focus.name, *inputs_of(conf.features, focus.feature)}, key=order.index))
    finally:
        if not rows.stored:
            frame.unpersist()
    return Preview(choice, rows.as_of, columns[0].users, rows.all_users, rows.source, rows.why, columns, focus.name, chosen)


def _focus(columns: tuple[ColumnSummary, ...]) -> ColumnSummary:
    """The middle one of several windows, the first of different columns; another when it has no value."""
    alike = len({(column.kind, column.feature.unit) for column in columns}) == 1
    wanted = columns[len(columns) // 2 if alike else 0]
    return wanted if wanted.valued else max(columns, key=lambda column: column.valued)


def _record(column: ColumnSummary) -> dict[str, object]:
    quantiles = column.quantiles or (None,) * len(QUANTILES)
    return {
        "column": column.name,
        "label": column.feature.label.en,
        "unit": column.feature.unit,
        "null_when": column.feature.null_when,
        "users": column.users,
        "nulls": column.nulls,
        "zeros": column.zeros,
        "mean": column.mean,
        "min": column.least,
        **{f"p{round(share * 100)}": value for share, value in zip(QUANTILES, quantiles, strict=True)},
        "max": column.greatest,
        "distinct": column.distinct,
        "texts": list(column.texts),
    }
