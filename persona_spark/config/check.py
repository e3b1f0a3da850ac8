"""`persona check`: mistakes that no single file shows, found without Spark and reported all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlglot import exp

from persona_spark.config.base import near_miss
from persona_spark.config.contradiction import impossible_parts
from persona_spark.config.duplicates import repeated_conditions, repeated_labels
from persona_spark.config.expression import compile_expression
from persona_spark.config.features_columns import derived_expr, derived_windows
from persona_spark.config.load import read_conf
from persona_spark.config.mixed_types import mixed_types
from persona_spark.config.sources_check import lake_faults
from persona_spark.config.vocabulary import unknown_words, vocabulary
from persona_spark.errors import ConfigError, Fault
from persona_spark.schema import EVENTS, MONEY, USER_SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from persona_spark.config.expression import Expression
    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf, Draft
    from persona_spark.config.main import MainConf

RECONCILED = ("paid_amount_lifetime", "order_count_lifetime")
_NAMED = ("measures", "derived", "dates", "gaps", "preferences", "attributes", "tags")
_CONDITIONS = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Boolean, exp.Column, exp.Case, exp.If, exp.Func)


def checked_conf(path: str | Path, today: date | None = None) -> Conf:
    """Read a configuration and hold it to every check that needs no Spark.

    Args:
        path: the main file.
        today: reviews due before this day are overdue; None leaves reviews out.

    Raises:
        ConfigError: with every mistake in every file.
    """
    draft = read_conf(path)
    faults = (*draft.faults, *check_conf(draft, today))
    if faults:
        raise ConfigError(faults)
    return draft.conf()


def check_conf(conf: Conf | Draft, today: date | None) -> list[Fault]:
    """Every mistake that needs more than one entry or file to be seen.

    Args:
        conf: a configuration whose files are valid each for itself, or what could be read of one.
        today: reviews due before this day are overdue; None leaves reviews out.
    """
    if conf.main is None:
        return []
    reviews = set() if today is None else set(_reviews(conf, conf.main, today))
    if conf.features is None or any(fault.key.startswith("windows") for fault in getattr(conf, "faults", ())):
        return sorted(reviews)
    return sorted({*reviews, *_Check(conf, conf.main, conf.features).faults()})


def column_types(features: FeaturesSpec) -> dict[str, str]:
    """Spark SQL types of the columns that derived features, lifecycle and RFM read: the profile's base, by name."""
    return {column.name: column.type for column in features.profile_columns()}


def tag_column_types(features: FeaturesSpec) -> dict[str, str]:
    """Likewise of the columns that tags read: base and scores."""
    return {**column_types(features), **{column.name: column.type for column in USER_SCORES.columns}}


def segment_column_types(features: FeaturesSpec) -> dict[str, str]:
    """Likewise of the columns that segments read: base, scores and tags."""
    return {**tag_column_types(features), "tags": "array<string>"}


def _reviews(conf: Conf | Draft, main: MainConf, today: date) -> Iterator[Fault]:
    for name, tag in conf.tags.tags.items() if conf.tags else ():
        if tag.review_by < today:
            message, hint = f"the review was due by {tag.review_by}", f"{tag.owner} reviews the tag and sets a new day"
            yield Fault(str(conf.folder / main.tags), f"tags.{name}.review_by", message, hint)


