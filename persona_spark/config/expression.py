"""Row-wise SQL expressions of the configuration: parsed, checked against an allow-list, and made safe, without Spark.

An expression gives the same result tomorrow, and what cannot be computed on a row is null: arithmetic becomes `try_*`, casts
become `try_cast`. Aggregates, windows, subqueries and functions that draw, ask the clock or call Java are refused. Text that
Spark would have to turn into a number by itself still raises; `config.types` and `persona check --types` find that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import ErrorLevel, SqlglotError

from persona_spark.config.base import near_miss
from persona_spark.config.functions import ALLOWED_FUNCTIONS, TYPE_NAMES, refusal
from persona_spark.config.safe import make_safe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

DIALECT = "spark"
UNKNOWN_COLUMN = "unknown column"
"""How a message about a column that does not exist begins."""

_SYNTAX = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Neg, exp.Not, exp.And, exp.Or,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In, exp.Between,
    exp.Like, exp.ILike, exp.RegexpLike, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Case, exp.If,
    exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.DPipe, exp.Interval, exp.Var, exp.Tuple, exp.Dot, exp.Bracket,
    exp.Distance, exp.Escape, exp.RawString, exp.JSONPath, exp.JSONPathPart, exp.StrPosition, exp.Log,
)  # fmt: skip
"""What an expression may be made of, beside the allowed functions; all functions are checked by the name as written, too."""

_NAMED_FORMS = {exp.Query: "a subquery", exp.Subquery: "a subquery", exp.Window: "a window", exp.Star: "*"}
_CLASS = re.compile(r"<class '[\w.]*\.(\w+)'>")
"""How the parser names what it misses something of."""
_BEFORE_PARENTHESIS = frozenset((
    "and", "between", "by", "case", "distinct", "div", "else", "escape", "ilike", "in", "is", "like", "not", "or", "over", "rlike",
    "select", "then", "when", "where",
))  # fmt: skip


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
    def tree(self) -> exp.Expr:
        """The parsed expression, as written."""
        return _parse(self.text).copy()

    def unknown(self, known: Collection[str]) -> list[str]:
        """A message for each column that is not among `known`."""
        return [f"{UNKNOWN_COLUMN} {name!r} ({near_miss(name, known)})" for name in self.columns if name not in known]


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Parse, check and make safe.

    Raises:
        ExpressionError: with all syntax and allow-list problems.
    """
    tree = _parse(text)
    try:
        problems = _problems(text, tree)
        # Names are quoted, because Spark's own parser takes no bare ones in Chinese.
        safe = None if problems else make_safe(tree.copy())
        sql = safe.sql(dialect=DIALECT, comments=False, identify=True, unsupported_level=ErrorLevel.RAISE) if safe else ""
    except (SqlglotError, LookupError, ValueError, TypeError) as error:
        raise ExpressionError(["cannot be understood: a function has too few or too many arguments, or of the wrong kind"]) from error
    if problems:
        raise ExpressionError(sorted(problems))
    columns = tuple(sorted({column.parts[0].name for column in tree.find_all(exp.Column)}))
    return Expression(text, sql, columns)


def _problems(text: str, tree: exp.Expr) -> set[str]:
    written = set(_as_written(text))
    return written | {problem for node in tree.walk() if (problem := _forbidden(node, calls=not written))}


@lru_cache(maxsize=4096)
def _parse(text: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse(text, dialect=DIALECT)
    except (SqlglotError, LookupError, ValueError, TypeError) as error:
        raise ExpressionError([f"is not valid SQL: {_first_line(error)}"]) from error
    if len(parsed) != 1 or parsed[0] is None:
        raise ExpressionError(["must be one expression"])
    return parsed[0]


def _first_line(error: Exception) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0].replace("\x1b[4m", "").replace("\x1b[0m", "")
    return _CLASS.sub(lambda found: found.group(1).upper(), text)


def _as_written(text: str) -> Iterator[str]:
    """Functions by the names that stand there: the parser takes some for others."""
    for token, after in pairwise(sqlglot.tokenize(text, dialect=DIALECT)):
        name = token.text.lower()
        if after.token_type == TokenType.L_PAREN and name.isidentifier() and token.token_type != TokenType.STRING:
            if name not in ALLOWED_FUNCTIONS | TYPE_NAMES | _BEFORE_PARENTHESIS:
                yield refusal(name, aggregates=_is_aggregate(name))
        elif token.token_type == after.token_type == TokenType.STRING:
            yield "two texts stand side by side: write a quote inside a text as \\'"


def _is_aggregate(name: str) -> bool:
    kind = exp.FUNCTION_BY_NAME.get(name.upper())
    return kind is not None and issubclass(kind, exp.AggFunc)


def _forbidden(node: exp.Expr, *, calls: bool) -> str | None:
    if isinstance(node, exp.Bracket):
        return _wrong_index(node)
    if isinstance(node, _SYNTAX):
        return None
    if isinstance(node, exp.Func):
        return _forbidden_call(node) if calls else None
    for kind, name in _NAMED_FORMS.items():
        if isinstance(node, kind):
            return f"{name} is not allowed"
    return f"{type(node).__name__.lower()} is not allowed in an expression"


def _forbidden_call(node: exp.Func) -> str | None:
    """What is left when all names as written are allowed: `current_date` without parentheses, operators that are calls."""
    names = [node.name.lower()] if isinstance(node, exp.Anonymous) else [name.lower() for name in type(node).sql_names()]
    return None if ALLOWED_FUNCTIONS & {*names, _rendered_name(node)} else refusal(names[0])


def _rendered_name(node: exp.Func) -> str:
    return node.sql(dialect=DIALECT, comments=False).partition("(")[0].strip().lower()


def _wrong_index(node: exp.Bracket) -> str | None:
    constant = len(node.expressions) == 1 and (node.expressions[0].is_int or node.expressions[0].is_string)
    return None if constant or node.args.get("offset") else "[ ] takes one constant: a number counted from 0, or a key of text"
