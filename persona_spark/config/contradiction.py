"""Conditions that no value can satisfy: `age < 18 and age > 60`, `gender = 'm' and gender in ('f')`.

Comparisons of a column with constants that are AND-ed are put together; each branch of an OR must fail for the whole to
fail. What is not such a comparison is taken as satisfiable, so a condition that can hold is never reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Iterable

Value = Decimal | str
_LIMIT = 512
_FLIPPED: dict[type[exp.Expression], type[exp.Expression]] = {exp.LT: exp.GT, exp.GT: exp.LT, exp.LTE: exp.GTE, exp.GTE: exp.LTE}
_NEGATED: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
}


@dataclass
class _Facts:
    """What is demanded of one column in one branch."""

    lower: tuple[Value, bool] | None = None
    upper: tuple[Value, bool] | None = None
    allowed: set[Value] | None = None
    refused: set[Value] = field(default_factory=set)
    null: bool = False
    value: bool = False

    def impossible(self) -> bool:
        if self.null and self.value:
            return True
        if self.allowed is not None:
            return not any(self._inside(item) for item in self.allowed - self.refused)
        if self.lower is None or self.upper is None or not _comparable(self.lower[0], self.upper[0]):
            return False
        (low, low_open), (high, high_open) = self.lower, self.upper
        if low == high:
            return low_open or high_open or low in self.refused
        return bool(low > high)  # type: ignore[operator]

    def _inside(self, item: Value) -> bool:
        above = self.lower is None or not _comparable(item, self.lower[0]) or _beyond(item, self.lower)
        below = self.upper is None or not _comparable(item, self.upper[0]) or _beyond(self.upper[0], (item, self.upper[1]))
        return above and below

    def at_least(self, value: Value, *, is_open: bool) -> None:
        if self.lower is None or (_comparable(value, self.lower[0]) and (value, is_open) > self.lower):  # type: ignore[operator]
            self.lower = (value, is_open)

    def at_most(self, value: Value, *, is_open: bool) -> None:
        closer = self.upper is not None and _comparable(value, self.upper[0])
        if self.upper is None or (closer and (value < self.upper[0] or (value == self.upper[0] and is_open))):  # type: ignore[operator]
            self.upper = (value, is_open)

    def among(self, values: Iterable[Value]) -> None:
        self.allowed = set(values) if self.allowed is None else self.allowed & set(values)


def contradicts_itself(tree: exp.Expression) -> bool:
    """Whether no row can satisfy the condition."""
    if isinstance(simplify(tree.copy(), dialect="spark"), exp.Boolean) and not simplify(tree.copy(), dialect="spark").this:
        return True
    branches = _branches(tree, negated=False)
    return branches is not None and all(_impossible(branch) for branch in branches)


def _branches(node: exp.Expression, *, negated: bool) -> list[list[exp.Expression]] | None:
    """The condition as branches of AND-ed atoms; None when there are too many to look at."""
    node = node.unnest()
    if isinstance(node, exp.Not):
        return _branches(node.this, negated=not negated)
    if isinstance(node, exp.And | exp.Or):
        left, right = _branches(node.left, negated=negated), _branches(node.right, negated=negated)
        if left is None or right is None:
            return None
        if isinstance(node, exp.Or) != negated:
            return left + right
        if len(left) * len(right) > _LIMIT:
            return None
        return [one + other for one, other in product(left, right)]
    return [[exp.Not(this=node.copy()) if negated else node]]


def _impossible(atoms: list[exp.Expression]) -> bool:
    facts: dict[str, _Facts] = {}
    for atom in atoms:
        _note(atom, facts)
    return any(fact.impossible() for fact in facts.values())


def _note(atom: exp.Expression, facts: dict[str, _Facts]) -> None:
    negated = isinstance(atom, exp.Not)
    node = atom.this.unnest() if negated else atom
    if isinstance(node, exp.Boolean) and bool(node.this) == negated:
        facts.setdefault("", _Facts()).among(())
    elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        setattr(_of(node.this, facts), "value" if negated else "null", True)
    elif isinstance(node, exp.In):
        _note_in(node, facts, negated=negated)
    elif isinstance(node, exp.Between) and not negated:
        _compare(exp.GTE, node.this, node.args["low"], facts)
        _compare(exp.LTE, node.this, node.args["high"], facts)
    elif type(node) in _NEGATED:
        kind = _NEGATED[type(node)] if negated else type(node)
        _compare(kind, node.left, node.right, facts)


def _note_in(node: exp.In, facts: dict[str, _Facts], *, negated: bool) -> None:
    values = [_constant(item) for item in node.expressions]
    if not values or any(value is None for value in values):
        return
    known = [value for value in values if value is not None]
    fact = _of(node.this, facts)
    fact.value = True
    if negated:
        fact.refused.update(known)
    else:
        fact.among(known)


def _compare(kind: type[exp.Expression], left: exp.Expression, right: exp.Expression, facts: dict[str, _Facts]) -> None:
    if _constant(left) is not None and _constant(right) is None:
        left, right, kind = right, left, _FLIPPED.get(kind, kind)
    value = _constant(right)
    if value is None or _constant(left) is not None:
        return
    fact = _of(left, facts)
    fact.value = True
    if kind is exp.EQ:
        fact.among([value])
    elif kind is exp.NEQ:
        fact.refused.add(value)
    elif kind in {exp.GT, exp.GTE}:
        fact.at_least(value, is_open=kind is exp.GT)
    else:
        fact.at_most(value, is_open=kind is exp.LT)


def _of(node: exp.Expression, facts: dict[str, _Facts]) -> _Facts:
    return facts.setdefault(node.unnest().sql(dialect="spark").lower(), _Facts())


def _constant(node: exp.Expression) -> Value | None:
    node = node.unnest()
    if isinstance(node, exp.Neg):
        inner = _constant(node.this)
        return -inner if isinstance(inner, Decimal) else None
    if isinstance(node, exp.Cast):
        return _constant(node.this)
    if isinstance(node, exp.Boolean):
        return str(node.this).lower()
    if isinstance(node, exp.Literal):
        return str(node.this) if node.is_string else Decimal(node.this)
    return None


def _comparable(one: Value, other: Value) -> bool:
    return isinstance(one, str) == isinstance(other, str)


def _beyond(item: Value, bound: tuple[Value, bool]) -> bool:
    value, is_open = bound
    return bool(item > value) if is_open else bool(item >= value)  # type: ignore[operator]
