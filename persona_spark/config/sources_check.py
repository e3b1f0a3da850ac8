"""What can be wrong in a mapping as a whole, found without Spark and without the feed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from persona_spark.config.base import near_miss
from persona_spark.config.expression import compile_expression
from persona_spark.errors import Fault
from persona_spark.schema import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.load import Conf
    from persona_spark.config.sources import SourceSpec

FORMS = ("epoch_seconds", "epoch_millis", "epoch_nanos", "timestamp")

FIELDS = {
    "events": (
        "account_id", "item_id", "order_id", "session_id", "platform", "channel", "category", "brand", "quantity", "amount",
        "discount", "price", "promotion_id", "dwell_seconds", "content_type", "rating", "text",
    ),
    "accounts": ("account_id", "platform", "valid_from"),
    "items": ("item_id", "category", "brand", "name", "price"),
}  # fmt: skip
"""Canonical columns that a mapping can fill, by target; all take attributes as well."""

_KEYS = {"events": "account_id", "accounts": "account_id", "items": "item_id"}
_CSV_ONLY = {"header", "columns", "delimiter", "quote", "escape"}
_TEXT_ONLY = {"multiline", "encoding", "nulls"}
_LONGEST = {"y": 6, "M": 4, "L": 4, "d": 2, "D": 3, "H": 2, "h": 2, "k": 2, "K": 2, "m": 2, "s": 2, "S": 9, "a": 1, "E": 4}
_OTHER_LETTERS = frozenset("GVzOXxZQq")
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Abs, exp.Round, exp.Ceil, exp.Floor, exp.Sqrt, exp.Pow)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
_NUMBER_TYPES = ("int", "bigint", "double", "decimal")


@dataclass(frozen=True, order=True)
class Problem:
    """A mistake: the key where it stands and what is wrong."""

    key: str
    message: str


def check_event_word(word: str) -> str:
    """`word`, which must be a canonical event type.

    Raises:
        ValueError: with the nearest type.
    """
    if word not in EVENT_TYPES:
        raise ValueError(f"{word!r} is not a canonical event type ({near_miss(word, EVENT_TYPES)})")
    return word


def check_moment(form: str) -> str:
    """`form`, which must be one of `FORMS` or a date-time pattern with year, month and day.

    Raises:
        ValueError: saying which letter or part is wrong.
    """
    if form in FORMS:
        return form
    letters = re.sub(r"'[^']*'", "", form)
    runs = [match.group(0) for match in re.finditer(r"([A-Za-z])\1*", letters)]
    wrong = [run for run in runs if run[0] not in _OTHER_LETTERS and len(run) > _LONGEST.get(run[0], 0)]
    present = {run[0] for run in runs}
    complete = "y" in present and ("D" in present or ("d" in present and present & {"M", "L"}))
    if wrong or "%" in form or "'" in letters or not complete:
        reason = f"{wrong[0]!r} means nothing there" if wrong else "it needs year, month and day"
        known = near_miss(form, FORMS)
        raise ValueError(f"{form!r} is neither one of {', '.join(FORMS)} nor a pattern such as yyyy-MM-dd HH:mm:ss: {reason} ({known})")
    return form


def column_paths(text: str) -> set[tuple[str, ...]]:
    """The columns that an expression reads; fields inside objects as paths."""
    return {_path(column) for column in compile_expression(text).tree.find_all(exp.Column)}


def _path(column: exp.Column) -> tuple[str, ...]:
    parts = [part.name for part in column.parts]
    node: exp.Expr = column
    while isinstance(node.parent, exp.Dot) and node.parent.this is node:
        node = node.parent
        parts.append(node.expression.name)
    return tuple(parts)


def find_problems(spec: SourceSpec) -> Iterator[Problem]:
    """Everything that is wrong although each part alone is right."""
    yield from _parts_of_target(spec)
    yield from _files(spec)
    yield from _columns(spec)
    yield from _links(spec)
    yield from _text_as_number(spec)


def _parts_of_target(spec: SourceSpec) -> Iterator[Problem]:
    target, stated = spec.target, spec.fields_.stated()
    for name in stated:
        if name not in FIELDS[target]:
            yield Problem(f"set.{name}", f"{target} have no column {name} ({near_miss(name, FIELDS[target])})")
    if _KEYS[target] not in stated:
        yield Problem(f"set.{_KEYS[target]}", f"{target} need {_KEYS[target]}")
    for name in ("time", "event_type", "event_id"):
        if target == "events" and getattr(spec, name) in (None, ()):
            yield Problem(name, f"events need {name}")
        if target != "events" and name != "time" and getattr(spec, name) is not None:
            yield Problem(name, f"only events have {name}")
    if target == "items" and spec.time is not None:
        yield Problem("time", "items have no time")
    if spec.repeats == "separate" and not isinstance(spec.event_id, tuple):
        yield Problem("repeats", "only ids derived from a list of columns can be kept separate")
    if target != "accounts" and "link_key" in spec.personal.values():
        yield Problem("personal", "only accounts have link keys; write hash")


def _links(spec: SourceSpec) -> Iterator[Problem]:
    if spec.links and spec.target != "accounts":
        yield Problem("links", "only accounts have links")
    personal = {spec.path_of(name) for name in spec.personal}
    for index, link in enumerate(spec.links):
        paths = column_paths(link)
        if not paths:
            yield Problem(f"links.{index}", f"{link} reads no column: all accounts would be those of one person")
        for path in sorted(paths & personal):
            name = ".".join(path)
            yield Problem(f"links.{index}", f"column {name!r} is personal: write personal: {{{name}: link_key}} instead")


def _files(spec: SourceSpec) -> Iterator[Problem]:
    files = spec.files
    csv, text = files.format == "csv", files.format in ("csv", "json")
    for name in sorted(files.model_fields_set):
        if (name in _CSV_ONLY and not csv) or (name in _TEXT_ONLY and not text):
            yield Problem(f"files.{name}", f"means nothing for {files.format} files")
    if csv and files.header == bool(files.columns):
        wrong = "a csv with a header names its columns itself" if files.header else "a csv without a header needs the names of its columns"
        yield Problem("files.columns", wrong)
    if text and not files.multiline and re.match(r"(?i)utf-?(16|32)|ucs", files.encoding):
        yield Problem("files.multiline", f"{files.encoding} files can only be read with multiline: true")
    if len(set(files.columns)) < len(files.columns):
        yield Problem("files.columns", "a name stands twice")


def _columns(spec: SourceSpec) -> Iterator[Problem]:
    needed = spec.needed()
    names = [".".join(path) for path in needed]
    for key, type_ in spec.types.items():
        if spec.path_of(key) not in needed:
            yield Problem(f"types.{key}", f"no expression reads column {key!r} ({near_miss(key, names)})")
        if key in spec.personal and type_ != "string":
            yield Problem(f"personal.{key}", "a personal column is text: it is hashed as written")
    if spec.files.format == "csv":
        yield from _csv_columns(spec.files.columns, needed)
    yield from _nesting(needed)
    if spec.files.format == "json" and any(compile_expression(text).tree.find(exp.Bracket) for _, text in spec.expressions()):
        yield Problem("set", "[ ] does not reach into json: write get_json_object(column, '$[0].name')")


def _csv_columns(columns: tuple[str, ...], needed: tuple[tuple[str, ...], ...]) -> Iterator[Problem]:
    for path in needed:
        if columns and path[0] not in columns:
            yield Problem("files.columns", f"column {path[0]!r} is read but not among them ({near_miss(path[0], columns)})")
        if len(path) > 1:
            dotted = ".".join(path)
            yield Problem("set", f"{dotted}: csv has no fields inside columns; a name with a dot stands in backticks: `{dotted}`")


def _nesting(needed: tuple[tuple[str, ...], ...]) -> Iterator[Problem]:
    for path in needed:
        if any(path[:length] in needed for length in range(1, len(path))):
            yield Problem("set", f"{'.'.join(path)} is read both as an object's field and inside a column that is read whole")
    lowered = [tuple(part.lower() for part in path) for path in needed]
    for path, low in zip(needed, lowered, strict=True):
        if lowered.count(low) > 1:
            yield Problem("set", f"column {'.'.join(path)} is written in two ways that differ only by case")


def _text_as_number(spec: SourceSpec) -> Iterator[Problem]:
    if spec.files.format not in ("csv", "json"):
        return
    numeric = {spec.path_of(name) for name, type_ in spec.types.items() if type_.startswith(_NUMBER_TYPES)}
    for key, text in spec.expressions():
        for path in sorted(used_as_numbers(text, numeric) - numeric):
            name = ".".join(path)
            yield Problem(
                key, f"column {name!r} is text in {spec.files.format} files but used as a number: give its type, types: {{{name}: bigint}}"
            )


def used_as_numbers(text: str, numeric: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Columns that an expression calculates with or compares with numbers.

    Args:
        text: the expression.
        numeric: columns known to be numbers.
    """
    used: set[tuple[str, ...]] = set()
    for node in compile_expression(text).tree.walk():
        children = list(node.iter_expressions())
        columns = {path for child in children if (path := _bare_column(child))}
        compared = isinstance(node, _COMPARISONS) and (any(_is_number(child) for child in children) or columns & numeric)
        if isinstance(node, _ARITHMETIC) or compared:
            used |= columns
    return used


def _is_number(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren | exp.Neg):
        node = node.this
    return isinstance(node, exp.Literal) and not node.is_string


def _bare_column(node: exp.Expr) -> tuple[str, ...] | None:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Dot) and (column := node.find(exp.Column)):
        return _path(column)
    return _path(node) if isinstance(node, exp.Column) else None


def lake_faults(conf: Conf) -> list[Fault]:
    """Mappings whose money does not fit the lake: another currency needs a rate, the lake's own has none."""
    ours = conf.main.lake.currency
    faults = []
    for name, spec in zip(conf.main.sources, conf.sources, strict=True):
        if spec.money is None:
            continue
        file, theirs = str(conf.folder / name), spec.money.currency
        if theirs != ours and "rate" not in spec.money.model_fields_set:
            faults.append(Fault(file, "money.rate", f"one {theirs} must be stated in {ours}, the lake's currency", 'rate: "7.1"'))
        if theirs == ours and spec.money.rate != 1:
            faults.append(Fault(file, "money.rate", f"{theirs} is the lake's currency, so its rate is 1", "leave it out"))
    return faults
