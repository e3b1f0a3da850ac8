from __future__ import annotations

from datetime import date

import pytest

from persona_spark.config.base import Label
from persona_spark.config.segments import SegmentGates, SegmentSample, SegmentsSpec
from persona_spark.segments.facts import Contrast, MeasureMean, SegmentFacts, TraitValue
from persona_spark.segments.fit import Fit, choose, sample_limits
from persona_spark.segments.gates import failed_gates
from persona_spark.segments.model import FrozenFeature, Segment, SegmentModel, Trial
from persona_spark.segments.scaling import robust_scale
from persona_spark.segments.stable import stable_ids
from persona_spark.segments.words import describe, merge_ranges, segment_names

DAY = date(2024, 1, 1)
SPEC = SegmentsSpec.model_validate(
    {
        "features": [
            {"name": "night", "expr": "night_share", "high": {"en": "night shoppers", "zh": "夜间"}},
            {"name": "orders", "expr": "orders", "high": {"en": "frequent", "zh": "高频"}, "low": {"en": "rare", "zh": "低频"}},
        ],
        "choices": [{"column": "category", "top": 3}],
        "fit": {"seed": 0},
        "cards": {
            "traits": [
                {"name": "gender", "expr": "gender", "lift": 1.2, "share": 0.6},
                {"name": "age", "expr": "age_band", "lift": 1.2, "share": 0.5, "top": 2, "glue": True},
            ],
            "measures": [
                {"name": "spend", "expr": "paid", "value": {"en": "{value} {currency} a month", "zh": "月均 {value} {currency}"}},
                {
                    "name": "promotion",
                    "expr": "promotion",
                    "high": {"en": "{ratio}x promotion", "zh": "{ratio} 倍"},
                    "low": {"en": "{percent}% promotion", "zh": "{percent}%"},
                    "far": 2,
                },
            ],
            "words": {"f": {"en": "women", "zh": "女性"}, "baby_care": {"en": "baby care", "zh": "母婴"}},
        },
    }
)


def facts(number: int, contrasts: dict[str, float], users: int = 100) -> SegmentFacts:
    return SegmentFacts(number, users, 0.5, tuple(Contrast(name, 0.0, 0.0, value) for name, value in contrasts.items()))


def test_names_follow_the_largest_contrasts_and_are_distinct() -> None:
    names = segment_names(
        [
            facts(1, {"night": 2.0, "orders": 1.0, "category=baby_care": 0.9}),
            facts(2, {"night": 2.0, "orders": 1.0}),
            facts(3, {"orders": -0.8}),
            facts(4, {"night": -3.0}),
            facts(5, {"category=baby_care": -2.0}),
            facts(6, {"night": 9.0}, users=19),
        ],
        SPEC,
    )
    assert [name.en for name in names] == [
        "night shoppers, frequent, baby care",
        "night shoppers, frequent",
        "rare",
        "average users (4)",
        "average users (5)",
        "small segment 6",
    ]
    assert names[0].zh == "夜间，高频，母婴"


def test_names_that_come_out_the_same_grow_by_lesser_contrasts() -> None:
    names = segment_names(
        [facts(1, {"night": 2.0, "orders": 0.3}), facts(2, {"night": 2.0, "orders": -0.2}), facts(3, {"orders": 0.4})], SPEC
    )
    assert [name.en for name in names] == ["night shoppers, frequent", "night shoppers", "average users"]


def test_a_description_says_what_is_common_and_what_is_far() -> None:
    traits = (TraitValue("gender", "f", 0.8, 0.5), TraitValue("age", "25-34", 0.4, 0.2), TraitValue("age", "35-44", 0.3, 0.2))
    measures = (MeasureMean("spend", 1640.4, 500.0), MeasureMean("promotion", 0.6, 0.2))
    told = describe(SegmentFacts(1, 100, 0.1, (), traits, measures), SPEC, "CNY")
    assert told == Label(en="women 25-44, 1,640 CNY a month, 3x promotion", zh="女性25-44，月均 1,640 CNY，3 倍")


def test_what_is_common_everywhere_is_not_said() -> None:
    told = describe(
        SegmentFacts(1, 100, 0.1, (), (TraitValue("gender", "f", 0.8, 0.75),), (MeasureMean("promotion", 0.1, 0.2),)), SPEC, "CNY"
    )
    assert told.en == "50% promotion"
    assert describe(SegmentFacts(1, 100, 0.1), SPEC, "CNY").en == "average users"


