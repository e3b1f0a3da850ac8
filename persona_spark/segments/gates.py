"""What a model must reach before it goes live."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from persona_spark.config.segments import SegmentGates
    from persona_spark.segments.model import SegmentModel, Trial


def failed_gates(trial: Trial, gates: SegmentGates, live: SegmentModel | None) -> tuple[str, ...]:
    """Every gate that the fit does not pass, in words; empty when it may go live.

    Args:
        trial: the fit chosen.
        gates: what it must reach.
        live: the model that is live now, if any.
    """
    failed = []
    if trial.silhouette < gates.silhouette:
        failed.append(f"silhouette {trial.silhouette:.3f} is below {gates.silhouette:g}")
    if trial.smallest_share < gates.share:
        failed.append(f"the smallest segment has {trial.smallest_share:.2%} of users, less than {gates.share:.2%}")
    if gates.drop is not None and live is not None and live.silhouette is not None:
        floor = live.silhouette - gates.drop
        if trial.silhouette < floor:
            failed.append(
                f"silhouette {trial.silhouette:.3f} is more than {gates.drop:g} below that of the live model ({live.silhouette:.3f})"
            )
    return tuple(failed)
