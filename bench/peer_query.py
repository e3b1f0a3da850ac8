"""What the peer's builders share: a statement with its columns, and what the definitions say in a form that outlives their growth.

A definition is asked for what it says by name, so that the peer works with definitions that know fewer or more kinds of feature. One
that says something that the peer does not know is not computed, and is reported as not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peer_sql import quoted

from persona_spark.config.tile_tables import user_features_table
from persona_spark.time import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from persona_spark.config.base import Strict
    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Measure

_NOT_FEATURES = ("as_of", "user_id", "ingest_seq", "definition", "code")
_ABOUT = {"label", "owner", "null_when", "personal", "unit"}
_KNOWN = {
    "measures": {"count", "sum", "distinct", "where", "windows", "of", "take"},
    "dates": {"first", "last"},
    "gaps": {"between", "within"},
    "streaks": {"of", "take"},
    "preferences": {"key", "weights", "half_life_days", "half_lives", "family", "top", "touch"},
    "attributes": {"type", "key", "expr"},
}
_TAKES = (None, "total", "largest", "spread", "span")


@dataclass(frozen=True)
class Query:
    """One statement, whose result has the user's number `u` and `columns`.

    Attributes:
        name: of the table that is made of it.
        sql: the statement.
        columns: features that it gives, named as in `user_features`.
        zero: those of them that are 0, not null, of a user who is not in it.
    """

    name: str
    sql: str
    columns: tuple[str, ...]
    zero: tuple[str, ...] = ()


def stored(spec: FeaturesSpec) -> list[str]:
    """Columns of `user_features` that say something of the user."""
    return [name for name in user_features_table(spec).names if name not in _NOT_FEATURES]


def wanted(spec: FeaturesSpec, columns: Mapping[str, str]) -> dict[str, str]:
    """Those of some columns that `user_features` has."""
    have = set(stored(spec))
    return {name: sql for name, sql in columns.items() if name in have}


def selected(columns: Mapping[str, str]) -> str:
    """SQL that gives columns their names."""
    return ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())


def entries(spec: FeaturesSpec, section: str) -> dict[str, Any]:
    """The definitions of a section that the peer knows all about; none when there is no such section."""
    found: Mapping[str, Strict] = getattr(spec, section, {})
    return {name: entry for name, entry in found.items() if entry.model_fields_set <= _KNOWN[section] | _ABOUT}


def said(entry: Strict, name: str) -> Any:
    """What a definition says; None when definitions know no such word."""
    return getattr(entry, name, None)


def measures(spec: FeaturesSpec, kind: str) -> dict[str, Measure]:
    """The measures of days, orders or sessions."""
    found = entries(spec, "measures")
    return {name: one for name, one in found.items() if kind_of(one) == kind and said(one, "take") in _TAKES}


def kind_of(measure: Measure) -> str:
    """Of what a measure is made."""
    return str(measure.distinct or said(measure, "of") or "days")


def stored_name(measure: Measure, name: str) -> str:
    """Its name in `user_features`, before the window."""
    return f"{name}_minor" if measure.unit == "money" else name


def windows_of(spec: FeaturesSpec, measure: Measure) -> tuple[Window, ...]:
    """The windows for which a measure has columns."""
    own = said(measure, "windows")
    return spec.parsed_windows if own is None else tuple(Window.parse(text) for text in own)
