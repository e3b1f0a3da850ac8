"""The same meaning, or the same words, under two names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from persona_spark.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from persona_spark.config.base import Label
    from persona_spark.config.expression import Expression

_DIALECT = "spark"
_FLIPPED: dict[type[exp.Expr], type[exp.Binary]] = {exp.GT: exp.LT, exp.GTE: exp.LTE}


def repeated_conditions(rules: Mapping[str, Expression], file: str, field: str) -> Iterator[Fault]:
    """A fault for each condition that means the same as an earlier one.

    Args:
        rules: conditions by key, in the order of the file.
        file: where they stand.
        field: name of the condition inside its entry.
    """
    seen: dict[str, str] = {}
    for key, condition in rules.items():
        first = seen.setdefault(meaning(condition.tree), key)
        if first != key:
            yield Fault(file, f"{key}.{field}", f"means the same as {first}", "remove one of them, or say what differs")


def repeated_labels(labels: Mapping[str, Label], file: str) -> Iterator[Fault]:
    """A fault for each label that an earlier entry has, too."""
    seen: dict[tuple[str, str], str] = {}
    for key, label in labels.items():
        for language, text in (("en", label.en), ("zh", label.zh)):
            first = seen.setdefault((language, text.strip().lower()), key)
            if first != key:
                yield Fault(file, f"{key}.label.{language}", f"{text!r} is the label of {first} too", "say what differs")


def meaning(tree: exp.Expr) -> str:
    """The condition in one form for all ways to write it: `a > 1 and b`, `b and 1 < a` and `(b) AND A > 1.0` are the same."""
    simple = simplify(tree.copy(), dialect=_DIALECT).transform(_numbers).transform(_ranges)
    return _text(simple)


def _text(node: exp.Expr) -> str:
    node = node.unnest()
    if isinstance(node, exp.And | exp.Or):
        parts = sorted({_text(part) for part in node.flatten()})
        return f"({f' {node.key} '.join(parts)})"
    if isinstance(node, exp.Not):
        return f"not {_text(node.this)}"
    if isinstance(node, exp.In) and node.expressions:
        return f"{_text(node.this)} in ({', '.join(sorted(_text(item) for item in node.expressions))})"
    if isinstance(node, exp.EQ | exp.NEQ):
        return f" {node.key} ".join(sorted((_text(node.left), _text(node.right))))
    if type(node) in _FLIPPED and isinstance(node, exp.Binary):
        node = _FLIPPED[type(node)](this=node.right.copy(), expression=node.left.copy())
    return node.sql(dialect=_DIALECT, normalize=True, comments=False)


def _numbers(node: exp.Expr) -> exp.Expr:
    """`1.0` and `1` are one number."""
    if isinstance(node, exp.Literal) and not node.is_string and "." in node.name and "e" not in node.name.lower():
        return exp.Literal.number(node.name.rstrip("0").rstrip(".") or "0")
    return node


def _ranges(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Between) or node.args.get("symmetric"):
        return node
    low, high = exp.GTE(this=node.this.copy(), expression=node.args["low"]), exp.LTE(this=node.this.copy(), expression=node.args["high"])
    return exp.Paren(this=exp.And(this=low, expression=high))
