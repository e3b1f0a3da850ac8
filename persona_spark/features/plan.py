"""Which users have to be computed, and from which as_of the others are carried over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.config.tile_tables import user_features_table
from persona_spark.features.changed import GONE, REASONS, changed_users, crossing_ranges, other_accounts
from persona_spark.lake.code import FEATURE_CODE, code_version
from persona_spark.lake.dates import on_day
from persona_spark.lake.kept import kept
from persona_spark.schema import FEATURES_STATE
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from typing import Self

    from pyspark.sql import DataFrame, Row

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake

LARGEST_SHARE = 0.5
"""If a larger share of users changed, all are computed: to pick out and to carry over costs more than it saves."""


@dataclass(frozen=True)
class Base:
    """Rows that can be carried over.

    Attributes:
        as_of: whose rows of `user_features` they are.
        changed: user_id, reason: the users that cannot, kept until the plan is left.
    """

    as_of: AsOf
    changed: DataFrame


@dataclass(frozen=True)
class FeaturePlan:
    """What has to be computed; a context at the end of which what it keeps is given back.

    Attributes:
        as_of: the day, and what was known.
        base: what is carried over; None when all users are computed.
        why_full: why all users are computed; None when there is a base.
        users: users of as_of.
        reasons: users by the first reason for which they are computed, or gone; also of a base that was not used.
    """

    as_of: AsOf
    base: Base | None
    why_full: str | None
    users: int
    reasons: Mapping[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.base is not None:
            self.base.changed.unpersist()

    @property
    def recomputed(self) -> int:
        """Users that are computed from tiles."""
        return self.users if self.base is None else sum(count for reason, count in self.reasons.items() if reason != GONE)

    def notes(self) -> dict[str, Any]:
        """For the run log and for people."""
        base = {"all_users": self.why_full} if self.base is None else {"base": str(self.base.as_of)}
        return {**base, "recomputed": self.recomputed, "carried": self.users - self.recomputed, **self.reasons}


def is_made(lake: Lake, spec: FeaturesSpec, as_of: AsOf, owners: DataFrame) -> bool:
    """Whether the partition of as_of holds what was known, by these definitions and this code, for these accounts of users."""
    rows = [row for row in _states(lake) if (row.as_of, row.ingest_seq) == (as_of.date, as_of.ingest_seq) and _same(spec, row)]
    return bool(rows) and _holds(lake, spec, rows[0]) and other_accounts(owners, _partition(lake, spec, as_of.date)).isEmpty()


def feature_plan(lake: Lake, conf: Conf, as_of: AsOf, owners: DataFrame) -> FeaturePlan:
    """Choose the base and find the users that changed since.

    The base is the as_of made by these definitions and this code from which the fewest dates cross an age, of several the one that
    knew most.

    Args:
        lake: the lake.
        conf: the configuration.
        as_of: the as_of that is made.
        owners: account_id, user_id at as_of.
    """
    users = int(owners.agg(F.count_distinct("user_id")).collect()[0][0])
    states = _states(lake)
    base = _base(lake, conf.features, as_of, states)
    if base is None:
        return FeaturePlan(as_of, None, _why_none(conf.features, states), users)
    changed = kept(changed_users(lake, conf, base, as_of, owners))
    counts = {row.reason: int(row["count"]) for row in changed.groupBy("reason").count().collect()}
    plan = FeaturePlan(as_of, Base(base, changed), None, users, {reason: counts[reason] for reason in REASONS if reason in counts})
    if plan.recomputed <= LARGEST_SHARE * users:
        return plan
    changed.unpersist()
    share = f"{plan.recomputed / users:.0%} of the users changed since {base.date}"
    return FeaturePlan(as_of, None, f"{share}: to compute all costs less than to carry over the others", users, plan.reasons)


def _states(lake: Lake) -> list[Row]:
    return lake.read(FEATURES_STATE).collect()


def _base(lake: Lake, spec: FeaturesSpec, as_of: AsOf, states: Sequence[Row]) -> AsOf | None:
    """The nearest as_of whose rows may be carried over: made by the same, knowing no more, and with the partition that its state names."""
    same = [row for row in states if _same(spec, row) and row.ingest_seq <= as_of.ingest_seq]
    nearest = sorted(same, key=lambda row: (_crossing(spec, row, as_of), -row.ingest_seq, row.as_of))
    found = next((row for row in nearest if _holds(lake, spec, row)), None)
    return None if found is None else AsOf(found.as_of, int(found.ingest_seq))


def _same(spec: FeaturesSpec, row: Row) -> bool:
    return bool(row.definition == spec.value_digest() and row.code == code_version(FEATURE_CODE))


def _holds(lake: Lake, spec: FeaturesSpec, row: Row) -> bool:
    """Whether the partition was written by the run that wrote its state; a killed one leaves another. One row speaks for all."""
    found = _partition(lake, spec, row.as_of).select("ingest_seq", "definition", "code").limit(1).collect()
    if not found:
        return bool(row.users == 0)
    return bool((found[0].ingest_seq, found[0].definition, found[0].code) == (row.ingest_seq, row.definition, row.code))


def _partition(lake: Lake, spec: FeaturesSpec, day: date) -> DataFrame:
    return lake.read(user_features_table(spec)).where(on_day(day))


def _crossing(spec: FeaturesSpec, row: Row, as_of: AsOf) -> int:
    return sum((end - start).days for start, end in crossing_ranges(row.as_of, as_of.date, spec.ages()))


def _why_none(spec: FeaturesSpec, states: Sequence[Row]) -> str:
    if not states:
        return "there are no features yet"
    if any(_same(spec, row) for row in states):
        return "no earlier run with these definitions ended, or they knew more"
    if any(row.definition == spec.value_digest() for row in states):
        return "the code that computes features is new"
    return "the definitions of features are new"
