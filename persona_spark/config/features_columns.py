"""The columns that follow from conf/features.yaml: their names, types, units, words and ages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from persona_spark.config.base import Label
from persona_spark.config.expression import ExpressionError, compile_expression
from persona_spark.schema import MONEY, Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Attribute, Entry
    from persona_spark.time import Window

_TYPES = {
    "count": "bigint",
    "pieces": "bigint",
    "seconds": "bigint",
    "stars": "bigint",
    "money": MONEY,
    "ratio": "double",
    "number": "double",
    "days": "int",
    "date": "date",
}
_ENTERS = 1
TOP_TYPE = "array<struct<key:string,share:double,confidence:double>>"


@dataclass(frozen=True)
class FeatureColumn:
    """One published column and what is known of it.

    Attributes:
        column: name, type and comment as published.
        group: part of the file that defines it.
        source: name of its definition in that part.
        label: what people read.
        unit: money, count, pieces, seconds, days, ratio, number, date or text.
        null_when: in words, when it is null; empty when never.
        owner: who answers for it.
        ages: ages in days (as_of minus a tile's date) at which a tile changes its value; a tile of age 1 is new.
    """

    column: Column
    group: str
    source: str
    label: Label
    unit: str
    null_when: str
    owner: str
    ages: tuple[int, ...]


def windowed(name: str, window: Window) -> str:
    """Published name of a measure or a derived feature in a window: `paid_amount_90d`."""
    return f"{name}_{window.label}"


def days_since(date_name: str) -> str:
    """Name of the days from the date `<stem>_date` to as_of: `days_since_<stem>`."""
    return f"days_since_{date_name.removesuffix('_date')}"


def preferred(dimension: str) -> str:
    """Name of the preferred key of a dimension: `preferred_category`."""
    return f"preferred_{dimension}"


def top(dimension: str) -> str:
    """Name of the keys with the largest weights of a dimension: `top_category`."""
    return f"top_{dimension}"


def touch(which: str, dimension: str) -> str:
    """Name of the key of the first or last event that counts for a dimension: `first_category`."""
    return f"{which}_{dimension}"


def spread(gap: str) -> str:
    """Name of the standard deviation of a gap: `repurchase_gap_days_spread`."""
    return f"{gap}_spread"


def ages_of(window: Window) -> tuple[int, ...]:
    """Ages at which a tile enters and leaves `window`."""
    enters = window.offset + _ENTERS
    return (enters,) if window.oldest is None else (enters, window.oldest + 1)


def derived_windows(spec: FeaturesSpec, expr: str) -> tuple[Window | None, ...]:
    """The windows for which a derived feature makes a column; None stands for the one column of an expression without `{w}`.

    They are those for which every column of the expression exists; all of the file's when there are none, so that what is unknown
    can be told.
    """
    if "{w}" not in expr:
        return (None,)
    known = spec.base_columns
    windows = [window for window in spec.all_windows if not window.offset]
    return tuple(window for window in windows if _fits(derived_expr(expr, window), known)) or spec.parsed_windows


def _fits(expr: str, known: frozenset[str]) -> bool:
    try:
        return known.issuperset(compile_expression(expr).columns)
    except ExpressionError:
        return False


def derived_name(name: str, window: Window | None) -> str:
    """Name of a derived feature's column."""
    return name if window is None else windowed(name, window)


def derived_expr(expr: str, window: Window | None) -> str:
    """The expression of a derived feature's column."""
    return expr if window is None else expr.replace("{w}", window.label)


def derived_type(unit: str) -> str:
    """Published type of a unit."""
    return _TYPES[unit]


def feature_columns(spec: FeaturesSpec) -> tuple[FeatureColumn, ...]:
    """All published attributes and features, in order."""
    parts = (_attributes, _dates, _gaps, _streaks, _measures, _derived, _preferences)
    return tuple(column for part in parts for column in part(spec))


def base_names(spec: FeaturesSpec) -> tuple[str, ...]:
    """Published columns that derived features may use: all but derived features."""
    parts = (_attributes, _dates, _gaps, _streaks, _measures, _preferences)
    return ("as_of", *(column.column.name for part in parts for column in part(spec)))


def _attributes(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, attribute in spec.attributes.items():
        unit = {"string": "text", "date": "date", "boolean": "flag"}.get(attribute.type, attribute.unit)
        null_when = "not stated" if attribute.expr is None else "neither stated nor to be computed"
        label, owner = attribute.label, _owner(spec, attribute)
        yield _feature(name, attribute.type, "attributes", name, label, unit, _personal(attribute, null_when), owner, ())


def _personal(attribute: Attribute, null_when: str) -> str:
    return f"{null_when}; personal" if attribute.personal else null_when


def _dates(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, date in spec.dates.items():
        owner = _owner(spec, date)
        yield _feature(name, "date", "dates", name, date.label, "date", "it never happened", owner, (_ENTERS,))
        label = Label(en=f"Days since: {date.label.en}", zh=f"{date.label.zh}距今天数")
        yield _feature(days_since(name), "int", "dates", name, label, "days", "it never happened", owner, (_ENTERS,))


def _gaps(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, gap in spec.gaps.items():
        owner, inside = _owner(spec, gap), " in the preferred key" if gap.within else ""
        mean = f"there are fewer than two such dates{inside}"
        yield _feature(name, "double", "gaps", name, _of(gap.label, "mean", "（平均）"), "days", mean, owner, (_ENTERS,))
        label = _of(gap.label, "standard deviation", "（标准差）")
        yield _feature(spread(name), "double", "gaps", name, label, "days", f"there are fewer than three{inside}", owner, (_ENTERS,))


def _streaks(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, streak in spec.streaks.items():
        yield _feature(name, "bigint", "streaks", name, streak.label, "days", "", _owner(spec, streak), (_ENTERS,))


def _measures(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, measure in spec.measures.items():
        null_when = "nothing counts in the window" if measure.take == "spread" else ""
        kind = "double" if measure.take == "spread" and measure.unit != "money" else _TYPES[measure.unit]
        owner = _owner(spec, measure)
        for window in spec.windows_of(name):
            label = _in_window(measure.label, window)
            yield _feature(windowed(name, window), kind, "measures", name, label, measure.unit, null_when, owner, ages_of(window))


def _derived(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, derived in spec.derived.items():
        for window in derived_windows(spec, derived.expr):
            label = derived.label if window is None else _in_window(derived.label, window)
            ages = _all_ages(spec) if window is None else _ages_in(spec, derived_expr(derived.expr, window))
            owner, kind = _owner(spec, derived), _TYPES[derived.unit]
            yield _feature(derived_name(name, window), kind, "derived", name, label, derived.unit, derived.null_when, owner, ages)


def _preferences(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, preference in spec.preferences.items():
        owner, none, said = _owner(spec, preference), "no key has a positive weight", preference.label
        columns = [
            (preferred(name), "string", said, "text", none),
            (f"{preferred(name)}_share", "double", _of(said, "share of all positive weights", "占比"), "ratio", none),
            (
                f"{preferred(name)}_confidence",
                "double",
                _of(said, "least share that the number of events supports", "置信度"),
                "ratio",
                none,
            ),
            (
                top(name),
                TOP_TYPE,
                _of(said, f"the first {preference.top} with share and confidence", f"前{preference.top}名、占比及置信度"),
                "keys",
                none,
            ),
            (f"{name}_count", "bigint", _of(said, "keys with a positive weight", "（权重为正的个数）"), "count", ""),
            (f"{name}_diversity", "double", _of(said, "entropy of the shares, bits", "多样性（熵）"), "number", none),
        ]
        if preference.touch:
            never = "no event with a key counts"
            columns += [
                (touch("first", name), "string", _touched(said, name, "first", "首次触点"), "text", never),
                (touch("last", name), "string", _touched(said, name, "last", "最近触点"), "text", never),
            ]
        for column, kind, label, unit, null_when in columns:
            yield _feature(column, kind, "preferences", name, label, unit, null_when, owner, (_ENTERS,))


def _touched(label: Label, name: str, which: str, zh: str) -> Label:
    """The key of the first or last event is no preferred one."""
    return Label(en=f"{name.replace('_', ' ').capitalize()} of the {which} event that counts", zh=f"{zh}{label.zh.removeprefix('偏好')}")


def _of(label: Label, en: str, zh: str) -> Label:
    return Label(en=f"{label.en}: {en}", zh=f"{label.zh}{zh}")


def _all_ages(spec: FeaturesSpec) -> tuple[int, ...]:
    return tuple(sorted({age for window in spec.all_windows for age in ages_of(window)}))


def _ages_in(spec: FeaturesSpec, expr: str) -> tuple[int, ...]:
    """Ages of the windows that the columns of an expression end with."""
    labels = {window.label: window for window in spec.all_windows}
    try:
        columns = compile_expression(expr).columns
    except ExpressionError:
        return ()  # the checks tell what is wrong with it
    used = {label for name in columns for label in labels if name.endswith(f"_{label}")}
    return tuple(sorted({age for label in used for age in ages_of(labels[label])}))


def _in_window(label: Label, window: Window) -> Label:
    if window.days is None:
        return Label(en=f"{label.en}, ever", zh=f"{label.zh}（累计）")
    if window.offset:
        return Label(
            en=f"{label.en}, the {window.days} days before the last {window.offset}",
            zh=f"{label.zh}（{window.offset + 1}至{window.oldest}天前）",
        )
    return Label(en=f"{label.en}, last {window.days} days", zh=f"{label.zh}（近{window.days}天）")


def _owner(spec: FeaturesSpec, entry: Entry) -> str:
    return entry.owner or spec.owner


def _feature(  # noqa: PLR0917 - one call a column reads best on one line
    name: str, kind: str, group: str, source: str, label: Label, unit: str, null_when: str, owner: str, ages: tuple[int, ...]
) -> FeatureColumn:
    nullable = bool(null_when)
    meaning = f"null when {null_when}" if nullable else "0 when nothing happened"
    column = Column(name, kind, f"{label.en} ({unit}); {meaning}.", nullable=nullable)
    return FeatureColumn(column, group, source, label, unit, null_when, owner, ages)