class _Check:
    """Everything held against the columns of the profile."""

    def __init__(self, conf: Conf | Draft, main: MainConf, features: FeaturesSpec) -> None:
        self._conf, self._main, self._features = conf, main, features
        # What a wrong entry would have given is not missed a second time.
        wrong = [fault.key.split(".") for fault in getattr(conf, "faults", ())]
        self._lake_is_right = not any(key[0] == "lake" for key in wrong)
        self._left_out = {name for section, name, *_ in (key for key in wrong if len(key) > 1) if section in _NAMED}
        words = vocabulary(features, conf.scores, conf.tags)
        scores_are_whole = not any(key[0] in {"rfm", "lifecycle"} for key in wrong)
        self._words = {
            column: known | self._left_out for column, known in words.items() if scores_are_whole or column not in USER_SCORES.names
        }

    def faults(self) -> Iterator[Fault]:
        yield from self._audits()
        yield from self._measures()
        yield from self._derived()
        yield from self._scores()
        yield from self._tags()
        yield from self._segments()
        if self._lake_is_right and len(self._conf.sources) == len(self._main.sources):
            yield from lake_faults(cast("Conf", self._conf))

    def _file(self, name: str) -> str:
        return str(self._conf.folder / name)

    def _audits(self) -> Iterator[Fault]:
        """Columns that audits reconcile with the events, and columns that audits were told to look at."""
        known = segment_column_types(self._features)
        for name in RECONCILED:
            if name not in known or name.removesuffix("_lifetime") not in self._features.measures:
                message = f"column {name} is missing: audits reconcile it with the events"
                yield Fault(self._file(self._main.features), "measures", message, "keep its measure and the window lifetime")
        for name in self._main.audits.largest_null_rate:
            if name not in known:
                yield Fault(str(self._conf.path), f"audits.largest_null_rate.{name}", f"unknown column ({near_miss(name, known)})")

    def _measures(self) -> Iterator[Fault]:
        """Types, words and contradictions only, as of what is derived."""
        file, types = self._file(self._main.features), EVENTS.types
        for name, measure in self._features.measures.items():
            if measure.where is not None:
                yield from self._condition(compile_expression(measure.where), types, file, f"measures.{name}.where")
            if measure.sum is not None:
                tree = compile_expression(measure.sum).tree.unnest()
                yield from (Fault(file, f"measures.{name}.sum", message) for message in mixed_types(tree, types))
                if isinstance(tree, exp.Column) and types.get(tree.name) == MONEY and measure.unit != "money":
                    message = f"{tree.name} is money, whose cents the unit {measure.unit} would cut off"
                    yield Fault(file, f"measures.{name}.unit", message, "write unit: money")

    def _derived(self) -> Iterator[Fault]:
        """Types only: the file itself has been held to its columns."""
        types = column_types(self._features)
        for name, derived in self._features.derived.items():
            for window in derived_windows(self._features, derived.expr):
                for message in mixed_types(compile_expression(derived_expr(derived.expr, window)).tree, types):
                    yield Fault(self._file(self._main.features), f"derived.{name}.expr", message)

    def _scores(self) -> Iterator[Fault]:
        if self._conf.scores is None:
            return
        file, types = self._file(self._main.scores), column_types(self._features)
        for role, name in self._conf.scores.rfm.columns.items():
            if name not in types:
                yield Fault(file, "rfm.window", f"needs column {name} for {role}", "choose a window of features.yaml")
        rules = {f"lifecycle.{stage.name}": stage.condition for stage in self._conf.scores.lifecycle if stage.condition is not None}
        for key, condition in rules.items():
            yield from self._condition(condition, types, file, f"{key}.when")
        yield from repeated_conditions(rules, file, "when")

    def _tags(self) -> Iterator[Fault]:
        if self._conf.tags is None:
            return
        file, types = self._file(self._main.tags), tag_column_types(self._features)
        rules = {f"tags.{name}": tag.condition for name, tag in self._conf.tags.tags.items()}
        for key, condition in rules.items():
            yield from self._condition(condition, types, file, f"{key}.when")
        yield from repeated_conditions(rules, file, "when")
        yield from repeated_labels({f"tags.{name}": tag.label for name, tag in self._conf.tags.tags.items()}, file)

    def _segments(self) -> Iterator[Fault]:
        if self._conf.segments is None:
            return
        file, types = self._file(self._main.segments), segment_column_types(self._features)
        for key, expression in self._conf.segments.expressions():
            if key == "exclude":
                yield from self._condition(expression, types, file, key)
            else:
                yield from self._columns(expression, types, file, key)

    def _columns(self, expression: Expression, types: dict[str, str], file: str, key: str) -> Iterator[Fault]:
        tree = expression.tree
        left_out = [name for name in expression.columns if any(entry in name for entry in self._left_out)]
        for message in (*expression.unknown([*types, *left_out]), *mixed_types(tree, types), *unknown_words(tree, self._words)):
            yield Fault(file, key, message)

    def _condition(self, condition: Expression, types: dict[str, str], file: str, key: str) -> Iterator[Fault]:
        yield from self._columns(condition, types, file, key)
        tree = condition.tree.unnest()
        bare = isinstance(tree, exp.Column) and types.get(tree.name, "boolean") != "boolean"
        if bare or not isinstance(tree, _CONDITIONS):
            yield Fault(file, key, f"{condition.text!r} is not a condition", "compare it with something")
            return
        for part in impossible_parts(tree, types):
            yield Fault(file, key, f"no value satisfies {part!r}", "two of its comparisons exclude each other")
