from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from persona_spark.config.base import load_model
from persona_spark.config.segments import SegmentsSpec

CONF = Path(__file__).parents[2] / "conf" / "segments.yaml"
BASE = {"features": [{"name": "spend", "expr": "paid_amount_365d / 12"}], "fit": {"seed": 0}}


def test_the_given_file_is_right() -> None:
    spec = load_model(SegmentsSpec, CONF)
    assert dict(spec.expressions())["exclude"].columns == ("event_count_lifetime", "tags")


def test_a_seed_is_required_and_zero_is_one() -> None:
    assert SegmentsSpec.model_validate(BASE).fit.seed == 0
    with pytest.raises(ValidationError, match="seed"):
        SegmentsSpec.model_validate({**BASE, "fit": {}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exclude": "rand() > 0.5"}, "rand"),
        ({"features": [{"name": "a", "expr": "sum(x)"}]}, "sum"),
        ({"features": [{"name": "a", "expr": "x"}, {"name": "a", "expr": "y"}]}, "feature a stands twice"),
        ({"fit": {"seed": 1, "smallest_k": 9, "largest_k": 4}}, "smallest_k"),
        ({"training": {"when": "age"}}, "max_age_days"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_mistakes_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SegmentsSpec.model_validate({**BASE, **change})


def test_the_scoring_hash_changes_with_the_space_only() -> None:
    base = SegmentsSpec.model_validate(BASE)
    words = {"features": [{**BASE["features"][0], "high": {"en": "rich", "zh": "富"}}], "gates": {"share": 0.2}}  # type: ignore[index]
    assert SegmentsSpec.model_validate({**BASE, **words}).scoring_hash() == base.scoring_hash()
    for change in ({"exclude": "spend = 0"}, {"fit": {"seed": 0, "clip": 3}}, {"features": [{"name": "spend", "expr": "paid_amount_90d"}]}):
        assert SegmentsSpec.model_validate({**BASE, **change}).scoring_hash() != base.scoring_hash()
