"""Are planted personas found again? Simulate shops, run everything on each, and hold tags and segments against the truth.

Per seed: precision and recall of each persona's tag among people who are one persona only, bots that got a segment, and
how well segments agree with personas (adjusted Rand index), beside two baselines that know recency, frequency and monetary
value alone. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from deltalake import DeltaTable
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import RobustScaler

from persona_spark import pipeline
from persona_spark.config.load import load_conf
from persona_spark.lake.info import open_lake
from persona_spark.lake.session import build_session
from persona_spark.run_log import RunLog
from persona_spark.simulate import simulate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[1]
AS_OF = date(2026, 1, 1)
SEEDS = (101, 202, 303, 404, 505)
GOAL, RAND_GOAL = 0.9, 0.5
TAGS = {"bot": "bot_suspect"}
"""Tags whose name is not the persona's."""
WITH_TAG = (
    "promotion_driven", "monthly_staple_buyer", "night_owl", "new_mother", "young_sports_fashion_woman", "quality_seeker",
    "bargain_seeker", "sleeping", "new_user", "one_time_buyer", "bot",
)  # fmt: skip
BEHAVIOURAL = WITH_TAG[:7]
NAMESPACE = "simulator:"


@dataclass(frozen=True)
class Found:
    """How the people of a tag agree with a persona."""

    persona: str
    planted: int
    precision: float
    recall: float

    @property
    def good(self) -> bool:
        """Whether both reach the goal."""
        return min(self.precision, self.recall) >= GOAL


def run_shop(spark: SparkSession, folder: Path, users: int, days: int, seed: int) -> None:
    """Simulate into `folder`/shop and run everything into `folder`/lake."""
    simulate(spark, users=users, days=days, seed=seed, out=str(folder / "shop"), end=AS_OF)
    os.environ["PERSONA_SIMULATED"] = str(folder / "shop")
    conf = load_conf(ROOT / "conf" / "simulator.yaml")
    lake = open_lake(spark, conf.main.lake, conf.folder, str(folder / "lake"))
    pipeline.run(lake, conf, AS_OF, RunLog(lake, f"seed {seed}", datetime(2026, 1, 2, tzinfo=UTC)))


def people(folder: Path) -> pd.DataFrame:
    """One row a person: the truth beside the profile.

    Raises:
        SystemExit: when people and users are not one to one.
    """
    truth = pd.read_parquet(folder / "shop" / "truth")
    profile = DeltaTable(str(folder / "lake" / "user_profile")).to_pandas()
    accounts = profile[["user_id", "account_ids"]].explode("account_ids").rename(columns={"account_ids": "account_id"})
    planted = truth[["person", "account_ids"]].explode("account_ids").rename(columns={"account_ids": "account_id"})
    planted["account_id"] = NAMESPACE + planted["account_id"]
    pairs = planted.merge(accounts, on="account_id", how="outer")[["person", "user_id"]].drop_duplicates()
    if pairs.isna().to_numpy().any() or pairs["person"].duplicated().any() or pairs["user_id"].duplicated().any():
        sys.exit("people of the truth and users of the profile are not one to one")
    return truth.merge(pairs, on="person").merge(profile, on="user_id", suffixes=("_true", ""))


def tags_found(one: pd.DataFrame) -> list[Found]:
    """Precision and recall of every persona with a rule, among people who are one persona only."""
    found = []
    for persona in WITH_TAG:
        tag = TAGS.get(persona, persona)
        tagged, planted = one["tags"].map(lambda tags, tag=tag: tag in tags), one["persona"] == persona
        hits = int((tagged & planted).sum())
        found.append(Found(persona, int(planted.sum()), hits / max(int(tagged.sum()), 1), hits / max(int(planted.sum()), 1)))
    return found


def rand_indices(users: pd.DataFrame, seed: int) -> dict[str, float]:
    """Adjusted Rand index against the persona: of the segments, of KMeans on RFM with as many segments, of RFM segments."""
    rfm = users[["rfm_recency_days", "rfm_frequency", "rfm_monetary"]].astype("float64")
    scaled = RobustScaler().fit_transform(np.log1p(rfm.fillna({"rfm_recency_days": 730}).fillna(0).clip(lower=0)))
    clusters = KMeans(n_clusters=users["segment_id"].nunique(), n_init=5, random_state=seed).fit_predict(scaled)
    persona = users["persona"]
    return {
        "segments": adjusted_rand_score(persona, users["segment_id"]),
        "KMeans on RFM": adjusted_rand_score(persona, clusters),
        "RFM segments": adjusted_rand_score(persona, users["rfm_segment"]),
    }


def report(folder: Path, seed: int) -> bool:
    """Print what was found; returns whether all goals are met."""
    everybody = people(folder)
    one = everybody[~everybody["is_mixed"]]
    found = tags_found(one)
    print(f"| persona (seed {seed}) | planted | precision | recall |\n| --- | ---: | ---: | ---: |")
    for each in found:
        print(f"| {each.persona} | {each.planted:,} | {each.precision:.3f} | {each.recall:.3f} |{'' if each.good else ' **below**'}")
    bots = int(everybody.loc[everybody["persona"] == "bot", "segment_id"].notna().sum())
    covered = everybody[everybody["segment_id"].notna()]
    mixed, segments = everybody["is_mixed"].mean(), covered["segment_id"].nunique()
    print(f"\n{bots} bots with a segment; {mixed:.1%} of {len(everybody):,} people are mixed; {segments} segments\n")
    groups = {
        "seven behavioural personas": covered[covered["persona"].isin(BEHAVIOURAL) & ~covered["is_mixed"]],
        "all but bots": covered[(covered["persona"] != "bot") & ~covered["is_mixed"]],
        "seven, with mixed people": covered[covered["persona"].isin(BEHAVIOURAL)],
        "all but bots, with mixed people": covered[covered["persona"] != "bot"],
    }
    print("| adjusted Rand index | people | segments | KMeans on RFM | RFM segments |\n| --- | ---: | ---: | ---: | ---: |")
    indices = {name: rand_indices(users, seed) for name, users in groups.items()}
    for name, values in indices.items():
        print(f"| {name} | {len(groups[name]):,} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |")
    print(flush=True)
    # A tenth of the bots may lack the tag, as with every persona.
    kept_out = bots <= (1 - GOAL) * int((everybody["persona"] == "bot").sum())
    return all(each.good for each in found) and kept_out and indices["seven behavioural personas"]["segments"] >= RAND_GOAL


def main() -> None:
    """Simulate, run and report for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--users", type=int, default=20_000, help="people in each shop")
    parser.add_argument("--days", type=int, default=365, help="days of history")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument(
        "--out", type=Path, default=ROOT / "lake" / "personas", help="folder for shops and lakes; each is removed afterwards"
    )
    parser.add_argument("--keep", action="store_true", help="leave shops and lakes where they are")
    options = parser.parse_args()
    spark, met = build_session(), []
    for seed in options.seeds:
        folder, begun = options.out.absolute() / f"seed{seed}", time.perf_counter()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        run_shop(spark, folder, options.users, options.days, seed)
        met.append(report(folder, seed))
        print(f"seed {seed}: {'all goals met' if met[-1] else 'a goal was missed'}, {time.perf_counter() - begun:,.0f} s\n", flush=True)
        if not options.keep:
            shutil.rmtree(folder)
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
