"""What a stage tells about its work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class StageResult:
    """Outcome of a stage, for the run log and for people.

    Attributes:
        rows_in: rows read.
        rows_out: rows written.
        notes: further figures worth showing, by name.
        skipped: whether there was nothing to do.
    """

    rows_in: int
    rows_out: int
    notes: Mapping[str, object] = field(default_factory=dict)
    skipped: bool = False
