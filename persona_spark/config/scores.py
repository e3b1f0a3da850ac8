"""`scores.yaml`: RFM quintiles with named segments, and lifecycle stages by rules."""

from __future__ import annotations

from itertools import product
from typing import Self

from pydantic import Field, field_validator, model_validator

from persona_spark.config.base import Label, Strict
from persona_spark.config.expression import Expression, ExpressionError, compile_expression
from persona_spark.time import Window

Scores = tuple[int, ...]
ALL: Scores = (1, 2, 3, 4, 5)
_SHOWN = 5


class RfmSegment(Strict):
    """A named region of the 125 RFM cells; the first region that holds a user's cell names the user."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: Label
    r: Scores = ALL
    f: Scores = ALL
    m: Scores = ALL
    action: str

    @field_validator("r", "f", "m")
    @classmethod
    def _scores(cls, scores: Scores) -> Scores:
        if not scores or not set(scores) <= set(ALL) or len(set(scores)) != len(scores):
            raise ValueError("must be a list of different scores from 1 to 5")
        return scores

    @property
    def cells(self) -> set[tuple[int, int, int]]:
        """The cells (R, F, M) of the region."""
        return set(product(self.r, self.f, self.m))


class RfmSpec(Strict):
    """Which window RFM looks at, and the scheme of named segments.

    Attributes:
        window: a window of features.yaml; users with a paid order in it are scored.
        segments: regions in order of precedence; together they must hold all 125 cells.
        no_purchase: name of users without a paid order in the window.
    """

    window: str = "365d"
    segments: tuple[RfmSegment, ...] = Field(min_length=1)
    no_purchase: str = "no_purchase"

    @field_validator("window")
    @classmethod
    def _window(cls, text: str) -> str:
        try:
            return Window.parse(text).label
        except Exception as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _scheme(self) -> Self:
        problems: list[str] = []
        left = set(product(ALL, ALL, ALL))
        names = [segment.name for segment in self.segments] + [self.no_purchase]
        problems += [f"segment {name} stands twice" for name in sorted({name for name in names if names.count(name) > 1})]
        for segment in self.segments:
            if not segment.cells & left:
                problems.append(f"segment {segment.name} is never reached: earlier segments hold all its cells")
            left -= segment.cells
        if left:
            cells = ", ".join("".join(map(str, cell)) for cell in sorted(left)[:_SHOWN])
            problems.append(f"{len(left)} RFM cells belong to no segment, for example {cells}: add a last segment without r, f, m")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Profile columns that RFM reads, by role."""
        return {
            "recency": "days_since_last_order",
            "frequency": f"order_count_{self.window}",
            "monetary": f"net_amount_{self.window}",
            "gross": f"paid_amount_{self.window}",
        }


class LifecycleStage(Strict):
    """A stage and its condition; a stage without one takes whoever is left and must stand last."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: Label
    when: str | None = None
    action: str

    @field_validator("when")
    @classmethod
    def _valid(cls, when: str | None) -> str | None:
        if when is not None:
            checked(when)
        return when

    @property
    def condition(self) -> Expression | None:
        """The compiled condition."""
        return None if self.when is None else compile_expression(self.when)


class ScoresSpec(Strict):
    """RFM and lifecycle."""

    rfm: RfmSpec
    lifecycle: tuple[LifecycleStage, ...] = Field(min_length=1)

    @field_validator("lifecycle")
    @classmethod
    def _ends_with_default(cls, stages: tuple[LifecycleStage, ...]) -> tuple[LifecycleStage, ...]:
        open_ended = [stage.name for stage in stages if stage.when is None]
        if stages[-1].when is not None or len(open_ended) != 1:
            raise ValueError("exactly one stage, the last, must have no `when`: it takes whoever is left")
        names = [stage.name for stage in stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"stages stand twice: {', '.join(twice)}")
        return stages


def checked(text: str) -> Expression:
    """The compiled expression, its problems as a ValueError that pydantic reports.

    Raises:
        ValueError: when it cannot be used.
    """
    try:
        return compile_expression(text)
    except ExpressionError as error:
        raise ValueError(f"{text!r}: {error}") from error
