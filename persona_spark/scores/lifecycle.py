"""The stage of a user's life with the shop: the first rule that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

    from persona_spark.config.scores import ScoresSpec


def lifecycle_stage(spec: ScoresSpec) -> Column:
    """Name of the first stage whose condition is true; a condition that is null does not hold."""
    chosen: Column | None = None
    for stage in spec.lifecycle:
        name = F.lit(stage.name)
        if stage.condition is None:
            return name if chosen is None else chosen.otherwise(name)
        holds = F.expr(stage.condition.sql)
        chosen = F.when(holds, name) if chosen is None else chosen.when(holds, name)
    raise AssertionError("ScoresSpec ends with a stage that has no condition")
