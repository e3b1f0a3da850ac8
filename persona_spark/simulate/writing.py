"""Words, stars and kinds of content of steps."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.simulate.catalogue import CATALOGUE
from persona_spark.simulate.draws import SLOTS, literals, slots
from persona_spark.simulate.kinds import NUMBER
from persona_spark.simulate.words import COMMENTS, CONTENT_TYPES, CONTENT_WEIGHTS, ENGLISH_SHARE, RATINGS, REVIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column

    from persona_spark.simulate.draws import Draws


def content_type(draws: Draws) -> Column:
    """Kind of the content viewed."""
    place = F.floor(_drawn("content type", draws) * F.lit(SLOTS)).cast("int")
    return F.get(literals([CONTENT_TYPES[entry] for entry in slots(CONTENT_WEIGHTS)]), place)


def rating(draws: Draws) -> Column:
    """One to five stars."""
    place = F.floor(_drawn("rating", draws) * F.lit(SLOTS)).cast("int")
    return F.get(literals([entry + 1 for entry in slots(RATINGS)]), place)


def text(draws: Draws) -> Column:
    """What a search, a comment or a review says, in the person's language; null for other steps."""
    english = draws.uniform("language", F.col("person")) < ENGLISH_SHARE
    searched = F.get(
        F.when(english, literals([category.words[0] for category in CATALOGUE])).otherwise(
            literals([category.words[1] for category in CATALOGUE])
        ),
        F.col("category"),
    )
    commented = F.when(english, _one_of(COMMENTS["en"], draws)).otherwise(_one_of(COMMENTS["zh"], draws))
    reviewed = F.when(english, _review("en", draws)).otherwise(_review("zh", draws))
    kind = F.col("kind")
    return (
        F.when(kind == NUMBER["searches"], searched)
        .when(kind == NUMBER["comments"], commented)
        .when(kind == NUMBER["reviews"], reviewed)
    )  # fmt: skip


def _review(language: str, draws: Draws) -> Column:
    stars = rating(draws)
    none = F.lit(None).cast("string")
    return reduce(lambda said, part: F.when(stars == part[0], _one_of(part[1], draws)).otherwise(said), REVIEWS[language].items(), none)


def _one_of(words: Sequence[str], draws: Draws) -> Column:
    return F.get(literals(words), F.floor(_drawn("words", draws) * F.lit(len(words))).cast("int"))


def _drawn(purpose: str, draws: Draws) -> Column:
    return draws.uniform(purpose, F.col("person"), F.col("session"), F.col("step"))
