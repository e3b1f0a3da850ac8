"""What is true of each segment: means, contrasts and common names, from two aggregations, never from single users."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame, Row

    from persona_spark.config.segments import CardTrait, SegmentCards
    from persona_spark.segments.model import FrozenFeature

_COORDINATE = "decimal(18,6)"
_FIGURE = "decimal(28,6)"
_DIGITS = 6


@dataclass(frozen=True)
class Contrast:
    """A feature's mean in the scaled space, that of all users, and the difference in standard deviations of all users."""

    name: str
    mean: float
    population: float
    contrast: float


@dataclass(frozen=True)
class TraitValue:
    """A name's share of the segment's users who have one, and of all users who have one."""

    name: str
    value: str
    share: float
    population: float


@dataclass(frozen=True)
class MeasureMean:
    """A measure's mean over the segment's users who have it, and over all users who have it."""

    name: str
    mean: float
    population: float


@dataclass(frozen=True)
class SegmentFacts:
    """A segment in figures; those of a segment too small to show are empty."""

    segment_id: int
    users: int
    share: float
    contrasts: tuple[Contrast, ...] = ()
    traits: tuple[TraitValue, ...] = ()
    measures: tuple[MeasureMean, ...] = ()


def segment_facts(members: DataFrame, features: Sequence[FrozenFeature], cards: SegmentCards) -> tuple[SegmentFacts, ...]:
    """The facts of every segment, by number.

    Args:
        members: users with the columns of the profile, `segment_id` and their coordinates `point`.
        features: the dimensions of `point`.
        cards: traits, measures, and how small a segment may be.
    """
    rows = members.groupBy("segment_id").agg(F.count("*").alias("users"), *_sums(features, cards)).orderBy("segment_id").collect()
    total = _added(rows)
    traits = _traits(members, cards)
    return tuple(_facts(row.asDict(), total, features, cards, traits.get(row.segment_id, ())) for row in rows)


def _sums(features: Sequence[FrozenFeature], cards: SegmentCards) -> list[Column]:
    sums = []
    for index, _ in enumerate(features):
        value = F.get("point", F.lit(index)).cast(_COORDINATE)
        sums += [F.sum(value).alias(f"sum_{index}"), F.sum(value * value).alias(f"square_{index}")]
    for measure in cards.measures:
        figure = F.expr(compile_expression(measure.expr).sql).try_cast(_FIGURE)
        sums += [F.sum(figure).alias(f"total_{measure.name}"), F.count(figure).alias(f"known_{measure.name}")]
    return sums


def _added(rows: Sequence[Row]) -> dict[str, Decimal]:
    parts = [row.asDict() for row in rows]
    names = parts[0].keys() if parts else ()
    return {name: sum((Decimal(part[name] or 0) for part in parts), Decimal(0)) for name in names}


def _facts(
    row: Mapping[str, Decimal | int | None],
    total: Mapping[str, Decimal],
    features: Sequence[FrozenFeature],
    cards: SegmentCards,
    traits: Sequence[TraitValue],
) -> SegmentFacts:
    users = int(row["users"] or 0)
    segment_id, share = int(row["segment_id"] or 0), round(users / float(total["users"]), _DIGITS)
    if users < cards.smallest:
        return SegmentFacts(segment_id, users, share)
    contrasts = tuple(_contrast(feature.name, index, row, total) for index, feature in enumerate(features))
    means = (_measure(measure.name, row, total, cards.smallest) for measure in cards.measures)
    return SegmentFacts(segment_id, users, share, contrasts, tuple(traits), tuple(mean for mean in means if mean))


def _contrast(name: str, index: int, row: Mapping[str, Decimal | int | None], total: Mapping[str, Decimal]) -> Contrast:
    everybody = total["users"]
    mean = Decimal(row[f"sum_{index}"] or 0) / Decimal(row["users"] or 1)
    population = total[f"sum_{index}"] / everybody
    variance = total[f"square_{index}"] / everybody - population * population
    contrast = (mean - population) / variance.sqrt() if variance > 0 else Decimal(0)
    return Contrast(name, round(float(mean), _DIGITS), round(float(population), _DIGITS), round(float(contrast), _DIGITS))


def _measure(name: str, row: Mapping[str, Decimal | int | None], total: Mapping[str, Decimal], smallest: int) -> MeasureMean | None:
    """The measure's means; None when too few users of the segment have it."""
    known = Decimal(row[f"known_{name}"] or 0)
    if known < smallest:
        return None
    mean, population = Decimal(row[f"total_{name}"] or 0) / known, total[f"total_{name}"] / total[f"known_{name}"]
    return MeasureMean(name, round(float(mean), _DIGITS), round(float(population), _DIGITS))


def _traits(members: DataFrame, cards: SegmentCards) -> dict[int, tuple[TraitValue, ...]]:
    """Values common enough to be stated, by segment, in the order of the configuration, the most common first."""
    if not cards.traits:
        return {}
    order = {trait.name: place for place, trait in enumerate(cards.traits)}
    rows = sorted(_trait_counts(members, cards).collect(), key=lambda row: (order[row.trait], -row["count"], row.value))
    found: dict[int, list[TraitValue]] = {}
    for row in rows:
        share, population = row["count"] / row.known, row.everywhere / row.everybody
        value = TraitValue(row.trait, row.value, round(share, _DIGITS), round(population, _DIGITS))
        found.setdefault(row.segment_id, []).append(value)
    return {segment: tuple(values) for segment, values in found.items()}


def _trait_counts(members: DataFrame, cards: SegmentCards) -> DataFrame:
    pairs = F.array(*(F.struct(F.lit(trait.name).alias("trait"), _text(trait).alias("value")) for trait in cards.traits))
    sizes = Window.partitionBy("segment_id")
    named = members.select("segment_id", F.explode(pairs).alias("pair")).groupBy("segment_id", "pair.trait", "pair.value").count()
    sized = named.withColumn("members", F.sum("count").over(sizes) / F.lit(len(cards.traits))).where(F.col("value").isNotNull())
    counted = (
        sized.withColumn("known", F.sum("count").over(Window.partitionBy("segment_id", "trait")))
        .withColumn("everywhere", F.sum("count").over(Window.partitionBy("trait", "value")))
        .withColumn("everybody", F.sum("count").over(Window.partitionBy("trait")))
    )
    enough = (F.col("known") >= cards.smallest) & (F.col("known") >= F.col("members") * _by_trait(cards, "known"))
    return counted.where(enough & (F.col("count") >= F.col("known") * _by_trait(cards, "share")))


def _text(trait: CardTrait) -> Column:
    return F.expr(compile_expression(trait.expr).sql).cast("string")


def _by_trait(cards: SegmentCards, limit: str) -> Column:
    """The least share of each trait: `known`, or that of one value, `share` / `top`."""
    column = F.lit(1.0)
    for trait in cards.traits:
        least = trait.known if limit == "known" else trait.share / trait.top
        column = F.when(F.col("trait") == F.lit(trait.name), F.lit(least)).otherwise(column)
    return column
