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
# # Explore a release
#
# Opens the serving release and looks at it: who is there, what they spend, how RFM segments, lifecycle stages and KMeans segments
# divide them, and which tags hold. Spark adds up; only small tables come to pandas.
#
# `PERSONA_LAKE` names the lake; without it, the lake that `make demo` makes.

# %%
import os

import matplotlib.pyplot as plt
from pyspark.sql import functions as F

from persona_spark.lake.session import build_session
from persona_spark.profiles import Profiles

LAKE = os.environ.get("PERSONA_LAKE", "lake/demo")
spark = build_session("explore a release")
profiles = Profiles(spark, LAKE).latest()

# %% [markdown]
# ## Who is there

# %%
totals = profiles.agg(
    F.count("*").alias("users"),
    F.count_if(F.col("order_count_lifetime") > 0).alias("buyers"),
    F.sum("order_count_lifetime").alias("orders"),
    F.sum("paid_amount_lifetime").alias("paid"),
    F.min("first_order_date").alias("first order"),
    F.max("last_order_date").alias("last order"),
).toPandas()
totals.T

# %% [markdown]
# ## What they spend
#
# Spend is skewed: the tenths of buyers, from those who pay least to those who pay most, and their share of all that was paid.

# %%
buyers = profiles.where("paid_amount_365d > 0")
edges = buyers.agg(F.percentile("paid_amount_365d", F.array(*(F.lit(part / 10) for part in range(1, 10)))).alias("edges")).first()
tenth = sum(((F.col("paid_amount_365d") > edge).cast("int") for edge in (edges.edges if edges and edges.edges else [])), F.lit(1))
tenths = buyers.groupBy(tenth.alias("tenth")).agg(F.sum("paid_amount_365d").cast("double").alias("paid")).orderBy("tenth").toPandas()
tenths["share"] = tenths["paid"] / tenths["paid"].sum()

figure, axes = plt.subplots(figsize=(8, 3.2))
axes.bar(tenths["tenth"], tenths["share"])
axes.set(title="Share of all that was paid in 365 days", xlabel="tenth of buyers, by what they paid", ylabel="share")
axes.yaxis.set_major_formatter("{x:.0%}")
figure.tight_layout()

# %% [markdown]
# ## RFM segments: how many they are, and what they bring

# %%
rfm = (
    profiles.groupBy("rfm_segment")
    .agg(F.count("*").alias("users"), F.coalesce(F.sum("paid_amount_365d"), F.lit(0)).cast("double").alias("paid"))
    .orderBy("users")
    .toPandas()
    .set_index("rfm_segment")
)
shares = rfm / rfm.sum()
axes = shares.plot.barh(figsize=(8, 4), title="Share of users and of what was paid in 365 days", xlabel="", ylabel="")
axes.xaxis.set_major_formatter("{x:.0%}")
axes.figure.tight_layout()

# %% [markdown]
# ## Lifecycle stages by RFM segment

# %%
profiles.groupBy("lifecycle_stage").pivot("rfm_segment").count().na.fill(0).orderBy("lifecycle_stage").toPandas().set_index(
    "lifecycle_stage"
)

# %% [markdown]
# ## KMeans segments: where they differ

# %%
measures = {
    "orders": F.avg("order_count_365d"),
    "paid": F.avg(F.col("paid_amount_365d").cast("double")),
    "order value": F.avg(F.col("average_order_value_365d").cast("double")),
    "promotion share": F.avg("promotion_share_365d"),
    "night share": F.avg("night_share_365d"),
    "days since last order": F.avg("days_since_last_order"),
}
segments = (
    profiles.where("segment_id IS NOT NULL")
    .groupBy("segment_id", "segment_name")
    .agg(F.count("*").alias("users"), *(column.alias(name) for name, column in measures.items()))
    .orderBy("segment_id")
    .toPandas()
    .set_index(["segment_id", "segment_name"])
)
segments.round(2)

# %%
means = segments[list(measures)].astype(float)
relative = means / means.mean().replace(0, 1)
figure, axes = plt.subplots(figsize=(9, 1 + 0.5 * len(relative)))
picture = axes.imshow(relative.to_numpy(), cmap="RdBu_r", vmin=0, vmax=2, aspect="auto")
axes.set_xticks(range(len(measures)), labels=list(measures), rotation=20, ha="right")
axes.set_yticks(range(len(relative)), labels=[f"{number}  {name}" for number, name in relative.index])
axes.set_title("Each segment's mean against the mean of segments")
figure.colorbar(picture, ax=axes, label="times the mean")
figure.tight_layout()

# %% [markdown]
# ## Tags

# %%
tags = profiles.select(F.explode("tags").alias("tag")).groupBy("tag").count().orderBy(F.desc("count"), "tag").toPandas().set_index("tag")
tags.head(30)

# %%
if len(tags):
    axes = tags.head(20).iloc[::-1].plot.barh(figsize=(8, 5), legend=False, title="Users with each tag (the 20 largest)", ylabel="")
    axes.figure.tight_layout()

# %% [markdown]
# ## When people shop, and when they were last here

# %%
bands = profiles.where("preferred_hour_band IS NOT NULL").groupBy("preferred_hour_band").count().orderBy(F.desc("count")).toPandas()
weeks = (
    profiles.where("days_since_last_visit IS NOT NULL")
    .groupBy(F.floor(F.col("days_since_last_visit") / 7).alias("weeks"))
    .count()
    .orderBy("weeks")
    .toPandas()
)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
left.bar(bands["preferred_hour_band"], bands["count"])
left.tick_params(axis="x", rotation=30)
left.set(title="Preferred time of day", ylabel="users")
right.bar(weeks["weeks"], weeks["count"])
right.set(title="Weeks since the last visit", xlabel="weeks")
figure.tight_layout()
