"""conf/features.yaml: what is measured, over which windows, and what is made of it.

A measure is declared once; every window then gets its column, named `<measure>_<window>`. What can be wrong in the file is
found here without Spark and reported together.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from persona_spark.config.base import Label, Strict
from persona_spark.config.features_check import find_problems
from persona_spark.config.features_columns import FeatureColumn, feature_columns
from persona_spark.schema import Column
from persona_spark.time import Window
from persona_spark.version import __version__

if TYPE_CHECKING:
    from persona_spark.config.features_check import Problem

Unit = Literal["count", "money", "pieces", "seconds"]


class Entry(Strict):
    """What every definition says about itself; the file's `owner` holds where an entry names none."""

    label: Label
    owner: str | None = None


class Measure(Entry):
    """What is counted or summed, event by event, or counted once although several events speak of it.

    Attributes:
        count: counts events.
        sum: sums an expression over the columns of `events`; null adds nothing.
        distinct: counts `days` on which a user did it, `orders` on the day they were first seen, `sessions` on their first day.
        where: condition on an event; absent means all events.
        unit: money is kept exactly, in minor units.
    """

    count: Literal[True] | None = None
    sum: str | None = None
    distinct: Literal["days", "orders", "sessions"] | None = None
    where: str | None = None
    unit: Unit = "count"

    @property
    def adds_up(self) -> bool:
        """Whether the measure is a sum of account-days."""
        return self.distinct is None

    @property
    def in_day_tile(self) -> bool:
        """Whether the tile of an account's day holds the measure."""
        return self.distinct in (None, "days")


class Derived(Entry):
    """A row-wise expression over other published columns; with `{w}` in it, one column a window.

    Attributes:
        expr: for example `paid_amount_{w} / order_count_{w}`.
        unit: ratio and number are doubles, money is decimal(18,2), count is bigint.
        null_when: in words, when there is no value.
    """

    expr: str
    unit: Literal["ratio", "number", "money", "count"] = "ratio"
    null_when: str


class DateFeature(Entry):
    """The first or last day on which a distinct measure counted; `<stem>_date` is also published as `days_since_<stem>`."""

    first: str | None = None
    last: str | None = None


class GapFeature(Entry):
    """Mean days between the distinct dates on which a distinct measure counted; null below two dates."""

    between: str


class Preference(Entry):
    """The key with the largest decayed weight, counted from the user's own last event before as_of.

    Attributes:
        key: expression over the columns of `events` and `hour_band`; null keys do not count.
        weights: whole numbers an event type; types not named do not count.
        half_life_days: after so many days a weight is worth half.
        half_lives: after so many half-lives it is worth nothing.
    """

    key: str
    weights: dict[str, int] = Field(min_length=1)
    half_life_days: int = Field(gt=0, le=3650)
    half_lives: int = Field(default=8, gt=0, le=16)


class Attribute(Entry):
    """What the accounts say of a user: the last value stated before as_of.

    Attributes:
        type: Spark SQL type; a value that does not fit counts as not stated.
        key: key in the accounts' attributes; default the attribute's name. `registered_at` is the column of that name.
        expr: takes the place of a value that was not stated: an expression over other attributes and `as_of`.
        personal: whether the value says something of a person that erasure and access rules care about.
    """

    type: Literal["string", "int", "bigint", "double", "boolean", "date"] = "string"
    key: str | None = None
    expr: str | None = None
    personal: bool = False


