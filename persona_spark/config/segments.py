"""`segments.yaml`: what users are clustered on, how many segments are tried, when a model may go live, what cards say."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from persona_spark.config.base import Label, Strict
from persona_spark.config.expression import ExpressionError, compile_expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.expression import Expression


def _checked(text: str) -> str:
    try:
        compile_expression(text)
    except ExpressionError as error:
        msg = f"expression {text!r}: {error}"
        raise ValueError(msg) from error
    return text


Sql = Annotated[str, AfterValidator(_checked)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class SegmentFeature(Strict):
    """A number that users are clustered on.

    Attributes:
        name: the feature's name in models, runs and cards.
        expr: row-wise expression over the columns of the profile.
        fill: the value when the expression is null.
        transform: `log1p` for amounts and counts with a long tail (values below zero count as zero).
        scaling: `robust` = (value - median) / spread between the quartiles; `none` keeps the value.
        floor: least spread of `robust`, in units of the transformed value: differences far below it do not tell users apart.
        weight: what the scaled value is multiplied with.
        high: what a segment far above the others is called; null when cards leave the feature out.
        low: likewise far below.
    """

    name: Name
    expr: Sql
    fill: float = 0.0
    transform: Literal["none", "log1p"] = "none"
    scaling: Literal["robust", "none"] = "robust"
    floor: float = Field(default=0.0, ge=0)
    weight: float = Field(default=1.0, gt=0)
    high: Label | None = None
    low: Label | None = None


class SegmentChoice(Strict):
    """A column of names, such as the preferred category; its most frequent values become one feature each.

    The value of such a feature is the share for users with that name and 0 for others. Which names are used is frozen
    when a model is trained.

    Attributes:
        column: a text column of the profile.
        share: column with the weight of the name, 0 to 1; null counts a name as 1.
        top: how many names become features.
        weight: what the share is multiplied with.
        label: what a segment is called that stands out by a name; `{value}` is the name.
    """

    column: Name
    share: Sql | None = None
    top: int = Field(gt=0, le=100)
    weight: float = Field(default=1.0, gt=0)
    label: Label = Label(en="{value}", zh="{value}")


class SegmentSample(Strict):
    """The users that a model is fitted on: a hash sample, drawn from every stratum in the same proportion.

    Attributes:
        users: how many at most, about.
        by: column whose values are the strata; each keeps at least `least` users when it has them.
        least: see `by`.
        partitions: how many partitions the fit uses; more are faster on large samples, and another number may give another model.
    """

    users: int = Field(default=50_000, ge=100)
    by: Name = "lifecycle_stage"
    least: int = Field(default=200, ge=0)
    partitions: int = Field(default=1, ge=1)


class SegmentFit(Strict):
    """KMeans for each number of segments from `smallest_k` to `largest_k`, and how one is chosen.

    Attributes:
        smallest_k: fewest segments tried.
        largest_k: most segments tried.
        seed: the seed of the first start; 0 is a seed.
        starts: how often each number is fitted, with seeds seed, seed + 1, ...; the one with the least cost counts.
        iterations: most iterations of a fit.
        clip: scaled values beyond this are cut off, so that outliers make no segments of their own.
        tolerance: numbers of segments whose silhouette is this close to the best count as equally good; `prefer` decides.
        prefer: `fewer` or `more` segments among those that are equally good.
    """

    smallest_k: int = Field(default=4, ge=2)
    largest_k: int = Field(default=10, ge=2, le=50)
    seed: int
    starts: int = Field(default=2, ge=1, le=20)
    iterations: int = Field(default=30, ge=1, le=500)
    clip: float = Field(default=4.0, gt=0)
    tolerance: float = Field(default=0.0, ge=0, le=1)
    prefer: Literal["fewer", "more"] = "fewer"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.smallest_k > self.largest_k:
            raise ValueError("smallest_k must not be larger than largest_k")
        return self


class SegmentTraining(Strict):
    """When a run trains by itself.

    Attributes:
        when: `never`; `no_champion` when there is no live model; `age` also when the live one is `max_age_days` old.
        max_age_days: days from the as_of of the live model's training.
        on_change: what a run does when this file's features no longer are those of the live model: `refuse` or `retrain`.
    """

    when: Literal["never", "no_champion", "age"] = "no_champion"
    max_age_days: int | None = Field(default=None, gt=0)
    on_change: Literal["refuse", "retrain"] = "refuse"

    @model_validator(mode="after")
    def _age_given(self) -> Self:
        if (self.when == "age") != (self.max_age_days is not None):
            raise ValueError("max_age_days belongs to when: age, and is needed there")
        return self


class SegmentGates(Strict):
    """What a model must reach before it goes live; otherwise the live model stays.

    Attributes:
        silhouette: least mean silhouette, -1 to 1.
        share: least share of users in the smallest segment.
        users: fewest users to train on.
        drop: how much the silhouette may fall below that of the live model; null does not compare.
    """

    silhouette: float = Field(default=0.1, ge=-1, le=1)
    share: float = Field(default=0.005, ge=0, le=0.5)
    users: int = Field(default=100, ge=2)
    drop: float | None = Field(default=None, ge=0, le=2)


class CardTrait(Strict):
    """A name of each user, such as the gender; a card states it when it is more common in a segment than elsewhere.

    Attributes:
        name: the trait's name.
        expr: row-wise expression over the columns of the profile that gives text; users for whom it is null are left out.
        label: how it is said; `{value}` is the value, or its word in `words`.
        lift: least ratio of the share in the segment to the share among all users who have a value.
        share: least share of the segment's users (of those who have a value) with the values stated.
        known: least share of the segment's users who have a value.
        top: most values stated; each must reach `lift`, and `share` / `top`.
        glue: follows the trait before it without a comma: "women 25-34".
    """

    name: Name
    expr: Sql
    label: Label = Label(en="{value}", zh="{value}")
    lift: float = Field(default=1.25, gt=0)
    share: float = Field(default=0.3, gt=0, le=1)
    known: float = Field(default=0.2, ge=0, le=1)
    top: int = Field(default=1, ge=1, le=5)
    glue: bool = False


class CardMeasure(Strict):
    """A number that a card states.

    Attributes:
        name: the measure's name.
        expr: row-wise expression over the columns of the profile; users for whom it is null are left out.
        value: how the mean is said: `{value}`, `{currency}`; null states only a contrast.
        decimals: digits after the point of `{value}`.
        high: how a mean of at least `far` times that of all users is said; `{ratio}` is how many times.
        low: likewise at most 1 / `far` of it; `{percent}` is how many percent of it.
        far: see `high`.
    """

    name: Name
    expr: Sql
    value: Label | None = None
    decimals: int = Field(default=0, ge=0, le=4)
    high: Label | None = None
    low: Label | None = None
    far: float = Field(default=1.5, gt=1)


class SegmentCards(Strict):
    """What persona cards say, in this order: traits, measures.

    Attributes:
        smallest: segments with fewer users get a card without figures or contrasts, so that nobody is revealed.
        traits: see `CardTrait`.
        measures: see `CardMeasure`.
        words: words for values of traits and choices, by value.
        distinct: least standardized contrast with the other users for a feature to name a segment.
        name_parts: most parts of a segment's name, before more are needed to tell two apart.
        plain: name of a segment that nothing sets apart.
    """

    smallest: int = Field(default=20, ge=1)
    traits: tuple[CardTrait, ...] = ()
    measures: tuple[CardMeasure, ...] = ()
    words: dict[str, Label] = Field(default_factory=dict)
    distinct: float = Field(default=0.5, gt=0)
    name_parts: int = Field(default=2, ge=1, le=5)
    plain: Label = Label(en="average users", zh="普通用户")


class SegmentsSpec(Strict):
    """KMeans segments: features, exclusions, fit, gates, training, cards.

    Attributes:
        features: numbers that users are clustered on, in the order of the model's vector.
        choices: columns of names, see `SegmentChoice`; they follow the features in the vector.
        exclude: condition of users who get no segment, such as bots; null counts as no.
        sample, fit, gates, training, cards: see their classes.
    """

    features: tuple[SegmentFeature, ...] = Field(min_length=1)
    choices: tuple[SegmentChoice, ...] = ()
    exclude: Sql | None = None
    sample: SegmentSample = SegmentSample()
    fit: SegmentFit
    gates: SegmentGates = SegmentGates()
    training: SegmentTraining = SegmentTraining()
    cards: SegmentCards = SegmentCards()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        for kind, names in (
            ("feature", [feature.name for feature in self.features]),
            ("choice", [choice.column for choice in self.choices]),
            ("trait", [trait.name for trait in self.cards.traits]),
            ("measure", [measure.name for measure in self.cards.measures]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                msg = f"{kind} {', '.join(twice)} stands twice"
                raise ValueError(msg)
        return self

    def scoring_hash(self) -> str:
        """Hash of what decides a user's place in the feature space; a model made with another one cannot be applied."""
        said = {"high", "low", "label"}
        parts = {
            "features": [feature.model_dump(mode="json", exclude=said) for feature in self.features],
            "choices": [choice.model_dump(mode="json", exclude=said) for choice in self.choices],
            "exclude": self.exclude,
            "clip": self.fit.clip,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        """Every expression with its key in the file; column names count as expressions."""
        if self.exclude is not None:
            yield "exclude", compile_expression(self.exclude)
        yield "sample.by", compile_expression(self.sample.by)
        for feature in self.features:
            yield f"features.{feature.name}.expr", compile_expression(feature.expr)
        for choice in self.choices:
            yield f"choices.{choice.column}.column", compile_expression(choice.column)
            if choice.share is not None:
                yield f"choices.{choice.column}.share", compile_expression(choice.share)
        for trait in self.cards.traits:
            yield f"cards.traits.{trait.name}.expr", compile_expression(trait.expr)
        for measure in self.cards.measures:
            yield f"cards.measures.{measure.name}.expr", compile_expression(measure.expr)
