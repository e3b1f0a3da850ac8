"""The columns that follow from conf/features.yaml: their names, types, units, words and ages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from persona_spark.config.base import Label
from persona_spark.schema import MONEY, Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.features import Attribute, Entry, FeaturesSpec
    from persona_spark.time import Window

_TYPES = {
    "count": "bigint",
    "pieces": "bigint",
    "seconds": "bigint",
    "money": MONEY,
    "ratio": "double",
    "number": "double",
}
_ENTERS = 1


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


def stored_measure(spec: FeaturesSpec, name: str) -> str:
    """Name of a measure in tiles and features: money carries `_minor`, since it is kept in minor units."""
    return f"{name}_minor" if spec.measures[name].unit == "money" else name


def stored_windowed(spec: FeaturesSpec, name: str, window: Window) -> str:
    """Name of a measure's window in `user_features`: `paid_amount_minor_90d`."""
    return f"{stored_measure(spec, name)}_{window.label}"


def days_since(date_name: str) -> str:
    """Name of the days from the date `<stem>_date` to as_of: `days_since_<stem>`."""
    return f"days_since_{date_name.removesuffix('_date')}"


def preferred(dimension: str) -> str:
    """Name of the preferred key of a dimension: `preferred_category`."""
    return f"preferred_{dimension}"


def ages_of(window: Window) -> tuple[int, ...]:
    """Ages at which a tile enters and leaves `window`."""
    return (_ENTERS,) if window.days is None else (_ENTERS, window.days + 1)


def derived_windows(spec: FeaturesSpec, expr: str) -> tuple[Window | None, ...]:
    """The windows for which a derived feature makes a column; None stands for the one column of an expression without `{w}`."""
    return spec.parsed_windows if "{w}" in expr else (None,)


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
    parts = (_attributes, _dates, _gaps, _measures, _derived, _preferences)
    return tuple(column for part in parts for column in part(spec))


def base_names(spec: FeaturesSpec) -> tuple[str, ...]:
    """Published columns that derived features may use: all but derived features."""
    parts = (_attributes, _dates, _gaps, _measures, _preferences)
    return ("as_of", *(column.column.name for part in parts for column in part(spec)))


def _attributes(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, attribute in spec.attributes.items():
        unit = {"string": "text", "date": "date", "boolean": "flag"}.get(attribute.type, "number")
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
        null_when = "there are fewer than two such dates"
        yield _feature(name, "double", "gaps", name, gap.label, "days", null_when, _owner(spec, gap), (_ENTERS,))


def _measures(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, measure in spec.measures.items():
        for window in spec.parsed_windows:
            label, kind = _in_window(measure.label, window), _TYPES[measure.unit]
            yield _feature(windowed(name, window), kind, "measures", name, label, measure.unit, "", _owner(spec, measure), ages_of(window))


def _derived(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, derived in spec.derived.items():
        for window in derived_windows(spec, derived.expr):
            label = derived.label if window is None else _in_window(derived.label, window)
            ages = _all_ages(spec) if window is None else ages_of(window)
            owner, kind = _owner(spec, derived), _TYPES[derived.unit]
            yield _feature(derived_name(name, window), kind, "derived", name, label, derived.unit, derived.null_when, owner, ages)


def _preferences(spec: FeaturesSpec) -> Iterator[FeatureColumn]:
    for name, preference in spec.preferences.items():
        owner, null_when = _owner(spec, preference), "no key has a positive weight"
        yield _feature(preferred(name), "string", "preferences", name, preference.label, "text", null_when, owner, (_ENTERS,))
        label = Label(en=f"{preference.label.en}: share of all positive weights", zh=f"{preference.label.zh}占比")
        yield _feature(f"{preferred(name)}_share", "double", "preferences", name, label, "ratio", null_when, owner, (_ENTERS,))


def _all_ages(spec: FeaturesSpec) -> tuple[int, ...]:
    return tuple(sorted({age for window in spec.parsed_windows for age in ages_of(window)}))


def _in_window(label: Label, window: Window) -> Label:
    if window.days is None:
        return Label(en=f"{label.en}, ever", zh=f"{label.zh}（累计）")
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
