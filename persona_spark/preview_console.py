"""A feature's preview as people read it on the terminal: figures, plots of blocks, some users."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from persona_spark.console import value_text
from persona_spark.preview.statistics import ACCURACY, MOST_VALUES, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from persona_spark.config.features_columns import FeatureColumn
    from persona_spark.preview import Preview
    from persona_spark.preview.statistics import ColumnSummary

_BLOCKS = "▁▂▃▄▅▆▇█"
_PARTS = " ▏▎▍▌▋▊▉"
_BAR = 24
_LONG_TEXT = 32
_MILLION, _THOUSAND = 1_000_000, 10_000
_MADE_FROM = {
    "user_features": "as stored in user_features",
    "tiles": "made in memory from the stored tiles",
    "events": "made in memory from events",
}


def show_preview(out: Console, preview: Preview, currency: str) -> None:
    """Print a preview.

    Args:
        out: where to.
        preview: what was found.
        currency: the lake's currency, the unit of money.
    """
    for line in preview_lines(preview, currency):
        out.print(line, markup=False)


def preview_lines(preview: Preview, currency: str) -> Iterator[str]:
    """The lines of a preview."""
    yield from preview.choice.definitions
    yield from _meanings(preview, currency)
    yield ""
    yield from _origin(preview)
    if not preview.users:
        return
    yield from _figures([column for column in preview.columns if column.kind != "text"])
    for column in preview.columns:
        if column.kind == "text":
            yield from _texts(column)
    if len(preview.columns) == 1 and preview.columns[0].scale is not None:
        yield from _histogram(preview.columns[0])
    yield from _examples(preview)


def number_text(value: Any) -> str:
    """A value in few characters: 0.012, 12.50, 1,234.50, 45,678, 1.2M."""
    if value is None or isinstance(value, bool | str | date | list):
        return value_text(value)
    size = abs(value)
    if size >= _MILLION:
        power, unit = next((power, unit) for power, unit in ((12, "T"), (9, "G"), (6, "M")) if size >= 10**power)
        return f"{float(value) / 10**power:,.1f}{unit}"
    if isinstance(value, int) and size < _THOUSAND:
        return str(value)  # a year is not 1,985
    if isinstance(value, int) or size >= _THOUSAND:
        return f"{value:,.0f}"
    if isinstance(value, Decimal) or size >= 10 or size == 0:  # noqa: PLR2004 - from there on two decimals say enough
        return f"{value:,.2f}"
    return f"{value:.3f}" if size >= 0.001 else f"{value:.1e}"  # noqa: PLR2004 - smaller ones would read as zero


def share_text(part: int, whole: int) -> str:
    """A share in percent; what is not none of it never reads as 0.0%, what is not all never as 100.0%."""
    if whole == 0:
        return "-"
    share = 100 * part / whole
    rounded = f"{share:.1f}%"
    if part and rounded == "0.0%":
        return "<0.1%"
    return ">99.9%" if part < whole and rounded == "100.0%" else rounded


def sparkline(counts: Sequence[int]) -> str:
    """A character a bin, the largest bin in full height; an empty bin is a blank."""
    top = max(counts, default=0)
    return "".join(_BLOCKS[max(0, -(-count * len(_BLOCKS) // top) - 1)] if count else " " for count in counts)


def bar(share: float, width: int = _BAR) -> str:
    """A bar of `share` of `width` characters, to an eighth of a character; never empty for a share above zero."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return ("█" * (eighths // 8) + _PARTS[eighths % 8]).rstrip()


def _meanings(preview: Preview, currency: str) -> Iterator[str]:
    """A line a column; one line for all windows, which differ in nothing else."""
    features = [column.feature for column in preview.columns]
    if preview.choice.label and len({(feature.unit, feature.null_when) for feature in features}) == 1:
        yield f"  {preview.choice.label}, in {len(features)} columns: {_meaning(features[0], currency)}"
        return
    for feature in features:
        yield f"  {feature.column.name}: {feature.label.en}: {_meaning(feature, currency)}"


def _meaning(feature: FeatureColumn, currency: str) -> str:
    unit = f"money in {currency}" if feature.unit == "money" else feature.unit
    return f"{unit}; {f'null when {feature.null_when}' if feature.null_when else 'never null, 0 when nothing happened'}"


def _origin(preview: Preview) -> Iterator[str]:
    everyone = preview.users == preview.all_users
    users = f"all {preview.users:,} users" if everyone else f"{preview.users:,} of {preview.all_users:,} users"
    yield f"as of {preview.as_of.date}, known up to ingest {preview.as_of.ingest_seq}: {users}, {_MADE_FROM[preview.source]}"
    if not everyone and preview.source != "user_features":
        yield f"  a sample: the {preview.users:,} lowest xxhash64(user_id), the same ones each time"
    for reason in preview.why:
        yield f"  because {reason}"
    if preview.why:
        yield "  the lake is as it was; persona run computes the column for good"
    if not preview.users:
        yield "  no users: nothing to show"


