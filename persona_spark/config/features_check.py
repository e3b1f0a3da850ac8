"""What can be wrong with the meaning of conf/features.yaml, found without Spark, all at once."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from persona_spark.config.base import near_miss
from persona_spark.config.expression import UNKNOWN_COLUMN, ExpressionError, compile_expression
from persona_spark.config.features_columns import derived_expr, derived_windows, feature_columns
from persona_spark.config.features_parts import stored_measure
from persona_spark.config.tile_tables import tile_tables, user_features_table
from persona_spark.errors import UsageError
from persona_spark.schema import EVENT_TYPES, EVENTS, USER_SCORES
from persona_spark.time import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.features_entries import Measure

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_HOURS = 24
_BRACES = re.compile(r"\{[^{}]*\}")
_RESERVED = (
    "user_id", "as_of", "account_ids", "ingest_seq", "tags", "segment_id", "segment_name", "distance", "account_id", "event_date",
    "event_month", "order_id", "session_id", "release_id", "user_number",
)  # fmt: skip
_WORKING = ("place", "key", "last_event", "event_type")
"""Columns that stand beside keys and attributes while features are made."""
_SECTIONS = ("hour_bands", "measures", "derived", "dates", "gaps", "streaks", "preferences", "attributes")
_REGISTERED_AT = "registered_at"


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands in the file, and what is wrong."""

    key: tuple[str, ...]
    message: str


def find_problems(spec: FeaturesSpec) -> list[Problem]:
    """Everything wrong with the meaning of a file whose form is right."""
    windows = list(_windows(spec))
    problems = [*windows, *_names(spec), *_hour_bands(spec), *_price_bands(spec), *_measures(spec)]
    problems += [*_references(spec), *_preferences(spec), *_attributes(spec)]
    readable = _with_readable_windows(spec) if windows else spec
    named = [*_clashes(readable), *_derived(readable)]
    # Columns may seem unknown only because their window could not be read.
    problems += [problem for problem in named if not (windows and problem.message.startswith(UNKNOWN_COLUMN))]
    # Tables can be made of definitions that are right in everything else.
    return problems or list(_tables(spec))


def _tables(spec: FeaturesSpec) -> Iterator[Problem]:
    for tables in (tile_tables, user_features_table):
        try:
            tables(spec)
        except ValueError as error:
            yield Problem(("columns",), f"{error}: rename what makes one of them")


def _windows(spec: FeaturesSpec) -> Iterator[Problem]:
    yield from _unread_windows((), spec.windows)
    for text, times in Counter(spec.windows).items():
        if times > 1:
            yield Problem(("windows",), f"window {text} stands {times} times")
    for name, measure in spec.measures.items():
        yield from _unread_windows(("measures", name), measure.windows or ())


def _unread_windows(place: tuple[str, ...], windows: tuple[str, ...]) -> Iterator[Problem]:
    for position, text in enumerate(windows):
        try:
            Window.parse(text)
        except UsageError as error:
            yield Problem((*place, "windows", str(position)), str(error))


