"""conf/features.yaml: what is measured, over which windows, and what is made of it.

A measure is declared once; every window then gets its column, named `<measure>_<window>`. What can be wrong in the file is
found here without Spark and reported together.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from persona_spark.config.base import Strict
from persona_spark.config.features_check import find_problems
from persona_spark.config.features_columns import FeatureColumn, base_names, feature_columns
from persona_spark.config.features_entries import (
    Attribute,
    DateFeature,
    Derived,
    GapFeature,
    Measure,
    Preference,
    PriceBands,
    Streak,
)
from persona_spark.schema import Column
from persona_spark.time import Window
from persona_spark.version import __version__

if TYPE_CHECKING:
    from persona_spark.config.features_check import Problem


class FeaturesSpec(Strict):
    """The whole file."""

    owner: str
    windows: tuple[str, ...] = Field(min_length=1)
    hour_bands: dict[str, tuple[int, int]] = Field(default_factory=dict)
    price_bands: PriceBands | None = None
    measures: dict[str, Measure] = Field(min_length=1)
    derived: dict[str, Derived] = Field(default_factory=dict)
    dates: dict[str, DateFeature] = Field(default_factory=dict)
    gaps: dict[str, GapFeature] = Field(default_factory=dict)
    streaks: dict[str, Streak] = Field(default_factory=dict)
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

    @cached_property
    def parsed_windows(self) -> tuple[Window, ...]:
        """The file's windows from the shortest to the longest."""
        return _sorted(self.windows)

    @cached_property
    def all_windows(self) -> tuple[Window, ...]:
        """Every window that any measure has."""
        own = (label for measure in self.measures.values() for label in measure.windows or ())
        return _sorted({*self.windows, *own})

    @cached_property
    def base_columns(self) -> frozenset[str]:
        """Published columns that derived features may use."""
        return frozenset(base_names(self))

    def windows_of(self, measure: str) -> tuple[Window, ...]:
        """The windows of a measure."""
        own = self.measures[measure].windows
        return self.parsed_windows if own is None else _sorted(own)

    def feature_columns(self) -> tuple[FeatureColumn, ...]:
        """Published attributes and features with label, owner, unit and ages, in the order in which they are published."""
        return self._columns

    @cached_property
    def _columns(self) -> tuple[FeatureColumn, ...]:
        return feature_columns(self)

    def profile_columns(self) -> tuple[Column, ...]:
        """Published columns of the profile's base: who, when, attributes and features."""
        return (
            Column("user_id", "string", "The user.", nullable=False),
            Column("as_of", "date", "The day the row describes: events before it count.", nullable=False),
            Column("account_ids", "array<string>", "The user's accounts, sorted.", nullable=False),
            *(feature.column for feature in self._columns),
        )

    def tile_digest(self) -> str:
        """Hash of what decides the content of the tiles: not of labels, windows, decay or attributes.

        The order of entries counts: what several have in common has a column that is named after the first.
        """
        measures = [[name, {**_bare(entry), "windows": None}] for name, entry in self.model_dump(mode="json")["measures"].items()]
        keys = [[name, each.key, each.weights, each.family, each.touch] for name, each in self.preferences.items()]
        within = [[name, gap.between, gap.within] for name, gap in self.gaps.items() if gap.within]
        bands = self.model_dump(mode="json", include={"hour_bands", "price_bands"})
        return _hash([measures, keys, within, bands])

    def value_digest(self) -> str:
        """Hash of what decides the values of `user_features`: not of labels or owners, nor of what the last projection computes."""
        stored = _meaning(self.model_dump(mode="json", exclude={"derived"}))
        attributes = {
            name: {key: value for key, value in entry.items() if key not in {"expr", "unit"}}
            for name, entry in stored["attributes"].items()
        }
        return _hash({**stored, "attributes": attributes})

    def ages(self) -> tuple[int, ...]:
        """Ages in days (as_of minus a day's date) at which a day's events change a stored value of their user."""
        return tuple(sorted({age for feature in self._columns if feature.group != "attributes" for age in feature.ages}))


def _sorted(labels: Any) -> tuple[Window, ...]:
    windows = (Window.parse(text) for text in labels)
    return tuple(sorted(windows, key=lambda window: (window.oldest is None, window.oldest or 0, window.offset)))


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
