"""`persona check`: mistakes that no single file shows, found without Spark and reported all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.optimizer.simplify import simplify

from persona_spark.config.base import near_miss
from persona_spark.config.contradiction import contradicts_itself
from persona_spark.config.expression import DIALECT
from persona_spark.errors import Fault
from persona_spark.schema import USER_SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from persona_spark.config.expression import Expression
    from persona_spark.config.load import Conf

RECONCILED = ("paid_amount_lifetime", "order_count_lifetime")
_PREDICATES = (exp.Predicate, exp.And, exp.Or, exp.Not, exp.Boolean)
_TWO_VALUED = (exp.Column, exp.Paren, exp.Case, exp.If, exp.Anonymous, exp.Func)


def check_conf(conf: Conf, today: date | None) -> list[Fault]:
    """Every mistake in tags and scores that needs more than one entry to be seen.

    Args:
        conf: a configuration whose files are valid each for itself.
        today: reviews due before this day are overdue; None leaves reviews out.
    """
    base = {"user_id", "as_of", "account_ids", *(column.name for column in conf.features.profile_columns())}
    tag_columns = base | set(USER_SCORES.names)
    return sorted({*_required(conf, base), *_scores(conf, base), *_tags(conf, tag_columns, today), *_twice(conf)})


def _required(conf: Conf, known: set[str]) -> Iterator[Fault]:
    """Columns that audits reconcile with the events, and columns that audits were told to look at."""
    for name in RECONCILED:
        if name not in known:
            yield Fault(
                conf.main.features, "measures", f"column {name} is missing: audits reconcile it with the events", "keep its measure"
            )
    for name in conf.main.audits.largest_null_rate:
        if name not in known | set(USER_SCORES.names):
            yield Fault(str(conf.path), f"audits.largest_null_rate.{name}", f"unknown column ({near_miss(name, known)})")


def _scores(conf: Conf, known: set[str]) -> Iterator[Fault]:
    file = conf.main.scores
    for role, name in conf.scores.rfm.columns.items():
        if name not in known:
            yield Fault(file, "rfm.window", f"needs column {name} for {role}", "choose a window of features.yaml")
    for stage in conf.scores.lifecycle:
        if stage.condition is not None:
            yield from _condition(stage.condition, known, file, f"lifecycle.{stage.name}")


def _tags(conf: Conf, known: set[str], today: date | None) -> Iterator[Fault]:
    file = conf.main.tags
    for name, tag in conf.tags.tags.items():
        yield from _condition(tag.condition, known, file, f"tags.{name}")
        if today is not None and tag.review_by < today:
            yield Fault(
                file, f"tags.{name}.review_by", f"the review was due by {tag.review_by}", f"{tag.owner} reviews it and sets a new day"
            )


def _condition(condition: Expression, known: set[str], file: str, key: str) -> Iterator[Fault]:
    for problem in condition.unknown(known):
        yield Fault(file, f"{key}.when", problem)
    tree = condition.tree.unnest()
    if not isinstance(tree, (*_PREDICATES, *_TWO_VALUED)):
        yield Fault(file, f"{key}.when", f"{condition.text!r} is not a condition", "compare it with something")
    elif contradicts_itself(tree):
        yield Fault(file, f"{key}.when", f"no value satisfies {condition.text!r}", "two of its comparisons exclude each other")


def _twice(conf: Conf) -> Iterator[Fault]:
    """Tags of the same meaning or the same words under two names."""
    file, meanings, labels = conf.main.tags, dict[str, str](), dict[str, str]()
    for name, tag in conf.tags.tags.items():
        first = meanings.setdefault(_meaning(tag.condition.tree), name)
        if first != name:
            yield Fault(file, f"tags.{name}.when", f"means the same as tag {first}", "remove one of them")
        for language, text in (("en", tag.label.en), ("zh", tag.label.zh)):
            first = labels.setdefault(f"{language}:{text.strip().lower()}", name)
            if first != name:
                yield Fault(file, f"tags.{name}.label.{language}", f"{text!r} is the label of tag {first} too", "say what differs")


def _meaning(tree: exp.Expression) -> str:
    """The condition in a canonical form: lower case, simplified, operands of AND and OR in order."""
    simple = simplify(tree.copy(), dialect=DIALECT).transform(_in_order)
    return simple.sql(dialect=DIALECT, normalize=True, comments=False).lower()


def _in_order(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.And | exp.Or):
        parts = sorted(part.unnest().sql(dialect=DIALECT).lower() for part in node.flatten())
        return exp.Anonymous(this=type(node).__name__, expressions=[exp.Literal.string(part) for part in parts])
    return node
