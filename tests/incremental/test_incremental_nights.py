"""Random histories: after every night the features equal those computed anew from all events, whatever happened before."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from datetime import date, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from nights import START, ZONE, KilledError, Shop, killed_after
from reduced_spec import reduced, without_one
from settings import settings_of

from persona_spark.config.base import load_model
from persona_spark.config.defaults import default_conf_dir
from persona_spark.config.features import FeaturesSpec
from persona_spark.config.tile_tables import user_features_table
from persona_spark.features import plan
from persona_spark.features.compute import compute_features
from persona_spark.identity.identify import identify
from persona_spark.lake.memory import MemoryLake
from persona_spark.lake.tables import Lake
from persona_spark.schema import ACCOUNTS, EVENTS, INGEST, RETRACTIONS
from persona_spark.tiles.tile import tile
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from persona_spark.config.load import Conf

EXAMPLES = int(os.environ.get("PERSONA_FUZZ_EXAMPLES", "0"))
RAW = (EVENTS, RETRACTIONS, ACCOUNTS, INGEST)
MOVES = {"next": 1, "gap": 6, "month": 30, "same": 0, "back": -4, "far back": -35}


@dataclass(frozen=True)
class Night:
    """One night.

    Attributes:
        move: which day is made, seen from the latest that was.
        correct: whether events are taken back and replaced.
        redefine: whether the definitions change.
        kill: writes after which the first try is killed; None when it is not.
        again: whether the killed night is run again, and not only the next.
        partitions: shuffle partitions.
    """

    move: str = "next"
    correct: bool = False
    redefine: bool = False
    kill: int | None = None
    again: bool = True
    partitions: int = 2


NIGHTS = st.builds(
    Night,
    move=st.sampled_from(sorted(MOVES)),
    correct=st.booleans(),
    redefine=st.sampled_from([False, False, False, True]),
    kill=st.none() | st.integers(0, 14),
    again=st.booleans(),
    partitions=st.integers(1, 5),
)
USUAL = (
    Night("next", kill=9, correct=True, partitions=3),
    Night("back", correct=True),
    Night("gap", kill=7, again=False, correct=True),
    Night("same", correct=True, partitions=4),
    Night("next", redefine=True, partitions=1),
    Night("month"),
)


def conf_of(spec: FeaturesSpec) -> Conf:
    return cast("Conf", SimpleNamespace(features=spec, main=SimpleNamespace(lake=SimpleNamespace(zone=ZONE, currency="USD"))))


def whole_spec() -> FeaturesSpec:
    return load_model(FeaturesSpec, default_conf_dir() / "features.yaml")


def redefined(spec: FeaturesSpec) -> FeaturesSpec:
    """Without one measure, and back again."""
    full = reduced(whole_spec())
    return full if spec != full else without_one(full)


def run(lake: Lake, conf: Conf, as_of: AsOf) -> Mapping[str, Any]:
    tile(lake, conf, as_of)
    identify(lake, conf, as_of)
    return compute_features(lake, conf, as_of).notes


def rows(lake: Lake, spec: FeaturesSpec, day: date) -> dict[str, dict[str, Any]]:
    table = user_features_table(spec)
    found = lake.read(table).where(f"as_of = DATE'{day}'").select(*table.names).collect()
    users = {row.user_id: row.asDict(recursive=True) for row in found}
    assert len(users) == len(found)
    return users


def check_equals_anew(lake: Lake, conf: Conf, as_of: AsOf) -> None:
    """All columns of all users, against the same stages on the bare events."""
    found = rows(lake, conf.features, as_of.date)
    fresh = MemoryLake(lake, RAW)
    assert "all_users" in run(fresh, conf, as_of)
    wanted = rows(fresh, conf.features, as_of.date)
    assert found.keys() == wanted.keys()
    wrong = {
        (user, name): (found[user][name], value)
        for user, row in wanted.items()
        for name, value in row.items()
        if found[user][name] != value
    }
    assert wrong == {}


def play(lake: Lake, seed: int, script: tuple[Night, ...], spec: FeaturesSpec) -> int:
    """Every night of the script, each held against what is computed anew; the nights that were killed."""
    with pytest.MonkeyPatch.context() as patch:
        # However many changed, the others are carried over: that is what is tested here.
        patch.setattr(plan, "LARGEST_SHARE", 1.0)
        return play_all(lake, seed, script, spec)


def play_all(lake: Lake, seed: int, script: tuple[Night, ...], spec: FeaturesSpec) -> int:
    shop = Shop(lake, random.Random(seed))
    shop.open(START)
    latest, kills = START, 0
    run(lake, conf_of(spec), AsOf(START, shop.seq))
    for night in script:
        day = latest + timedelta(days=MOVES[night.move])
        latest = max(latest, day)
        shop.night(day)
        if night.correct:
            shop.correct(day)
        spec = redefined(spec) if night.redefine else spec
        as_of, conf = AsOf(day, shop.seq), conf_of(spec)
        with settings_of(lake.spark, {"spark.sql.shuffle.partitions": str(night.partitions)}):
            killed = night.kill is not None and is_killed(lake, conf, as_of, night.kill)
            kills += killed
            if killed and not night.again:
                continue
            notes = run(lake, conf, as_of)
        assert night.redefine or killed or "base" in notes or "held_up_to" in notes, notes
        check_equals_anew(lake, conf, as_of)
    return kills


def is_killed(lake: Lake, conf: Conf, as_of: AsOf, writes: int) -> bool:
    try:
        run(killed_after(lake, writes), conf, as_of)
    except KilledError:
        return True
    return False


@settings(
    max_examples=EXAMPLES or 1,
    phases=[Phase.explicit, Phase.generate] if EXAMPLES else [Phase.explicit],
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32), script=st.lists(NIGHTS, min_size=3, max_size=7).map(tuple))
@example(seed=1, script=USUAL)
def test_features_after_every_night_equal_those_computed_anew(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, seed: int, script: tuple[Night, ...]
) -> None:
    kills = play(MemoryLake(Lake(spark, path=tmp_path_factory.mktemp("nights"))), seed, script, reduced(whole_spec()))
    assert script != USUAL or kills == len([night for night in USUAL if night.kill is not None])


def test_a_night_with_all_definitions_equals_what_is_computed_anew(memory: MemoryLake) -> None:
    play(memory, 2, (Night("next", correct=True, partitions=3),), whole_spec())
