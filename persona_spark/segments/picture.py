"""One picture of a training: evidence for the number of segments, their sizes, and what sets them apart."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from persona_spark.segments.cards import Card
    from persona_spark.segments.model import SegmentModel

_BLUE, _ORANGE, _GREY = "#2f6db2", "#d9822b", "#8a8f98"
_LIMIT = 2.5
_NAME = 44
_PAPER = 0.55


def training_picture(model: SegmentModel, cards: Sequence[Card]) -> Figure:
    """The figure; the caller saves it. It shows means of segments only, never a user."""
    rows, columns = len(cards), len(model.features)
    figure = Figure(figsize=(max(11.0, 6.0 + 0.42 * columns), 5.0 + 0.42 * rows), layout="constrained")
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=[3.4, 1.6 + 0.42 * rows])
    left, right = parts[0, 0].subplots(1, 2, width_ratios=[1, 1.3])
    _draw_trials(left, model)
    _draw_sizes(right, cards)
    _draw_contrasts(parts[1, 0].subplots(), model, cards)
    figure.suptitle(f"Segments {model.model_version}: k={model.k}, silhouette {model.silhouette or 0:.3f}, {model.status}", fontsize=13)
    return figure


def _draw_trials(axes: Axes, model: SegmentModel) -> None:
    ks = [trial.k for trial in model.trials]
    axes.plot(ks, [trial.silhouette for trial in model.trials], color=_BLUE, marker="o", label="silhouette")
    axes.plot(
        ks, [trial.smallest_share for trial in model.trials], color=_GREY, marker=".", linestyle="--", label="smallest segment's share"
    )
    axes.axvline(model.k, color=_ORANGE, linewidth=1.5, label="chosen")
    axes.set(title="Number of segments", xlabel="k", xticks=ks)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_sizes(axes: Axes, cards: Sequence[Card]) -> None:
    places = range(len(cards))
    bars = axes.barh(places, [card.facts.users for card in cards], color=_BLUE, height=0.7)
    axes.bar_label(bars, [f" {card.facts.users:,} ({card.facts.share:.0%})" for card in cards], fontsize=8)
    axes.set_yticks(places, [str(card.facts.segment_id) for card in cards])
    axes.margins(x=0.25)
    axes.set(title="Users", ylabel="segment", xticks=[])
    axes.invert_yaxis()
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_contrasts(axes: Axes, model: SegmentModel, cards: Sequence[Card]) -> None:
    names = [feature.name.partition("=")[2] or feature.name.replace("_", " ") for feature in model.features]
    found = [{contrast.name: contrast.contrast for contrast in card.facts.contrasts} for card in cards]
    values = [[each.get(feature.name, 0.0) for feature in model.features] for each in found]
    image = axes.imshow(values, cmap="RdBu_r", norm=TwoSlopeNorm(0.0, -_LIMIT, _LIMIT), aspect="auto")
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            colour = "white" if abs(value) > _PAPER * _LIMIT else "black"
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    labels = [f"{card.facts.segment_id}  {shorten(card.name.en, _NAME, placeholder='...')}" for card in cards]
    axes.set_yticks(range(len(cards)), labels, fontsize=8)
    axes.set_title("What sets segments apart (standard deviations from the mean of all users)")
    axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.01)