def _figures(columns: Sequence[ColumnSummary]) -> Iterator[str]:
    if not columns:
        return
    rows = [("column", "null", "", "zero", "", "mean", "distribution")]
    for column in columns:
        zero = ("-", "") if column.kind == "date" else (f"{column.zeros:,}", share_text(column.zeros, column.users))
        nulls = (f"{column.nulls:,}", share_text(column.nulls, column.users))
        rows.append((_titled(column), *nulls, *zero, number_text(column.mean), _plot(column)))
    yield ""
    yield from _aligned(rows, left={0, 6})
    head = ("", "min", *(f"{share * 100:.0f}%" for share in QUANTILES), "max")
    values = [
        (_titled(column), *map(number_text, (column.least, *(column.quantiles or (None,) * len(QUANTILES)), column.greatest)))
        for column in columns
    ]
    yield ""
    yield from _aligned([head, *values], left={0})
    for column in columns:
        if column.not_finite:
            yield f"{column.name}: {column.not_finite:,} values are infinite or no number, and are left out"
    if max(column.valued for column in columns) > ACCURACY:
        yield f"quantiles by percentile_approx: a rank is off by at most 1/{ACCURACY:,} of the values"


def _titled(column: ColumnSummary) -> str:
    return f"{column.name} (size)" if column.kind == "array" else column.name


def _plot(column: ColumnSummary) -> str:
    scale = column.scale
    if scale is None:
        return "all null" if column.users else ""
    if scale.bins == 1 and scale.low >= scale.high:
        only = number_text(column.greatest)
        return f"{only} only" if not scale.zeros_apart else f"0 or {only}"
    notes = ["log"] if scale.kind == "log" else []
    notes += ["without 0"] if scale.zeros_apart else []
    return f"[{sparkline(column.counts)}]{' ' + ', '.join(notes) if notes else ''}"


def _texts(column: ColumnSummary) -> Iterator[str]:
    yield ""
    nulls = f"null {column.nulls:,} {share_text(column.nulls, column.users)}"
    if not column.valued:
        yield f"{column.name}: {nulls}"
        return
    shown = f", the {MOST_VALUES} most frequent" if (column.distinct or 0) > MOST_VALUES else ""
    yield f"{column.name}: {nulls}, {column.distinct:,} different values{shown}; shares are of users with a value"
    top = max((users for _, users in column.texts), default=0)
    rows = [(f"  {_short(text)}", f"{users:,}", share_text(users, column.valued), bar(users / top)) for text, users in column.texts]
    yield from _aligned(rows, left={0, 3})


def _histogram(column: ColumnSummary) -> Iterator[str]:
    """A line a bin, for a column that is looked at alone."""
    scale = column.scale
    if scale is None or scale.bins == 1:
        return
    top, edges = max(column.counts), scale.edges
    rows = [("  0", "", f"{column.zeros:,}", share_text(column.zeros, column.valued), "")] if scale.zeros_apart else []
    for place, count in enumerate(column.counts):
        rows.append(
            (
                f"  {_edge(column, edges[place])}",
                f"to {_edge(column, edges[place + 1])}",
                f"{count:,}",
                share_text(count, column.valued),
                bar(count / top),
            )
        )
    yield ""
    yield from _aligned(rows, left={4})
    if column.kind != "date" and float(column.greatest) > edges[-1]:
        yield f"  the outer bins also hold what lies beyond them, up to {number_text(column.greatest)}"


def _edge(column: ColumnSummary, edge: float) -> str:
    if column.kind == "date":
        return str(date.fromordinal(date(1970, 1, 1).toordinal() + round(edge)))
    whole = isinstance(column.least, int)
    return number_text(round(edge) if whole else edge)


def _examples(preview: Preview) -> Iterator[str]:
    if not preview.examples:
        return
    names = list(preview.examples[0].row)
    rows = [("", "user_id", *names)]
    rows += [(one.place, one.user_id, *(_short(number_text(one.row[name])) for name in names)) for one in preview.examples]
    yield ""
    yield f"users by {preview.focus}"
    yield from _aligned(rows, left={0, 1})


def _short(text: str) -> str:
    return text if cell_len(text) <= _LONG_TEXT else f"{text[: _LONG_TEXT - 1]}…"


def _aligned(rows: Sequence[Sequence[str]], left: set[int]) -> Iterator[str]:
    """Lines of a table; Chinese characters are two wide."""
    widths = [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            text + " " * (width - cell_len(text)) if place in left else " " * (width - cell_len(text)) + text
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