def _with_readable_windows(spec: FeaturesSpec) -> FeaturesSpec:
    def readable(windows: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if windows is None else tuple(text for text in dict.fromkeys(windows) if not list(_unread_windows((), (text,))))

    measures = {name: measure.model_copy(update={"windows": readable(measure.windows)}) for name, measure in spec.measures.items()}
    # A copy would keep what the specification has computed of its windows.
    fields = {name: getattr(spec, name) for name in type(spec).model_fields}
    return type(spec).model_construct(**{**fields, "windows": readable(spec.windows), "measures": measures})


def _names(spec: FeaturesSpec) -> Iterator[Problem]:
    names = {section: list(getattr(spec, section)) for section in _SECTIONS}
    names["price_bands"] = list(spec.price_bands.bands) if spec.price_bands else []
    names["preferences"] += [preference.family for preference in spec.preferences.values()]
    for section, entries in names.items():
        for name in entries:
            if not _NAME.match(name):
                yield Problem((section, name), "a name is small letters, digits and _, and starts with a letter")
    for section, used in {"preferences": (*_RESERVED, *_WORKING), "attributes": _WORKING}.items():
        for name in getattr(spec, section):
            if name in used:
                yield Problem((section, name), "the engine has a column of this name: choose another, and name the real one with `key`")
    for name in spec.dates:
        if not name.endswith("_date"):
            yield Problem(("dates", name), "the name of a date ends with _date")


def _clashes(spec: FeaturesSpec) -> Iterator[Problem]:
    taken = dict.fromkeys((*_RESERVED, *USER_SCORES.names), "is a name of the profile's own")
    for feature in feature_columns(spec):
        name = feature.column.name
        if name in taken:
            yield Problem((feature.group, feature.source), f"column {name} {taken[name]}")
        taken.setdefault(name, f"is made by {feature.group}.{feature.source} too")
    stored = dict.fromkeys(_RESERVED, "")
    for name in spec.measures:
        column = stored_measure(spec, name)
        if column in stored and name not in taken:
            yield Problem(("measures", name), f"column {column} of the tile is taken{stored[column]}")
        stored.setdefault(column, f" by measures.{name}")


def _hour_bands(spec: FeaturesSpec) -> Iterator[Problem]:
    covered: dict[int, str] = {}
    for name, (start, end) in spec.hour_bands.items():
        if not (0 <= start < _HOURS and 0 <= end <= _HOURS) or start == end:
            yield Problem(("hour_bands", name), "a band is [first hour, hour after the last], hours 0 to 24, and not empty")
            continue
        for hour in hours_of(start, end):
            if hour in covered:
                yield Problem(("hour_bands", name), f"hour {hour} is in band {covered[hour]} too")
            covered.setdefault(hour, name)
    missing = [str(hour) for hour in range(_HOURS) if hour not in covered]
    if spec.hour_bands and missing:
        yield Problem(("hour_bands",), f"no band holds hour {', '.join(missing)}")


def _price_bands(spec: FeaturesSpec) -> Iterator[Problem]:
    if spec.price_bands is None:
        return
    least = sorted(spec.price_bands.bands.values())
    if least[0] != 0 or any(one == other for one, other in pairwise(least)):
        yield Problem(("price_bands", "bands"), "one band starts at 0, and no two bands start at the same price")
    yield from _expression(("price_bands", "of"), spec.price_bands.of, EVENTS.names)


def hours_of(start: int, end: int) -> list[int]:
    """The hours of a band; one that ends before it starts goes over midnight."""
    return [hour % _HOURS for hour in range(start, end if end > start else end + _HOURS)]


def _measures(spec: FeaturesSpec) -> Iterator[Problem]:
    for name, measure in spec.measures.items():
        key = ("measures", name)
        if sum(kind is not None for kind in (measure.count, measure.sum, measure.distinct, measure.of)) != 1 + _has_value(measure):
            yield Problem(
                key, "give exactly one of count: true, sum: <expression>, distinct: days | orders | sessions, of: <what> with take"
            )
        yield from _of_whole(key, measure)
        if measure.sum is None and measure.take != "span" and measure.unit != "count":
            yield Problem((*key, "unit"), f"what is counted has the unit count, not {measure.unit}")
        yield from _expression((*key, "where"), measure.where, EVENTS.names)
        yield from _expression((*key, "sum"), measure.sum, EVENTS.names)


def _has_value(measure: Measure) -> bool:
    return measure.of is not None and measure.sum is not None


def _of_whole(key: tuple[str, ...], measure: Measure) -> Iterator[Problem]:
    if (measure.of is None) != (measure.take is None):
        yield Problem(key, "of: orders | sessions and take: total | largest | spread | span stand together")
    elif measure.take == "span" and (measure.sum is not None or measure.unit != "seconds"):
        yield Problem(key, "a span has no sum, and the unit seconds")
    elif measure.take in {"total", "largest", "spread"} and measure.sum is None:
        yield Problem(key, f"{measure.take} needs sum: <expression>, what an event adds to its order or session")


def _references(spec: FeaturesSpec) -> Iterator[Problem]:
    distinct = [name for name, measure in spec.measures.items() if measure.distinct is not None]
    for name, date in spec.dates.items():
        if (date.first is None) == (date.last is None):
            yield Problem(("dates", name), "give either first: <distinct measure> or last: <distinct measure>")
        yield from _known_measure(("dates", name), date.first or date.last, distinct)
    for name, gap in spec.gaps.items():
        yield from _known_measure(("gaps", name), gap.between, distinct)
        if gap.within is not None and gap.within not in spec.preferences:
            yield Problem(("gaps", name, "within"), f"{gap.within!r} is not a preference ({near_miss(gap.within, list(spec.preferences))})")
    for name, streak in spec.streaks.items():
        yield from _known_measure(("streaks", name), streak.of, distinct)


def _known_measure(key: tuple[str, ...], measure: str | None, distinct: list[str]) -> Iterator[Problem]:
    if measure is not None and measure not in distinct:
        yield Problem(key, f"{measure!r} is not a distinct measure ({near_miss(measure, distinct)})")


def _derived(spec: FeaturesSpec) -> Iterator[Problem]:
    known = spec.base_columns
    for name, derived in spec.derived.items():
        key = ("derived", name, "expr")
        odd = sorted(set(_BRACES.findall(derived.expr)) - {"{w}"})
        if odd:
            yield Problem(key, f"{', '.join(odd)} stands for nothing: {{w}} stands for each window")
            continue
        # What is wrong in one window is wrong in the others.
        found = (_messages(derived_expr(derived.expr, window), known) for window in derived_windows(spec, derived.expr))
        yield from (Problem(key, _of_derived(spec, message)) for message in next(filter(None, found), []))


def _of_derived(spec: FeaturesSpec, message: str) -> str:
    name = next((name for name in spec.derived if message.startswith((f"{UNKNOWN_COLUMN} {name!r}", f"{UNKNOWN_COLUMN} '{name}_"))), None)
    return (
        message if name is None else f"{name} is derived itself, and what is derived reads no other such feature: write its expression out"
    )


def _preferences(spec: FeaturesSpec) -> Iterator[Problem]:
    known = (*EVENTS.names, *(("hour_band",) if spec.hour_bands else ()), *(("price_band",) if spec.price_bands else ()))
    for name, preference in spec.preferences.items():
        yield from _expression(("preferences", name, "key"), preference.key, known)
        if max(preference.weights.values()) <= 0:
            yield Problem(("preferences", name, "weights"), "no weight is above 0, so no key can be preferred")
        for kind in preference.weights:
            if kind not in EVENT_TYPES:
                yield Problem(("preferences", name, "weights", kind), f"is not an event type ({near_miss(kind, EVENT_TYPES)})")


def _attributes(spec: FeaturesSpec) -> Iterator[Problem]:
    stated = [name for name, attribute in spec.attributes.items() if attribute.expr is None]
    for name, attribute in spec.attributes.items():
        if attribute.key == _REGISTERED_AT and attribute.type != "date":
            yield Problem(("attributes", name, "type"), "registered_at is published as a date")
        yield from _expression(("attributes", name, "expr"), attribute.expr, ("as_of", *stated))


def _expression(key: tuple[str, ...], text: str | None, known: Collection[str]) -> Iterator[Problem]:
    if text is not None:
        yield from (Problem(key, message) for message in _messages(text, known))


def _messages(text: str, known: Collection[str]) -> list[str]:
    try:
        return compile_expression(text).unknown(known)
    except ExpressionError as error:
        return list(error.problems)
