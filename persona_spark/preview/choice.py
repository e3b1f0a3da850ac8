"""What a name in conf/features.yaml stands for: the published columns that it makes, and those that it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from persona_spark.config.base import near_miss
from persona_spark.config.expression import ExpressionError, compile_expression
from persona_spark.config.features_columns import derived_expr, derived_name, derived_windows, windowed
from persona_spark.errors import UsageError

if TYPE_CHECKING:
    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_columns import FeatureColumn

_WORDS = {"label", "owner", "null_when"}
_MEASURED_BY = ("first", "last", "between", "of")


@dataclass(frozen=True)
class Choice:
    """What is looked at.

    Attributes:
        name: as asked for.
        columns: the published columns, in the order in which they are published.
        definitions: each definition as it stands in the file, in one line.
        label: what people read for all columns of one definition, in English; empty when the name stands for one column or for several
            definitions.
    """

    name: str
    columns: tuple[FeatureColumn, ...]
    definitions: tuple[str, ...]
    label: str


def choose(spec: FeaturesSpec, name: str) -> Choice:
    """The columns of the definition `name`, in whichever section it stands, or the one column of that name.

    Raises:
        UsageError: when there is neither, with the names nearest to it.
    """
    features = spec.feature_columns()
    found = [feature for feature in features if feature.source == name] or [feature for feature in features if feature.column.name == name]
    if not found:
        known = {feature.source for feature in features} | {feature.column.name for feature in features}
        raise UsageError(
            f"there is no feature {name!r} ({near_miss(name, known)}): name a definition of the features file, or one of its columns"
        )
    places = dict.fromkeys((feature.group, feature.source) for feature in found)
    label = getattr(_entry(spec, *next(iter(places))), "label", None) if len(places) == 1 < len(found) else None
    return Choice(name, tuple(found), tuple(_definition(spec, group, source) for group, source in places), label.en if label else "")


def inputs_of(spec: FeaturesSpec, feature: FeatureColumn) -> tuple[str, ...]:
    """Published columns that say where a value comes from.

    Those that its expression reads; of a date, a gap or a streak the measure that it looks at; of other definitions the columns beside it,
    such as the other windows.
    """
    published = {other.column.name for other in spec.feature_columns()}
    entry = _entry(spec, feature.group, feature.source)
    used = _read_by(spec, entry, feature) or _measured(spec, entry)
    beside = tuple(other.column.name for other in spec.feature_columns() if (other.group, other.source) == (feature.group, feature.source))
    names = dict.fromkeys(used or beside)
    return tuple(name for name in names if name in published and name != feature.column.name)


def _entry(spec: FeaturesSpec, group: str, source: str) -> Any:
    """The definition; None for a column that has none of its own in the file."""
    entries = getattr(spec, group, None)
    return entries.get(source) if isinstance(entries, dict) else None


def _read_by(spec: FeaturesSpec, entry: Any, feature: FeatureColumn) -> tuple[str, ...]:
    expr = getattr(entry, "expr", None)
    if not isinstance(expr, str):
        return ()
    windows = derived_windows(spec, expr)
    window = next((window for window in windows if derived_name(feature.source, window) == feature.column.name), windows[0])
    try:
        return compile_expression(derived_expr(expr, window)).columns
    except ExpressionError:  # of a section whose expressions are written for something else than a row
        return ()


def _measured(spec: FeaturesSpec, entry: Any) -> tuple[str, ...]:
    """The longest window of the measure of which a date, a gap or a streak is taken."""
    measures = (getattr(entry, place, None) for place in _MEASURED_BY)
    return tuple(windowed(name, spec.windows_of(name)[-1]) for name in measures if isinstance(name, str) and name in spec.measures)


def _definition(spec: FeaturesSpec, group: str, source: str) -> str:
    entry = _entry(spec, group, source)
    meaning = entry.model_dump(mode="json", exclude=_WORDS, exclude_defaults=True) if hasattr(entry, "model_dump") else {}
    said = ", ".join(f"{key}: {_in_line(value)}" for key, value in meaning.items())
    return f"{group}: {source}: {{{said}}}"


def _in_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_in_line(inside)}" for key, inside in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(str(value).split())
