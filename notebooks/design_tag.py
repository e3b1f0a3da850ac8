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
# # Design a tag, and see whom it hits
#
# Write a condition over the profile's columns, look at whom it hits before anybody is tagged, then put it into `conf/tags.yaml`.
# The condition goes through the same check as the configuration does: unknown columns and forbidden functions are found here.
#
# `PERSONA_LAKE` names the lake; without it, the lake that `make demo` makes. `PERSONA_CONDITION` sets another condition.

# %%
import os
from itertools import accumulate
from operator import and_

import matplotlib.pyplot as plt
import pandas as pd
from pyspark.sql import functions as F
from sqlglot import exp

from persona_spark.config.expression import compile_expression
from persona_spark.lake.session import build_session
from persona_spark.profiles import Profiles

LAKE = os.environ.get("PERSONA_LAKE", "lake/demo")
CONDITION = os.environ.get("PERSONA_CONDITION", "order_count_90d >= 3 and promotion_share_90d > 0.3")
spark = build_session("design a tag")
profiles = Profiles(spark, LAKE).latest()

# %% [markdown]
# ## The condition

# %%
condition = compile_expression(CONDITION)
if unknown := condition.unknown(profiles.columns):
    raise SystemExit("\n".join(unknown))
print("written:  ", CONDITION)
print("evaluated:", condition.sql)
hit = F.coalesce(F.expr(condition.sql), F.expr("false"))
marked = profiles.withColumn("hit", hit)

# %% [markdown]
# ## How many, and what are they worth

# %%
sizes = (
    marked.groupBy("hit")
    .agg(
        F.count("*").alias("users"),
        F.sum("paid_amount_365d").cast("double").alias("paid in 365 days"),
        F.avg("order_count_365d").alias("orders each"),
        F.avg("days_since_last_order").alias("days since last order"),
    )
    .orderBy("hit")
    .toPandas()
    .set_index("hit")
)
sizes["share of users"] = sizes["users"] / sizes["users"].sum()
sizes["share of paid"] = sizes["paid in 365 days"] / (sizes["paid in 365 days"].sum() or 1)
sizes.round(3)

# %% [markdown]
# ## How each part of the condition narrows it
#
# The parts that are joined by AND, one after the other: users who meet the part alone, and all parts so far.

# %%
parts = [part.sql(dialect="spark") for part in condition.tree.flatten()] if isinstance(condition.tree, exp.And) else [CONDITION]
alone = [F.coalesce(F.expr(compile_expression(part).sql), F.expr("false")) for part in parts]
so_far = list(accumulate(alone, and_))
counts = profiles.agg(
    F.count("*").alias("users"),
    *(F.count_if(met).alias(f"alone {number}") for number, met in enumerate(alone)),
    *(F.count_if(met).alias(f"so far {number}") for number, met in enumerate(so_far)),
).toPandas()
funnel = pd.DataFrame(
    {"part": parts, **{how: [int(counts[f"{how} {n}"].iloc[0]) for n in range(len(parts))] for how in ("alone", "so far")}}
)
funnel

# %% [markdown]
# ## How those hit differ in what the condition reads

# %%
numeric = [name for name, kind in profiles.dtypes if name in condition.columns and kind.startswith(("bigint", "int", "double", "decimal"))]
quartiles = [F.percentile(name, F.array(F.lit(0.25), F.lit(0.5), F.lit(0.75))).alias(name) for name in numeric]
marked.groupBy("hit").agg(F.count("*").alias("users"), *quartiles).orderBy("hit").toPandas().set_index("hit")

# %% [markdown]
# ## Whom it overlaps with
#
# A tag that hits the same users as one that is there already adds nothing. Overlap is the share of users with either who have both.

# %%
tagged = marked.select("hit", F.explode("tags").alias("tag"))
both = tagged.groupBy("tag").agg(F.count("*").alias("users"), F.count_if("hit").alias("both")).toPandas().set_index("tag")
hits = int(sizes["users"].get(True, 0))
both["overlap"] = both["both"] / (both["users"] + hits - both["both"])
both["of those hit"] = both["both"] / max(hits, 1)
both = both.sort_values(["overlap", "users"], ascending=False)
both.head(15).round(3)

# %%
if len(both):
    axes = (
        both["overlap"]
        .head(12)
        .iloc[::-1]
        .plot.barh(figsize=(8, 3.8), title="Overlap with the tags that are there", xlim=(0, 1), ylabel="")
    )
    axes.figure.tight_layout()

# %% [markdown]
# ## Where they are

# %%
crosses = {
    name: marked.groupBy(name).agg(F.count("*").alias("users"), F.count_if("hit").alias("hit"))
    for name in ("lifecycle_stage", "rfm_segment")
}
figure, axes_of = plt.subplots(1, 2, figsize=(10, 3.6))
for (name, frame), axes in zip(crosses.items(), axes_of, strict=True):
    table = frame.orderBy("users").toPandas().set_index(name)
    (table["hit"] / table["users"]).plot.barh(ax=axes, title=f"Share hit, by {name}", xlim=(0, 1), ylabel="")
figure.tight_layout()

# %% [markdown]
# ## A few of them, without saying who
#
# Examples show what the condition reads and what people are like, never an id or an account. Amounts are rounded.

# %%
shown = [
    name
    for name in ("lifecycle_stage", "rfm_segment", "segment_name", "preferred_category", "preferred_hour_band", "tags")
    if name in profiles.columns
]
rounded = [F.round(F.col(name).cast("double"), 1).alias(name) for name in numeric]
marked.where("hit").orderBy(F.xxhash64("user_id")).limit(5).select(*rounded, *shown).toPandas()

# %% [markdown]
# ## Into the configuration
#
# Put it into `conf/tags.yaml`, then run `persona check --conf ...`: it also finds contradictions and duplicates.
#
# ```yaml
# frequent_promotion_buyer:
#   when: "order_count_90d >= 3 and promotion_share_90d > 0.3"
#   label: {en: Frequent promotion buyer, zh: 高频促销买家}
#   action: "invite to the members' day"
#   owner: crm
#   review_by: 2027-03-31
# ```
