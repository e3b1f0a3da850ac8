"""The entries of conf/features.yaml, one class a section: what a person writes, before its meaning is checked."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from persona_spark.config.base import Label, Strict

Unit = Literal["count", "money", "pieces", "seconds", "stars"]
DerivedUnit = Literal["ratio", "number", "money", "count", "days", "date"]
Kind = Literal["days", "orders", "sessions"]


class Entry(Strict):
    """What every definition says about itself; the file's `owner` holds where an entry names none."""

    label: Label
    owner: str | None = None


class Measure(Entry):
    """What is counted or summed, event by event, or of whole days, orders or sessions although several events speak of them.

    Attributes:
        count: counts events.
        sum: sums an expression over the columns of `events`; null adds nothing.
        distinct: counts `days` on which a user did it, `orders` and `sessions` on the day on which they first did.
        of: measures whole `orders` or `sessions`, each on the day on which it first met `where`; see `take`.
        take: `total` of the sums of each, the `largest` of them, their `spread` (population standard deviation), or `span`, the
            seconds from the first to the last event of each, added up.
        where: condition on an event; absent means all events.
        windows: take the place of the file's windows.
        unit: money is kept exactly, in minor units.
    """

    count: Literal[True] | None = None
    sum: str | None = None
    distinct: Kind | None = None
    of: Literal["orders", "sessions"] | None = None
    take: Literal["total", "largest", "spread", "span"] | None = None
    where: str | None = None
    windows: tuple[str, ...] | None = Field(default=None, min_length=1)
    unit: Unit = "count"

    @property
    def kind(self) -> Kind:
        """Of what the measure is made: of account-days, orders or sessions."""
        return self.distinct or self.of or "days"


class Derived(Entry):
    """A row-wise expression over other published columns; with `{w}` in it, one column a window that all of them have.

    Attributes:
        expr: for example `paid_amount_{w} / order_count_{w}`.
        unit: ratio and number are doubles, money is decimal(18,2), count is bigint, days is int.
        null_when: in words, when there is no value.
    """

    expr: str
    unit: DerivedUnit = "ratio"
    null_when: str


class DateFeature(Entry):
    """The first or last day on which a distinct measure counted; `<stem>_date` is also published as `days_since_<stem>`."""

    first: str | None = None
    last: str | None = None


class GapFeature(Entry):
    """Days between the dates on which a distinct measure counted: their mean, and as `<name>_spread` their standard deviation.

    Attributes:
        between: the distinct measure.
        within: a preference: only those of these dates on which an event with the preferred key met the measure's condition.
    """

    between: str
    within: str | None = None


class Streak(Entry):
    """Days on end on which a distinct measure counted.

    Attributes:
        of: the distinct measure.
        take: the `longest` run of days, or the `last` one, which ends with the last such day.
    """

    of: str
    take: Literal["longest", "last"]


class Preference(Entry):
    """The keys with the largest decayed weights, counted from the user's own last event before as_of.

    Attributes:
        key: expression over the columns of `events`, `hour_band` and `price_band`; null keys do not count.
        weights: whole numbers an event type; types not named do not count.
        half_life_days: after so many days a weight is worth half.
        half_lives: after so many half-lives it is worth nothing.
        family: preferences whose keys come together, such as an item's category and brand, share the rows of a tile.
        top: how many keys are published.
        touch: whether the keys of the first and the last event that counts are published too.
    """

    key: str
    weights: dict[str, int] = Field(min_length=1)
    half_life_days: int = Field(gt=0, le=3650)
    half_lives: int = Field(default=8, gt=0, le=16)
    family: str = "context"
    top: int = Field(default=3, ge=1, le=10)
    touch: bool = False


class Attribute(Entry):
    """What the accounts say of a user: the last value stated before as_of.

    Attributes:
        type: Spark SQL type; a value that does not fit counts as not stated.
        key: key in the accounts' attributes; default the attribute's name. `registered_at` is the column of that name.
        expr: takes the place of a value that was not stated: an expression over other attributes and `as_of`.
        unit: what a number counts; default `number`.
        personal: whether the value says something of a person that erasure and access rules care about.
    """

    type: Literal["string", "int", "bigint", "double", "boolean", "date"] = "string"
    key: str | None = None
    expr: str | None = None
    unit: Literal["number", "days", "years"] = "number"
    personal: bool = False


class PriceBands(Strict):
    """Bands of what a piece costs, in the reporting currency.

    Attributes:
        of: the price: an expression over the columns of `events`.
        bands: the least price of each, one of them 0; a band ends where the next one starts.
    """

    of: str
    bands: dict[str, Decimal] = Field(min_length=2)
