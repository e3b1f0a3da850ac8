"""Row-wise SQL expressions of the configuration: parsed, checked against an allow-list, and made safe, without Spark.

An expression can neither raise on a row nor give another result tomorrow: arithmetic becomes `try_*`, casts become
`try_cast`, so that what cannot be computed is null; aggregates, windows, subqueries and functions that draw, ask the
clock or call Java are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from persona_spark.config.base import near_miss

if TYPE_CHECKING:
    from collections.abc import Collection

DIALECT = "spark"

ALLOWED_FUNCTIONS = frozenset(
    [
        "abs",
        "array",
        "array_contains",
        "array_size",
        "cast",
        "ceil",
        "char_length",
        "coalesce",
        "concat",
        "concat_ws",
        "contains",
        "date_add",
        "date_diff",
        "date_sub",
        "datediff",
        "day",
        "dayofweek",
        "dayofyear",
        "endswith",
        "exp",
        "floor",
        "get_json_object",
        "greatest",
        "hour",
        "if",
        "ifnull",
        "initcap",
        "instr",
        "isnotnull",
        "isnull",
        "least",
        "left",
        "length",
        "ln",
        "log10",
        "log1p",
        "lower",
        "lpad",
        "ltrim",
        "make_date",
        "map",
        "md5",
        "minute",
        "mod",
        "month",
        "months_between",
        "nullif",
        "nvl",
        "pmod",
        "pow",
        "power",
        "quarter",
        "regexp_extract",
        "regexp_like",
        "regexp_replace",
        "replace",
        "reverse",
        "right",
        "rlike",
        "round",
        "rpad",
        "rtrim",
        "second",
        "sha2",
        "sign",
        "size",
        "split",
        "split_part",
        "sqrt",
        "startswith",
        "substr",
        "substring",
        "to_date",
        "translate",
        "trim",
        "trunc",
        "try_add",
        "try_cast",
        "try_divide",
        "try_element_at",
        "try_multiply",
        "try_subtract",
        "try_to_date",
        "try_to_number",
        "try_to_timestamp",
        "upper",
        "weekday",
        "year",
    ]
)
"""Deterministic row-wise functions of Spark SQL that expressions may call."""

_SYNTAX = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Neg, exp.Not, exp.And, exp.Or,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In, exp.Between,
    exp.Like, exp.ILike, exp.RegexpLike, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Case, exp.If,
    exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.DPipe, exp.Interval, exp.Var, exp.Tuple, exp.Dot, exp.Bracket,
    exp.Distance, exp.Escape,
)  # fmt: skip

_NAMED_FORMS = {exp.Query: "a subquery", exp.Subquery: "a subquery", exp.Window: "a window", exp.Star: "*"}

_SAFE_FORMS: dict[type[exp.Expression], str] = {
    exp.Div: "try_divide",
    exp.Add: "try_add",
    exp.Sub: "try_subtract",
    exp.Mul: "try_multiply",
    exp.Mod: "try_mod",
}
_SAFE_FUNCTIONS = {"to_date": "try_to_date", "mod": "try_mod"}


class ExpressionError(ValueError):
    """An expression that cannot be used; `problems` lists everything wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Expression:
    """A checked expression.

    Attributes:
        text: as written in the configuration.
        sql: what Spark evaluates: the same with safe arithmetic and casts.
        columns: names of the columns it reads, sorted.
    """

    text: str
    sql: str
    columns: tuple[str, ...]

    @property
    def tree(self) -> exp.Expression:
        """The parsed expression, as written."""
        return _parse(self.text).copy()

    def unknown(self, known: Collection[str]) -> list[str]:
        """A message for each column that is not among `known`."""
        return [f"unknown column {name!r} ({near_miss(name, known)})" for name in self.columns if name not in known]


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Parse, check and make safe.

    Raises:
        ExpressionError: with all syntax and allow-list problems.
    """
    tree = _parse(text)
    problems = [problem for node in tree.walk() if (problem := _forbidden(node))]
    if problems:
        raise ExpressionError(sorted(set(problems)))
    columns = tuple(sorted({_root_name(column) for column in tree.find_all(exp.Column)}))
    return Expression(text, _make_safe(tree.copy()).sql(dialect=DIALECT), columns)


def _root_name(column: exp.Column) -> str:
    parts = [part.name for part in column.parts]
    return parts[0]


@lru_cache(maxsize=4096)
def _parse(text: str) -> exp.Expression:
    try:
        parsed = sqlglot.parse(text, dialect=DIALECT)
    except SqlglotError as error:
        raise ExpressionError([f"is not valid SQL: {_first_line(error)}"]) from error
    if len(parsed) != 1 or parsed[0] is None:
        raise ExpressionError(["must be one expression"])
    return parsed[0]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].replace("\x1b[4m", "").replace("\x1b[0m", "")


def _forbidden(node: exp.Expression) -> str | None:
    if isinstance(node, _SYNTAX):
        return None
    if isinstance(node, exp.Func):
        return None if _function_names(node) & ALLOWED_FUNCTIONS else f"function {_spark_name(node)} is not allowed"
    for kind, name in _NAMED_FORMS.items():
        if isinstance(node, kind):
            return f"{name} is not allowed"
    return f"{type(node).__name__.lower()} is not allowed in an expression"


def _function_names(node: exp.Func) -> set[str]:
    if isinstance(node, exp.Anonymous):
        return {node.name.lower()}
    return {_spark_name(node), *(name.lower() for name in type(node).sql_names())}


def _spark_name(node: exp.Expression) -> str:
    return node.sql(dialect=DIALECT).partition("(")[0].strip().lower()


def _make_safe(tree: exp.Expression) -> exp.Expression:
    """Replace what may raise, innermost first, so that what is put in holds only safe parts."""
    for node in reversed(list(tree.dfs())):
        safe = _safe(node)
        if safe is node:
            continue
        if node is tree:
            tree = safe
        else:
            node.replace(safe)
    return tree


def _safe(node: exp.Expression) -> exp.Expression:
    function = _SAFE_FORMS.get(type(node))
    if function is not None:
        return exp.Anonymous(this=function, expressions=[node.args["this"], node.args["expression"]])
    if isinstance(node, exp.IntDiv):
        guarded = exp.Anonymous(this="nullif", expressions=[node.args["expression"], exp.Literal.number(0)])
        return exp.IntDiv(this=node.args["this"], expression=guarded)
    if isinstance(node, exp.Cast):
        return exp.TryCast(this=node.this, to=node.to, safe=True)
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1 and node.expressions[0].is_int:
        return exp.Anonymous(this="get", expressions=[node.this, node.expressions[0]])
    if isinstance(node, exp.Func):
        return _safe_function(node)
    return node


def _safe_function(node: exp.Func) -> exp.Expression:
    name, _, arguments = node.sql(dialect=DIALECT).partition("(")
    safe = _SAFE_FUNCTIONS.get(name.strip().lower())
    if safe is None:
        return node
    return exp.Anonymous(this=safe, expressions=_arguments(arguments.removesuffix(")")))


def _arguments(text: str) -> list[exp.Expression]:
    call = sqlglot.parse_one(f"concat_ws({text})", dialect=DIALECT)
    return list(call.expressions)
