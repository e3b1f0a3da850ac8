# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tune segments
#
# Fits the segments of `conf/segments.yaml` on the serving release without touching the live model, shows the evidence for the number of
# segments and the persona cards, and answers two questions before anything goes live: do the segments stay the same with another
# seed, and what would one more segment part?
#
# `PERSONA_LAKE` names the lake, `PERSONA_CONF` the main configuration file; without them, those of `make demo`.

# %%
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
from pyspark.sql import functions as F

from persona_spark.config.load import load_conf
from persona_spark.config.segments import SegmentsSpec
from persona_spark.lake.session import build_session
from persona_spark.profiles import Profiles
from persona_spark.segments.assign import assigned
from persona_spark.segments.cards import make_cards, with_names
from persona_spark.segments.gates import failed_gates
from persona_spark.segments.model import SegmentModel
from persona_spark.segments.picture import training_picture
from persona_spark.segments.space import covered
from persona_spark.segments.stable import stable_ids
from persona_spark.segments.train import draft
from persona_spark.time import AsOf

LAKE = os.environ.get("PERSONA_LAKE", "lake/demo")
conf = load_conf(os.environ.get("PERSONA_CONF", "conf/demo.yaml"))
spec = conf.segments
spark = build_session("tune segments")
profiles = Profiles(spark, LAKE).latest()
users = covered(profiles, spec.exclude).cache()
day = profiles.agg(F.max("as_of")).first()[0]
print(f"{users.count():,} users get a segment, {profiles.count() - users.count():,} do not: {spec.exclude}")

# %% [markdown]
# ## Fit
#
# Nothing is written. The features are scaled by the median and the spread of the sample; the most frequent names of a choice become a
# feature each.

# %%
model = draft(users, conf, AsOf(day, 0))
if not model.k:
    raise SystemExit(model.reason)
print(model.reason)
chosen = next(trial for trial in model.trials if trial.k == model.k)
print("gates:", "; ".join(failed_gates(chosen, spec.gates, None)) or "all passed")
pd.DataFrame(model.features)[["name", "transform", "centre", "scale", "weight"]]

# %%
pd.DataFrame(model.trials)

# %% [markdown]
# ## What the segments are
#
# The same picture goes to MLflow with every training.

# %%
cards = make_cards(users, model, spec, conf.main.lake.currency)
model = with_names(model, cards)
picture = training_picture(model, cards)
for card in cards:
    print(
        f"{card.facts.segment_id:>3}  {card.facts.users:>7,} users  {card.name.en}\n     {card.description.en}\n     {card.description.zh}"
    )
picture

# %% [markdown]
# ## Do they stay the same with another seed?
#
# Segments that come and go with the seed are made by chance. Segments of both models are paired by their centres, as retraining does;
# the share of users who stay in theirs is the answer.


# %%
def retrained(**fit: int) -> SegmentModel:
    """A draft with other settings of the fit, its segments numbered after those of `model`."""
    settings = {**spec.model_dump(), "fit": {**spec.fit.model_dump(), **fit}}
    other = replace(conf, segments=SegmentsSpec.model_validate(settings))
    fresh = draft(users, other, AsOf(day, 0))
    centres, sizes = [part.centroid for part in fresh.segments], [part.users for part in fresh.segments]
    ids = stable_ids(centres, sizes, fresh.features, model, 1 + model.k)
    return replace(fresh, segments=tuple(replace(part, segment_id=number) for part, number in zip(fresh.segments, ids, strict=True)))


def crossed(fresh: SegmentModel) -> pd.DataFrame:
    """Users by segment of `model` and of `fresh`."""
    before = assigned(users, model).select("user_id", F.col("segment_id").alias("before"))
    now = assigned(users, fresh).select("user_id", F.col("segment_id").alias("now"))
    counts = before.join(now, "user_id", "inner").groupBy("before", "now").count().toPandas()
    return counts.pivot_table(index="before", columns="now", values="count", fill_value=0)


other_seed = crossed(retrained(seed=spec.fit.seed + 1_000, smallest_k=model.k, largest_k=model.k))
same = sum(other_seed.loc[number, number] for number in other_seed.index if number in other_seed.columns)
stability = same / other_seed.to_numpy().sum()
print(f"{stability:.1%} of users stay in their segment with another seed")
other_seed

# %% [markdown]
# ## How many segments are useful?
#
# One more segment is worth it when it parts users whom a campaign treats differently, not when it cuts a crowd in two. The table shows
# where users of each segment go when there is one more.

# %%
figure, axes = plt.subplots(figsize=(8, 3.2))
axes.bar([trial.k for trial in model.trials], [trial.silhouette for trial in model.trials], color="#2f6db2")
axes.set(title="Silhouette by number of segments", xlabel="segments")
crossed(retrained(smallest_k=model.k + 1, largest_k=model.k + 1))

# %% [markdown]
# ## Go live
#
# Put what you found into `conf/segments.yaml`, then `persona check` and `persona segments train`. A model that fails a gate leaves the
# live one as it is; one that passes keeps the numbers of the segments that it continues.

# %%
users.unpersist()