class FeaturesSpec(Strict):
    """The whole file."""

    owner: str
    windows: tuple[str, ...] = Field(min_length=1)
    hour_bands: dict[str, tuple[int, int]] = Field(default_factory=dict)
    measures: dict[str, Measure] = Field(min_length=1)
    derived: dict[str, Derived] = Field(default_factory=dict)
    dates: dict[str, DateFeature] = Field(default_factory=dict)
    gaps: dict[str, GapFeature] = Field(default_factory=dict)
    preferences: dict[str, Preference] = Field(default_factory=dict)
    attributes: dict[str, Attribute] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _report_all(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Look for wrong meaning also in the entries beside one that has a wrong form."""
        try:
            spec = handler(data)
        except ValidationError as error:
            details = [_detail(found) for found in error.errors()]
            raise _together(cls, details + _further(cls, data, handler, error)) from None
        problems = find_problems(spec)
        if problems:
            raise _together(cls, [_as_detail(problem) for problem in problems])
        return spec

    @property
    def parsed_windows(self) -> tuple[Window, ...]:
        """The windows from the shortest to the longest."""
        windows = (Window.parse(text) for text in self.windows)
        return tuple(sorted(windows, key=lambda window: (window.days is None, window.days or 0)))

    def feature_columns(self) -> tuple[FeatureColumn, ...]:
        """Published attributes and features with label, owner, unit and ages, in the order in which they are published."""
        return feature_columns(self)

    def profile_columns(self) -> tuple[Column, ...]:
        """Published columns of the profile's base: who, when, attributes and features."""
        return (
            Column("user_id", "string", "The user.", nullable=False),
            Column("as_of", "date", "The day the row describes: events before it count.", nullable=False),
            Column("account_ids", "array<string>", "The user's accounts, sorted.", nullable=False),
            *(feature.column for feature in feature_columns(self)),
        )

    def tile_digest(self) -> str:
        """Hash of what decides the content of the tiles: not of labels, windows, decay or attributes."""
        keys = {name: [preference.key, preference.weights] for name, preference in self.preferences.items()}
        return _hash([_meaning(self.model_dump(mode="json", include={"measures", "hour_bands"})), keys])

    def value_digest(self) -> str:
        """Hash of what decides the values of `user_features`: not of labels or owners, nor of what the last projection computes."""
        stored = _meaning(self.model_dump(mode="json", exclude={"derived"}))
        attributes = {name: {key: value for key, value in entry.items() if key != "expr"} for name, entry in stored["attributes"].items()}
        return _hash({**stored, "attributes": attributes})

    def ages(self) -> tuple[int, ...]:
        """Ages in days (as_of minus a day's date) at which a day's events change a stored value of their user."""
        return tuple(sorted({age for feature in feature_columns(self) if feature.group != "attributes" for age in feature.ages}))


def _meaning(sections: dict[str, Any]) -> dict[str, Any]:
    return {
        section: {name: _bare(entry) for name, entry in value.items()} if isinstance(value, dict) else value
        for section, value in sections.items()
        if section != "owner"
    }


def _bare(entry: Any) -> Any:
    return {key: value for key, value in entry.items() if key not in _WORDS} if isinstance(entry, dict) else entry


def _hash(value: Any) -> str:
    text = json.dumps([__version__, value], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


_WORDS = ("label", "owner", "null_when", "personal")


def _together(model: type[FeaturesSpec], details: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data(model.__name__, details)


def _detail(found: Any) -> InitErrorDetails:
    return InitErrorDetails(
        type=PydanticCustomError(found["type"], found["msg"].replace("{", "{{").replace("}", "}}")),
        loc=found["loc"],
        input=found["input"],
    )


def _as_detail(problem: Problem) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("meaning", problem.message), loc=problem.key, input=None)


def _further(
    model: type[FeaturesSpec], data: Any, handler: ModelWrapValidatorHandler[FeaturesSpec], error: ValidationError
) -> list[InitErrorDetails]:
    """Problems of the entries whose form is right; a measure of wrong form keeps its name, so that nobody misses it."""
    if not isinstance(data, dict):
        return []
    wrong = {(str(found["loc"][0]), str(found["loc"][1])) for found in error.errors() if len(found["loc"]) > 1}
    pruned = {name: value for name, value in data.items() if name in model.model_fields}
    for section, entry in wrong:
        entries = pruned.get(section)
        if not isinstance(entries, dict):
            continue
        rest = {name: value for name, value in entries.items() if str(name) != entry}
        stand_in = {entry: {"count": True, "label": {"en": entry, "zh": entry}}} if section == "measures" else {}
        pruned[section] = {**rest, **stand_in}
    try:
        problems = find_problems(handler(pruned))
    except ValidationError:
        return []
    return [_as_detail(problem) for problem in problems if problem.key[:2] not in wrong]
