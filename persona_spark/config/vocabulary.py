"""Columns whose values the configuration itself names, such as lifecycle stages: a word that is none of them is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from persona_spark.config.base import near_miss
from persona_spark.config.constants import constant_of
from persona_spark.schema import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.scores import ScoresSpec
    from persona_spark.config.tags import TagsSpec


def vocabulary(features: FeaturesSpec, scores: ScoresSpec | None, tags: TagsSpec | None) -> dict[str, frozenset[str]]:
    """The values that a column of events or profiles may have, by column; columns of a file that could not be read are left out."""
    words = {"event_type": frozenset(EVENT_TYPES)}
    if "hour_band" in features.preferences and features.hour_bands:
        words["preferred_hour_band"] = frozenset(features.hour_bands)
    if scores is not None:
        words["lifecycle_stage"] = frozenset(stage.name for stage in scores.lifecycle)
        words["rfm_segment"] = frozenset((scores.rfm.no_purchase, *(segment.name for segment in scores.rfm.segments)))
    if tags is not None:
        words["tags"] = frozenset(tags.tags)
    return words


def unknown_words(tree: exp.Expr, words: Mapping[str, frozenset[str]]) -> list[str]:
    """A message for each text that is compared with a column of `words` and can never be its value."""
    return sorted({message for node in tree.walk() for message in _messages(node, words)})


def _messages(node: exp.Expr, words: Mapping[str, frozenset[str]]) -> list[str]:
    if not isinstance(node, exp.EQ | exp.NEQ | exp.In | exp.ArrayContains):
        return []
    operands = [child.unnest() for child in node.iter_expressions()]
    columns = [child.name for child in operands if isinstance(child, exp.Column) and child.name in words]
    texts = [str(found.value) for child in operands if (found := constant_of(child)) is not None and found.family == "text"]
    return [
        f"{text!r} is no value of {column} ({near_miss(text, words[column])})"
        for column in columns
        for text in texts
        if text not in words[column]
    ]
