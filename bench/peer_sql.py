"""Pieces of SQL for DuckDB: expressions of the definitions in its dialect, and windows as bands of days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from persona_spark.config.features_check import hours_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.time import Window

_DAYS = {"weekday": "(isodow({}) - 1)", "dayofweek": "(isodow({}) % 7 + 1)"}
"""Numbers of the day of the week, by Spark's functions: from Monday 0, and from Sunday 1. DuckDB's own of these names count otherwise."""


def quoted(name: str) -> str:
    """A name in quotes."""
    return '"' + name.replace('"', '""') + '"'


def duckdb_sql(text: str, columns: Mapping[str, str] | None = None) -> str:
    """An expression of the definitions as DuckDB writes it.

    Args:
        text: Spark SQL.
        columns: SQL that takes the place of columns that events do not have.
    """
    tree = sqlglot.parse_one(text, dialect="spark")
    for node in list(tree.find_all(exp.Column)):
        if columns and node.name in columns:
            tree = _put(tree, node, exp.Paren(this=sqlglot.parse_one(columns[node.name], dialect="duckdb")))
    for call in list(tree.find_all(exp.Func)):
        day = _DAYS.get(call.sql(dialect="spark").lower().split("(", 1)[0])
        if day:
            argument = call.expressions[0] if isinstance(call, exp.Anonymous) else call.this
            tree = _put(tree, call, sqlglot.parse_one(day.format(argument.sql(dialect="duckdb")), dialect="duckdb"))
    return tree.sql(dialect="duckdb")


def _put(tree: exp.Expr, node: exp.Expr, other: exp.Expr) -> exp.Expr:
    if node is tree:
        return other
    node.replace(other)
    return tree


def condition(where: str | None) -> str:
    """A condition on events; unknown is false where it filters."""
    return "true" if where is None else duckdb_sql(where)


def hour_band(spec: FeaturesSpec) -> str:
    """The band of hours that an event falls in."""
    cases = " ".join(
        f"WHEN event_hour IN ({', '.join(map(str, hours_of(*hours)))}) THEN '{name}'" for name, hours in spec.hour_bands.items()
    )
    return f"CASE {cases} END" if cases else "NULL"


def price_band(spec: FeaturesSpec) -> str:
    """The band of prices that an event falls in; definitions may know none."""
    found = getattr(spec, "price_bands", None)
    if found is None:
        return "NULL"
    falling = sorted(found.bands.items(), key=lambda band: -band[1])
    cases = " ".join(f"WHEN ({duckdb_sql(found.of)}) >= {least} THEN '{name}'" for name, least in falling)
    return f"CASE {cases} END"


def bands(windows: Sequence[Window]) -> list[int]:
    """The ages at which a window ends or begins, rising; days between two edges are in the same windows."""
    return sorted({edge for window in windows for edge in (window.offset, window.oldest) if edge})


def band_of(edges: Sequence[int], column: str, as_of: date) -> str:
    """Number of the band that a date falls in: of the first edge that its age does not pass."""
    age = f"(DATE '{as_of}' - {column})"
    cases = " ".join(f"WHEN {age} <= {edge} THEN {number}" for number, edge in enumerate(edges))
    return f"CASE {cases} ELSE {len(edges)} END" if cases else "0"


def in_window(edges: Sequence[int], window: Window, band: str = "band") -> str:
    """Whether a band lies in a window."""
    first = edges.index(window.offset) + 1 if window.offset else 0
    last = len(edges) if window.oldest is None else edges.index(window.oldest)
    return f"{band} BETWEEN {first} AND {last}"
