"""Audits that a release must pass before anybody sees it: all are run, each with what was found and what was expected."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from persona_spark.config.expression import compile_expression
from persona_spark.config.features_columns import windowed
from persona_spark.lake.dates import on_day
from persona_spark.lake.known import known_events
from persona_spark.profiles.ledger import champion_version, serving_entry
from persona_spark.schema import IDENTITY, MONEY

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

    from persona_spark.config.features_entries import Measure
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.time import AsOf

_NEVER_NULL = ("user_id", "as_of", "rfm_segment", "lifecycle_stage", "tags")
_NOT_NEGATIVE = ("amount", "discount", "price", "quantity", "dwell_seconds", "rating")


@dataclass(frozen=True)
class Audit:
    """One audit: its name, what was found, what was expected, whether it passed."""

    name: str
    found: str
    expected: str
    passed: bool

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.name}: found {self.found}, expected {self.expected}"


def audit(lake: Lake, conf: Conf, as_of: AsOf, profiles: DataFrame) -> tuple[list[Audit], dict[str, float]]:
    """Run every audit on the rows of a release.

    Returns:
        The audits, and the null rate of each column that has nulls.
    """
    figures = _figures(conf, profiles)
    users = int(figures["users"])
    null_rates = {name: 1 - figures[f"n_{name}"] / users for name in profiles.columns if users and figures[f"n_{name}"] != users}
    audits = [
        _equal("unique user_id", users - profiles.select("user_id").distinct().count(), 0),
        *_reconciled(lake, conf, as_of, figures),
        *(_equal(f"nulls in {name}", null_rates.get(name, 0.0), 0.0) for name in _NEVER_NULL),
        *_null_limits(conf, null_rates),
        _negative(conf, figures),
        _unknown_tags(conf, profiles),
        _segments(lake, figures),
        *_user_drop(lake, conf, as_of, users),
    ]
    return audits, null_rates


def _figures(conf: Conf, profiles: DataFrame) -> Row:
    """Counts, sums and least values; distinct counts beside them would shuffle a row of them all for every user."""
    columns: list[Column] = [
        F.count("*").alias("users"),
        F.coalesce(F.sum("paid_amount_lifetime"), F.lit(Decimal(0))).alias("paid"),
        F.coalesce(F.sum("order_count_lifetime"), F.lit(0)).alias("orders"),
        *(F.count(name).alias(f"n_{name}") for name in profiles.columns),
        *(F.min(name).alias(f"min_{name}") for name in _never_negative(conf)),
    ]
    return profiles.agg(*columns).collect()[0]


def _never_negative(conf: Conf) -> list[str]:
    """Columns of measures that count, or that sum a column of the events which is never negative."""
    spec = conf.features
    names = [name for name, measure in spec.measures.items() if measure.sum is None or measure.sum.strip() in _NOT_NEGATIVE]
    return [windowed(name, window) for name in names for window in spec.windows_of(name)]


def _reconciled(lake: Lake, conf: Conf, as_of: AsOf, figures: Row) -> list[Audit]:
    """Users against identity; money and orders against the events themselves, by the definitions but without tiles or windows."""
    identity = lake.read(IDENTITY).where(on_day(as_of.date)).select("account_id", "user_id")
    people = identity.agg(F.count_distinct("user_id").alias("users")).collect()[0]
    events = known_events(lake, as_of.ingest_seq).where(F.col("event_date") < F.lit(as_of.date)).join(identity, "account_id", "left")
    paid, orders = conf.features.measures["paid_amount"], conf.features.measures["order_count"]
    amount = F.expr(f"try_cast(({compile_expression(paid.sum or 'amount').sql}) as {MONEY})")
    order = F.when(_condition(orders), F.struct("user_id", "order_id"))
    known_order = F.col("user_id").isNotNull() & F.col("order_id").isNotNull()
    total = events.agg(
        F.coalesce(F.sum(F.when(_condition(paid), amount)), F.lit(Decimal(0))).alias("paid"),
        F.count_distinct(F.when(known_order, order)).alias("orders"),
    ).collect()[0]
    return [
        _equal("users of identity", figures["users"], people.users),
        _equal("amount paid in the events", figures["paid"], total.paid),
        _equal("orders paid in the events", figures["orders"], total.orders),
    ]


def _condition(measure: Measure) -> Column:
    return F.lit(True) if measure.where is None else F.expr(compile_expression(measure.where).sql)  # noqa: FBT003 - a literal


def _null_limits(conf: Conf, null_rates: dict[str, float]) -> list[Audit]:
    limits = conf.main.audits.largest_null_rate
    return [_at_most(f"null rate of {name}", null_rates.get(name, 0.0), limit) for name, limit in limits.items()]


def _negative(conf: Conf, figures: Row) -> Audit:
    below = sorted(name for name in _never_negative(conf) if (figures[f"min_{name}"] or 0) < 0)
    return Audit("columns with negative values", ", ".join(below) or "none", "none", not below)


def _unknown_tags(conf: Conf, profiles: DataFrame) -> Audit:
    known = F.array(*(F.lit(name) for name in sorted(conf.tags.tags)))
    strange = F.array_except("tags", known)
    wrong = (F.size(strange) > 0) | (F.col("tags") != F.array_sort("tags"))
    return _equal("users whose tags are unknown or unsorted", profiles.where(wrong).count(), 0)


def _segments(lake: Lake, figures: Row) -> Audit:
    model = champion_version(lake)
    with_segment = int(figures["n_segment_id"])
    if model is None:
        return _equal("users in segments without a live model", with_segment, 0)
    enough = with_segment > 0 or figures["users"] == 0
    return Audit(f"users in segments of {model}", f"{with_segment:,}", "at least 1", enough)


def _user_drop(lake: Lake, conf: Conf, as_of: AsOf, users: int) -> list[Audit]:
    serving = serving_entry(lake)
    if serving is None or serving.as_of > as_of.date or not serving.users:
        return []
    drop = 1 - users / serving.users
    return [_at_most(f"share of users fewer than in {serving.release_id}", drop, conf.main.audits.largest_user_drop)]


def _equal(name: str, found: Any, expected: Any) -> Audit:
    return Audit(name, f"{found:,}", f"{expected:,}", bool(found == expected))


def _at_most(name: str, found: float, limit: float) -> Audit:
    return Audit(name, f"{found:.4f}", f"at most {limit:.4f}", found <= limit)
