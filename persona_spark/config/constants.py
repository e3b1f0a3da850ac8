"""Constants in expressions, as values that can be compared: numbers, dates, times, text, flags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Literal

from sqlglot import exp

Family = Literal["number", "date", "time", "text", "flag"]

_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("string", "text"), ("varchar", "text"), ("char", "text"), ("boolean", "flag"), ("date", "date"), ("timestamp", "time"),
    ("int", "number"), ("bigint", "number"), ("smallint", "number"), ("tinyint", "number"), ("double", "number"), ("float", "number"),
    ("decimal", "number"),
)  # fmt: skip
_WHOLE = ("int", "bigint", "smallint", "tinyint", "date")
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")


@dataclass(frozen=True)
class Constant:
    """A value with its family; dates are numbers of days, so that a day has a next one."""

    family: Family
    value: Decimal | str

    def as_family(self, family: Family | None) -> Constant | None:
        """The constant as Spark reads it beside a column of `family`; None when it does not fit or one cannot know."""
        if family is None or family == self.family:
            return self
        if self.family != "text":
            return None
        return _from_text(str(self.value), family)


def family_of(kind: str) -> Family | None:
    """Family of a Spark SQL type; None for arrays, maps and what else has no order that matters here."""
    return next((family for name, family in _FAMILIES if re.match(rf"{name}\b", kind.lower())), None)


def step_of(kind: str | None) -> Decimal | None:
    """The least difference of two values of a type: 1 for whole numbers and days, 0.01 for decimal(18,2); None when there is none."""
    if kind is None:
        return None
    scale = re.fullmatch(r"decimal\(\d+,\s*(\d+)\)", kind.lower())
    if scale:
        return Decimal(1).scaleb(-int(scale.group(1)))
    return Decimal(1) if kind.lower() in _WHOLE else None


def on_grid(value: Decimal, step: Decimal, *, up: bool) -> Decimal:
    """The nearest multiple of `step` at or above (`up`) or below `value`."""
    return (value / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * step


def constant_of(node: exp.Expr) -> Constant | None:
    """The constant that `node` is; None when it is none, or null."""
    node = node.unnest()
    if isinstance(node, exp.Literal):
        return Constant("text", str(node.this)) if node.is_string else _from_text(str(node.this), "number")
    if isinstance(node, exp.Boolean):
        return Constant("flag", str(node.this).lower())
    if isinstance(node, exp.Neg):
        inner = constant_of(node.this)
        return Constant("number", -inner.value) if inner is not None and isinstance(inner.value, Decimal) else None
    if isinstance(node, exp.Cast):
        return _cast(node)
    return None


def _cast(node: exp.Cast) -> Constant | None:
    inner, kind = constant_of(node.this), node.to.sql(dialect="spark").lower()
    family = family_of(kind)
    if inner is None or family is None:
        return None
    found = inner.as_family(family)
    step = step_of(kind)
    if found is None or (family == "number" and step is not None and isinstance(found.value, Decimal) and found.value % step):
        return None
    return found


def _from_text(text: str, family: Family) -> Constant | None:
    try:
        if family == "number":
            number = Decimal(text.strip())
            return Constant(family, number) if number.is_finite() else None
        if family == "date":
            day = _DAY.fullmatch(text.strip())
            return None if day is None else Constant(family, Decimal(date(*map(int, day.groups())).toordinal()))
        if family == "time":
            moment = datetime.fromisoformat(text.strip())
            return None if moment.tzinfo else Constant(family, moment.isoformat(" ", "microseconds"))
    except (InvalidOperation, ValueError):
        return None
    return Constant("flag", text.strip().lower()) if family == "flag" and text.strip().lower() in {"true", "false"} else None
