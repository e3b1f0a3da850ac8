"""Conditions that no value can satisfy: `age < 18 and age > 60`, `gender = 'm' and gender in ('f')`.

Comparisons of a column with constants that are AND-ed are put together; each branch of an OR must fail for the whole to
fail. What is not such a comparison is taken as satisfiable, so a condition that can hold is never reported.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from persona_spark.config.constants import Constant, constant_of, family_of, step_of
from persona_spark.config.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from persona_spark.config.constants import Family

_DIALECT = "spark"
_LIMIT = 512
_FLIPPED: dict[type[exp.Binary], type[exp.Binary]] = {exp.LT: exp.GT, exp.GT: exp.LT, exp.LTE: exp.GTE, exp.GTE: exp.LTE}
_NEGATED: dict[type[exp.Binary], type[exp.Binary]] = {
    exp.LT: exp.GTE,
    exp.GTE: exp.LT,
    exp.GT: exp.LTE,
    exp.LTE: exp.GT,
    exp.EQ: exp.NEQ,
    exp.NEQ: exp.EQ,
}


def impossible_parts(tree: exp.Expr, types: Mapping[str, str]) -> list[str]:
    """What can never hold: the whole condition, or else the alternatives of its ORs that can never hold.

    Args:
        tree: a parsed condition.
        types: Spark SQL types of the columns; columns without one are of any type.

    Returns:
        The parts as text; none when every part can hold.
    """
    tree = tree.unnest()
    if contradicts_itself(tree, types):
        return [tree.sql(dialect=_DIALECT, comments=False)]
    if isinstance(tree, exp.And | exp.Or):
        return [part for side in (tree.left, tree.right) for part in impossible_parts(side, types)]
    return []


def contradicts_itself(tree: exp.Expr, types: Mapping[str, str] | None = None) -> bool:
    """Whether no row can satisfy the condition.

    Args:
        tree: a parsed condition.
        types: Spark SQL types of the columns; columns without one are of any type.
    """
    simple = simplify(tree.copy(), dialect=_DIALECT)
    if isinstance(simple, exp.Null) or (isinstance(simple, exp.Boolean) and not simple.this):
        return True
    branches = _branches(tree, negated=False)
    return branches is not None and all(_Branch(types or {}).is_impossible(branch) for branch in branches)


def _branches(node: exp.Expr, *, negated: bool) -> list[list[exp.Expr]] | None:
    """The condition as branches of AND-ed atoms; None when there are too many to look at."""
    node = node.unnest()
    if isinstance(node, exp.Not):
        return _branches(node.this, negated=not negated)
    if isinstance(node, exp.Between) and not node.args.get("symmetric"):
        low, high = node.args["low"].copy(), node.args["high"].copy()
        node = exp.And(this=exp.GTE(this=node.this.copy(), expression=low), expression=exp.LTE(this=node.this.copy(), expression=high))
    if isinstance(node, exp.And | exp.Or):
        left, right = _branches(node.left, negated=negated), _branches(node.right, negated=negated)
        if left is None or right is None or len(left) * len(right) > _LIMIT:
            return None
        if isinstance(node, exp.Or) != negated:
            return left + right
        return [one + other for one, other in product(left, right)]
    return [[exp.Not(this=node.copy()) if negated else node]]


class _Branch:
    """What the atoms of one branch demand of each column, or of each expression that is compared as a whole."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = {name.lower(): kind for name, kind in types.items()}
        self._facts: dict[tuple[str, str], Facts] = {}
        self._null: set[str] = set()
        self._value: set[str] = set()
        self._never = False

    def is_impossible(self, atoms: list[exp.Expr]) -> bool:
        for atom in atoms:
            negated = isinstance(atom, exp.Not)
            self._note(atom.this.unnest() if negated else atom, negated=negated)
        return self._never or bool(self._null & self._value) or any(fact.impossible() for fact in self._facts.values())

    def _note(self, node: exp.Expr, *, negated: bool) -> None:
        if isinstance(node, exp.Boolean | exp.Null):
            self._never |= isinstance(node, exp.Null) or bool(node.this) == negated
        elif isinstance(node, exp.Column):
            self._among(node, [Constant("flag", str(not negated).lower())])
        elif isinstance(node, exp.Is | exp.NullSafeEQ):
            self._note_is(node, negated=negated)
        elif isinstance(node, exp.In) and node.expressions:
            self._note_in(node, negated=negated)
        elif isinstance(node, exp.Binary) and type(node) in _NEGATED:
            self._compare(_NEGATED[type(node)] if negated else type(node), node.left, node.right)

    def _note_is(self, node: exp.Binary, *, negated: bool) -> None:
        """`is null`, `is true`, `<=> 5`; their negations but `is not null` are true of null too and say little."""
        value, other = (node.right, node.left) if isinstance(node.left, exp.Null) else (node.left, node.right)
        if isinstance(other, exp.Null):
            (self._value if negated else self._null).add(_name(value))
        elif not negated:
            self._compare(exp.EQ, value, other)

    def _note_in(self, node: exp.In, *, negated: bool) -> None:
        if any(isinstance(item.unnest(), exp.Null) for item in node.expressions) and negated:
            self._never = True
            return
        items = [item for item in node.expressions if not isinstance(item.unnest(), exp.Null)]
        constants = [constant for item in items if (constant := constant_of(item)) is not None]
        if len(constants) < len(items):
            return
        self._value.add(_name(node.this))
        if not negated:
            self._among(node.this, constants)
            return
        for constant in constants:
            self._with(node.this, constant, "refuse")

    def _compare(self, kind: type[exp.Binary], left: exp.Expr, right: exp.Expr) -> None:
        if isinstance(left.unnest(), exp.Null) or isinstance(right.unnest(), exp.Null):
            self._never = True
            return
        if constant_of(left) is not None:
            left, right, kind = right, left, _FLIPPED.get(kind, kind)
        constant = constant_of(right)
        if constant is None or constant_of(left) is not None:
            return
        self._value.add(_name(left))
        if kind is exp.EQ:
            self._among(left, [constant])
        else:
            self._with(left, constant, {exp.NEQ: "refuse", exp.GT: "above", exp.GTE: "from_", exp.LT: "below"}.get(kind, "to"))

    def _among(self, node: exp.Expr, constants: list[Constant]) -> None:
        """One of several: they count only when all are of one family, for nobody knows how the others are read."""
        self._value.add(_name(node))
        read = [constant.as_family(self._family(node)) for constant in constants]
        known = [constant for constant in read if constant is not None]
        if len(known) == len(read) and len({constant.family for constant in known}) == 1:
            self._of(node, known[0]).among({constant.value for constant in known})

    def _with(self, node: exp.Expr, constant: Constant, demand: str) -> None:
        read = constant.as_family(self._family(node))
        if read is not None:
            getattr(self._of(node, read), demand)(read.value)

    def _of(self, node: exp.Expr, constant: Constant) -> Facts:
        step = step_of(self._type(node)) if constant.family in {"number", "date"} else None
        return self._facts.setdefault((_name(node), constant.family), Facts(step))

    def _family(self, node: exp.Expr) -> Family | None:
        kind = self._type(node)
        return None if kind is None else family_of(kind)

    def _type(self, node: exp.Expr) -> str | None:
        node = node.unnest()
        return self._types.get(node.name.lower()) if isinstance(node, exp.Column) and len(node.parts) == 1 else None


def _name(node: exp.Expr) -> str:
    """The same for the same column or expression; text inside keeps its case."""
    return node.unnest().sql(dialect=_DIALECT, normalize=True, comments=False)
