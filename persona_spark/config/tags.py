"""`tags.yaml`: tags defined in numbers, each with the action that it serves."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field, field_validator

from persona_spark.config.base import Label, Strict
from persona_spark.config.expression import Expression, compile_expression
from persona_spark.config.scores import checked


class TagSpec(Strict):
    """One tag.

    Attributes:
        kind: attribute (who somebody is), behaviour (what he does) or interest (what he likes).
        when: condition over the profile's columns and scores; null means that the tag does not hold.
        label: what people read.
        action: what the tag is for.
        owner: who answers for it.
        review_by: the day by which somebody looks at it again.
    """

    kind: Literal["attribute", "behaviour", "interest"]
    when: str
    label: Label
    action: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    review_by: date

    @field_validator("when")
    @classmethod
    def _valid(cls, when: str) -> str:
        checked(when)
        return when

    @property
    def condition(self) -> Expression:
        """The compiled condition."""
        return compile_expression(self.when)


class TagsSpec(Strict):
    """All tags by name."""

    tags: dict[str, TagSpec] = Field(min_length=1)

    @field_validator("tags")
    @classmethod
    def _names(cls, tags: dict[str, TagSpec]) -> dict[str, TagSpec]:
        wrong = [name for name in tags if not name.isidentifier() or not name.islower()]
        if wrong:
            raise ValueError(f"tag names must be lower_case words: {', '.join(wrong)}")
        return tags
