"""Every expression of the definitions with the columns that it may read and the kind of value that its place needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from persona_spark.config.check import column_types, segment_column_types, tag_column_types
from persona_spark.config.expression import compile_expression
from persona_spark.config.features_columns import derived_expr, derived_windows
from persona_spark.schema import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf, Draft

CONDITION, NUMBER, WHOLE, DAY, VALUE = "condition", "number", "whole", "day", "value"
_EVENTS, _BASE, _TAGS, _SEGMENTS = "events", "base", "tags", "segments"
_SEGMENT_KINDS = {"exclude": CONDITION, "features": NUMBER, "cards.measures": NUMBER}


@dataclass(frozen=True)
class TypedExpression:
    """One expression.

    Attributes:
        file: where it stands.
        key: its key there.
        text: as written.
        sql: what Spark evaluates.
        frame: which columns it may read, see `frames`.
        wanted: `condition`, `number`, `whole` (a number without fractions), `day` or `value`.
    """

    file: str
    key: str
    text: str
    sql: str
    frame: str
    wanted: str


def frames(features: FeaturesSpec) -> dict[str, dict[str, str]]:
    """Columns with their Spark SQL types, by the name of the frame."""
    return {
        _EVENTS: {**{column.name: column.type for column in EVENTS.columns}, "hour_band": "string", "price_band": "string"},
        _BASE: column_types(features),
        _TAGS: tag_column_types(features),
        _SEGMENTS: segment_column_types(features),
    }


def typed_expressions(conf: Conf | Draft) -> Iterator[TypedExpression]:
    """Those of measures, preferences, attributes, derived features, lifecycle, tags and segments that could be read.

    Expressions over unknown columns are left out: `check_conf` tells of them.
    """
    if conf.features is None:
        return
    known = frames(conf.features)
    yield from (item for item in _all(conf) if set(compile_expression(item.text).columns) <= set(known[item.frame]))


def _all(conf: Conf | Draft) -> Iterator[TypedExpression]:
    if conf.main is None or conf.features is None:
        return
    yield from _features(conf.features, str(conf.folder / conf.main.features))
    for stage in conf.scores.lifecycle if conf.scores else ():
        if stage.when is not None:
            yield _typed(str(conf.folder / conf.main.scores), f"lifecycle.{stage.name}.when", stage.when, _BASE, CONDITION)
    for name, tag in conf.tags.tags.items() if conf.tags else ():
        yield _typed(str(conf.folder / conf.main.tags), f"tags.{name}.when", tag.when, _TAGS, CONDITION)
    for key, expression in conf.segments.expressions() if conf.segments else ():
        wanted = NUMBER if key.endswith(".share") else next((k for start, k in _SEGMENT_KINDS.items() if key.startswith(start)), VALUE)
        yield _typed(str(conf.folder / conf.main.segments), key, expression.text, _SEGMENTS, wanted)


def _features(features: FeaturesSpec, file: str) -> Iterator[TypedExpression]:
    for name, measure in features.measures.items():
        if measure.where is not None:
            yield _typed(file, f"measures.{name}.where", measure.where, _EVENTS, CONDITION)
        if measure.sum is not None:
            yield _typed(file, f"measures.{name}.sum", measure.sum, _EVENTS, NUMBER if measure.unit == "money" else WHOLE)
    if features.price_bands is not None:
        yield _typed(file, "price_bands.of", features.price_bands.of, _EVENTS, NUMBER)
    for name, preference in features.preferences.items():
        yield _typed(file, f"preferences.{name}.key", preference.key, _EVENTS, VALUE)
    for name, attribute in features.attributes.items():
        if attribute.expr is not None:
            wrapped = f"try_cast(({compile_expression(attribute.expr).sql}) as {attribute.type})"
            yield TypedExpression(file, f"attributes.{name}.expr", attribute.expr, wrapped, _BASE, VALUE)
    for name, derived in features.derived.items():
        for window in derived_windows(features, derived.expr):
            wanted = {"date": DAY, "count": WHOLE, "days": WHOLE}.get(derived.unit, NUMBER)
            yield _typed(file, f"derived.{name}.expr", derived_expr(derived.expr, window), _BASE, wanted)


def _typed(file: str, key: str, text: str, frame: str, wanted: str) -> TypedExpression:
    return TypedExpression(file, key, text, compile_expression(text).sql, frame, wanted)
