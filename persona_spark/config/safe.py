"""Making a parsed expression safe: what Spark would raise on a row becomes null."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable

_DIALECT = "spark"
_FORMS: dict[type[exp.Expr], str] = {
    exp.Div: "try_divide",
    exp.Add: "try_add",
    exp.Sub: "try_subtract",
    exp.Mul: "try_multiply",
    exp.Mod: "try_mod",
}
_RENAMED = {"to_date": "try_to_date"}
_DATES = {"date_add": 1, "quarter": 1, "weekday": 1, "trunc": 1}
_TIMES = {"hour": 1, "minute": 1, "second": 1, "months_between": 2}
_TO_DATE, _TO_TIME = "try_to_date({})", "try_cast({} AS TIMESTAMP)"


def make_safe(tree: exp.Expr) -> exp.Expr:
    """Replace what may raise, innermost first, so that what is put in holds only safe parts; `tree` is changed."""
    for node in reversed(list(tree.dfs())):
        safe = _safe(node)
        if safe is node:
            continue
        if node is tree:
            tree = safe
        else:
            node.replace(safe)
    return tree


def _safe(node: exp.Expr) -> exp.Expr:
    form = _FORMS.get(type(node))
    if form is not None:
        return _call(form, node.args["this"], node.args["expression"])
    for kind, replacement in _REPLACED.items():
        if isinstance(node, kind):
            return replacement(node)
    return node


def _whole_quotient(node: exp.Expr) -> exp.Expr:
    return exp.IntDiv(this=node.args["this"], expression=_not_zero(node.args["expression"]))


def _negative(node: exp.Expr) -> exp.Expr:
    constant = isinstance(node.this, exp.Literal | exp.Interval)
    return node if constant else _call("try_subtract", exp.Literal.number(0), node.this)


def _cast(node: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=node.this, to=node.args["to"], safe=True)


def _element(node: exp.Expr) -> exp.Expr:
    """`a[0]` counts from 0 and `try_element_at(a, 1)` from 1; a key of text looks into a map, where nothing can raise."""
    index = node.expressions[0]
    if node.args.get("offset"):
        return _call("try_element_at", node.this, index)
    return _call("get", node.this, index) if index.is_int else node


def _function(node: exp.Expr) -> exp.Expr:
    name, _, rest = node.sql(dialect=_DIALECT, comments=False).partition("(")
    name = name.strip().lower()
    if name == "pmod":
        values, divisor = _arguments(rest)
        return _call(name, values, _not_zero(divisor))
    for counts, form in ((_DATES, _TO_DATE), (_TIMES, _TO_TIME)):
        if name in counts:
            arguments = _arguments(rest)
            return _call(name, *(_wrapped(item, form) if at < counts[name] else item for at, item in enumerate(arguments)))
    return _call(_RENAMED[name], *_arguments(rest)) if name in _RENAMED else node


_REPLACED: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.IntDiv: _whole_quotient,
    exp.Neg: _negative,
    exp.Cast: _cast,
    exp.Bracket: _element,
    exp.Func: _function,
}


def _wrapped(node: exp.Expr, form: str) -> exp.Expr:
    text = node.sql(dialect=_DIALECT)
    if text.upper().startswith(form.partition("{")[0].upper()):
        return node
    return sqlglot.parse_one(form.format(text), dialect=_DIALECT)


def _not_zero(node: exp.Expr) -> exp.Expr:
    return _call("nullif", node, exp.Literal.number(0))


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _arguments(text: str) -> list[exp.Expr]:
    """The arguments of a call, given the text after its opening parenthesis."""
    call = sqlglot.parse_one(f"coalesce({text}", dialect=_DIALECT)
    return [call.this, *call.expressions]
