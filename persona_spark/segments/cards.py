"""Persona cards: each segment's name, size and description, from real contrasts with all users."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.lake.contract import frame_of
from persona_spark.schema import SEGMENT_CARD
from persona_spark.segments.facts import segment_facts
from persona_spark.segments.model import champion
from persona_spark.segments.space import covered, nearest, point
from persona_spark.segments.words import describe, segment_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, Row

    from persona_spark.config.base import Label
    from persona_spark.config.segments import SegmentsSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.segments.facts import SegmentFacts
    from persona_spark.segments.model import SegmentModel


@dataclass(frozen=True)
class Card:
    """A segment in figures and words."""

    facts: SegmentFacts
    name: Label
    description: Label


def make_cards(users: DataFrame, model: SegmentModel, spec: SegmentsSpec, currency: str) -> tuple[Card, ...]:
    """A card for each segment that has users.

    Args:
        users: profiles with scores and tags.
        model: the model; names of its segments are not looked at.
        spec: what cards say.
        currency: the reporting currency, for amounts.
    """
    placed = covered(users, model.exclude).withColumn("point", point(model.features, model.clip))
    members = placed.withColumn("segment_id", nearest(F.col("point"), model.segments)["segment_id"])
    facts = segment_facts(members, model.features, spec.cards)
    names = segment_names(facts, spec)
    return tuple(Card(each, name, describe(each, spec, currency)) for each, name in zip(facts, names, strict=True))


def with_names(model: SegmentModel, cards: Sequence[Card]) -> SegmentModel:
    """The model with the names and sizes of the cards."""
    found = {card.facts.segment_id: card for card in cards}
    segments = tuple(
        replace(part, segment_name=found[part.segment_id].name.en, users=found[part.segment_id].facts.users)
        if part.segment_id in found
        else replace(part, users=0)
        for part in model.segments
    )
    return replace(model, segments=segments)


def save_cards(lake: Lake, model_version: str, cards: Sequence[Card]) -> None:
    """Write the cards of a model, in place of those it had."""
    rows = [
        {
            "model_version": model_version,
            "segment_id": card.facts.segment_id,
            "segment_name": card.name.en,
            "segment_name_zh": card.name.zh,
            "users": card.facts.users,
            "share": card.facts.share,
            "description": card.description.en,
            "description_zh": card.description.zh,
            "contrasts": [astuple(contrast) for contrast in card.facts.contrasts],
            "traits": [astuple(trait) for trait in card.facts.traits],
            "measures": [astuple(measure) for measure in card.facts.measures],
        }
        for card in cards
    ]
    frame = frame_of(lake.spark, SEGMENT_CARD, rows).coalesce(1)
    lake.replace_where(frame, SEGMENT_CARD, f"model_version = '{model_version}'")


def current_cards(lake: Lake) -> list[Row]:
    """The cards of the live model, by segment number; none when there is no live model."""
    live = champion(lake)
    version = F.lit(live.model_version if live else None)
    return lake.read(SEGMENT_CARD).where(F.col("model_version") == version).orderBy("segment_id").collect()
