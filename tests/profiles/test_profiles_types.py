"""An attribute whose type is changed is found before a run or a plan does any work."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, cast

import pytest
from feature_history import conf_of, load_spec

from persona_spark import pipeline
from persona_spark.config.tile_tables import user_features_table
from persona_spark.errors import LakeError
from persona_spark.profiles.tables import check_types, user_profile_history_table
from persona_spark.run_plan import plan_run

if TYPE_CHECKING:
    from persona_spark.lake.tables import Lake
    from persona_spark.run_log import RunLog


def test_a_changed_type_of_an_attribute_is_named_with_its_table(lake: Lake) -> None:
    old, spec, day = load_spec(), load_spec(), date(2024, 1, 1)
    attributes = dict(spec.attributes)
    attributes["birth_year"] = attributes["birth_year"].model_copy(update={"type": "string"})
    conf = conf_of(spec.model_copy(update={"attributes": attributes}))
    lake.create(user_profile_history_table(conf_of(old)))
    told = "column birth_year is stored as int, the definitions say string"
    with pytest.raises(LakeError, match=f"table user_profile_history: {told}"):
        check_types(lake, conf)
    lake.create(user_features_table(old))
    log = cast("RunLog", None)
    plan, run = (lambda: plan_run(lake, conf, day)), (lambda: pipeline.run(lake, conf, day, log))
    for work in (plan, run, lambda: pipeline.run_stage("features", lake, conf, day, log)):
        with pytest.raises(LakeError, match=f"table user_features: {told}"):
            work()
    check_types(lake, conf_of(old))
