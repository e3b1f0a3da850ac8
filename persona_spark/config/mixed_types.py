"""Comparisons and sums that mix text with numbers or days: Spark would turn the text into a number row by row, and raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from persona_spark.config.constants import constant_of, family_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from persona_spark.config.constants import Family

_COMPARISONS = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Coalesce, exp.Nullif)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Abs, exp.Round, exp.Ceil, exp.Floor, exp.Sqrt, exp.Pow)
_WORDS: dict[Family, str] = {"number": "a number", "date": "a date", "time": "a time", "text": "text", "flag": "true or false"}


def mixed_types(tree: exp.Expr, types: Mapping[str, str]) -> list[str]:
    """A message for each column that is used as something that it is not.

    Args:
        tree: a parsed expression.
        types: Spark SQL types of the columns.
    """
    families = {name: family for name, kind in types.items() if (family := family_of(kind))}
    return sorted({message for node in tree.walk() for message in _messages(node, families)})


def _messages(node: exp.Expr, families: Mapping[str, Family]) -> Iterator[str]:
    operands = [child.unnest() for child in node.iter_expressions()]
    columns = {child.name: families[child.name] for child in operands if isinstance(child, exp.Column) and child.name in families}
    if isinstance(node, _ARITHMETIC):
        yield from (
            f"column {name} is text but is calculated with: write try_cast({name} as int)" for name in columns if columns[name] == "text"
        )
    if isinstance(node, _COMPARISONS):
        yield from _beside_constants(operands, columns)
        if {"text"} < set(columns.values()):
            pairs = " and ".join(f"{name} ({family})" for name, family in columns.items())
            yield f"columns of different types stand side by side: {pairs}"


def _beside_constants(operands: list[exp.Expr], columns: Mapping[str, Family]) -> Iterator[str]:
    for operand in operands:
        constant = constant_of(operand)
        for name, family in columns.items():
            if constant is not None and constant.as_family(family) is None:
                to_number = family == "text" and constant.family == "number"
                hint = f"write try_cast({name} as int)" if to_number else f"write {_WORDS[family]}"
                yield f"column {name} is {_WORDS[family]} but stands beside {operand.sql(dialect='spark')}: {hint}"