def test_small_segments_are_not_described() -> None:
    told = describe(SegmentFacts(1, 19, 0.1, (), (TraitValue("gender", "f", 1.0, 0.5),)), SPEC, "CNY")
    assert told.en == "fewer than 20 users: not described, so that nobody is revealed"


def test_ranges_that_follow_each_other_become_one() -> None:
    assert merge_ranges(["35-44", "25-34"]) == ["25-44"]
    assert merge_ranges(["45-54", "25-34"]) == ["25-34", "45-54"]
    assert merge_ranges(["toys", "baby"]) == ["toys", "baby"]


def fit_of(k: int, silhouette: float, smallest: float) -> Fit:
    return Fit(Trial(k, 0, 1.0, silhouette, smallest, (1,)), ((0.0,),), (1,))


def test_choice_takes_the_best_silhouette_among_those_with_large_segments() -> None:
    fits = [fit_of(4, 0.50, 0.2), fit_of(5, 0.49, 0.1), fit_of(6, 0.9, 0.001)]
    spec = SPEC.fit
    chosen, reason = choose(fits, spec, SegmentGates(share=0.01))
    assert (chosen.trial.k, "2 of the 3" in reason, "best of these" in reason) == (4, True, True)
    more = spec.model_copy(update={"tolerance": 0.02, "prefer": "more"})
    chosen, reason = choose(fits, more, SegmentGates(share=0.01))
    assert (chosen.trial.k, "more segments are preferred" in reason) == (5, True)
    assert choose(fits, spec, SegmentGates(share=0.4))[0].trial.k == 6


def model_of(centres: list[tuple[float, ...]], features: tuple[FrozenFeature, ...]) -> SegmentModel:
    segments = tuple(Segment(number, "", 1, centre) for number, centre in enumerate(centres, start=1))
    return SegmentModel("v", "champion", DAY, "", DAY, 1, "h", 0, len(centres), 0.5, 10, 10, None, 4.0, features, segments, ())


def feature(name: str, centre: float = 0.0, scale: float = 1.0, weight: float = 1.0) -> FrozenFeature:
    return FrozenFeature(name, name, "none", 0.0, centre, scale, weight)


def test_gates_name_everything_that_failed() -> None:
    live = model_of([(0.0,)], (feature("a"),))
    gates = SegmentGates(silhouette=0.3, share=0.05, drop=0.1)
    failed = failed_gates(Trial(4, 0, 1.0, 0.2, 0.01, (1,)), gates, live)
    assert [text.split()[0] for text in failed] == ["silhouette", "the", "silhouette"]
    assert failed_gates(Trial(4, 0, 1.0, 0.4, 0.05, (1,)), gates, live) == ()


def test_ids_follow_their_centres_through_another_scaling() -> None:
    before = model_of([(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)], (feature("a"), feature("b")))
    now = (feature("b", centre=1.0, scale=2.0), feature("a", weight=2.0))
    moved = [(1.6, 0.0), (-0.5, 8.2), (-0.5, 0.1)]
    assert stable_ids(moved, [5, 5, 5], now, before, 4) == (3, 2, 1)


def test_a_centre_far_from_all_old_ones_takes_a_new_id() -> None:
    before = model_of([(0.0, 0.0), (4.0, 0.0)], (feature("a"), feature("b")))
    centres = [(30.0, 30.0), (0.1, 0.0), (31.0, 31.0)]
    assert stable_ids(centres, [1, 5, 9], before.features, before, 7) == (8, 1, 7)
    assert stable_ids(centres, [1, 5, 9], before.features, None, 1) == (3, 2, 1)
    assert stable_ids(centres, [1, 5, 9], (feature("x"), feature("y")), before, 3) == (5, 4, 3)


@pytest.mark.parametrize(
    ("quantiles", "expected"),
    [
        ((0, 1, 2, 3, 4.698, 6, 7), (3, 2.0)),
        ((0, 0, 0, 0, 0, 3.29, 7), (0, 1.0)),
        ((0, 0, 0, 0, 0, 0, 4.653), (0, 1.0)),
        ((5, 5, 5, 5, 5, 5, 5), (5, 1.0)),
    ],
)
def test_the_scale_falls_back_to_wider_quantiles(quantiles: tuple[float, ...], expected: tuple[float, float]) -> None:
    assert robust_scale(quantiles) == pytest.approx(expected)


def test_every_stratum_keeps_its_least() -> None:
    limits = sample_limits({"active": 998_990, "new": 1_000, None: 10}, SegmentSample(users=10_000, least=100))
    assert limits == {"active": 10_000, "new": 100_000, None: 1_000_000}
