"""The numbers of the planted personas as a table to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from persona_spark.simulate.catalogue import NAMES
from persona_spark.simulate.personas import EVERYTHING, PERSONAS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from persona_spark.simulate.personas import Persona

_TITLES = (
    "persona", "share", "orders a year", "visits a month", "items an order", "night", "waits for promotions", "discount %", "passion",
    "taste", "women", "ages",
)  # fmt: skip


def persona_table() -> str:
    """Every persona in a Markdown table; the ranges are those that a person's own value comes from."""
    return "\n".join(_line(cells) for cells in (_TITLES, ["---"] * len(_TITLES), *map(_cells, PERSONAS)))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(persona: Persona) -> list[str]:
    return [
        f"`{persona.name}`",
        f"{persona.weight:g} %",
        _range(persona.orders) if persona.orders_fixed is None else f"{persona.orders_fixed} ever",
        _range(persona.visits),
        _range(persona.lines),
        _range(persona.night),
        _range(persona.promotion),
        _range(persona.discount),
        f"{_range(persona.passion)} {_favourites(persona)}".strip(),
        _range(persona.taste),
        f"{persona.women:g}",
        _range(persona.ages),
    ]


def _range(numbers: tuple[float, ...]) -> str:
    return "-".join(f"{number:g}" for number in numbers)


def _favourites(persona: Persona) -> str:
    if persona.favourites == EVERYTHING:
        return ""
    return " or ".join(name for name, weight in zip(NAMES, persona.favourites, strict=True) if weight)
