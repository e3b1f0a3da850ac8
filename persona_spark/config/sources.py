"""conf/sources/*.yaml: how a feed's columns become canonical events, accounts or items.

A mapping is data: expressions over the feed's columns, one file a feed and target. Everything that can be wrong in it
without looking at the feed is found here, without Spark, and reported together.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ModelWrapValidatorHandler, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from persona_spark.config.base import Strict
from persona_spark.config.expression import ExpressionError, compile_expression
from persona_spark.config.sources_check import Problem, check_event_word, check_moment, column_paths, find_problems
from persona_spark.time import is_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

Target = Literal["events", "accounts", "items"]
Format = Literal["csv", "json", "parquet", "delta"]
ColumnPath = tuple[str, ...]
"""A column of a feed; more than one part for a field inside a JSON object or struct."""

_TYPE = re.compile(r"(string|boolean|int|bigint|double|date|decimal\((?:[1-9]|[12]\d|3[0-8]),\d{1,2}\))")


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | Decimal) else value


def _checked(text: str) -> str:
    try:
        compile_expression(text)
    except ExpressionError as error:
        hint = "; a column name with blanks or signs stands in backticks" if "alias" in str(error) or "valid SQL" in str(error) else ""
        raise ValueError(f"expression {text!r}: {error}{hint}") from error
    return text


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f"zone {name!r} is not an IANA time zone: write for example Asia/Shanghai")
    return name


def _type(name: str) -> str:
    compact = name.replace(" ", "").lower()
    if not _TYPE.fullmatch(compact):
        raise ValueError(f"type {name!r} is not among string, boolean, int, bigint, double, date, decimal(p,s) such as decimal(18,4)")
    return compact


Expr = Annotated[str, BeforeValidator(_as_text), AfterValidator(_checked)]
Zone = Annotated[str, AfterValidator(_zone)]
Text = Annotated[str, BeforeValidator(_as_text)]


class Files(Strict):
    r"""Where a feed's files are and how they are written.

    Attributes:
        path: a file, a folder or a pattern with `*`; relative to the main file's folder; `${NAME}` is taken from the environment,
            `package:<package>/<file>` is a file inside an installed Python package.
        format: csv, json (one object a line), parquet or delta.
        header: csv only: whether each file starts with a line of column names.
        columns: names of the columns of a csv without a header, in order.
        delimiter: csv only.
        quote: csv only; a quote inside a quoted field is doubled.
        escape: csv only; what stands before a quote inside a quoted field; default the quote itself.
        multiline: whether a quoted csv field may hold line breaks; such files are not split between tasks.
        encoding: of csv and json text.
        nulls: csv and json only: texts that stand for nothing, such as `N/A`, `NULL` or `\N`; empty text always does.
    """

    path: str = Field(min_length=1)
    format: Format
    header: bool = True
    columns: tuple[str, ...] = ()
    delimiter: str = Field(default=",", min_length=1)
    quote: str = Field(default='"', max_length=1)
    escape: str | None = Field(default=None, max_length=1)
    multiline: bool = False
    encoding: str = "UTF-8"
    nulls: tuple[Text, ...] = ()

    @field_validator("delimiter")
    @classmethod
    def _delimiter_is_meant(cls, delimiter: str) -> str:
        r"""`\t`, `\x01` and the like, which YAML leaves alone outside double quotes, are the signs that they name."""
        return re.sub(
            r"\\(t|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})", lambda escaped: escaped.group(0).encode().decode("unicode_escape"), delimiter
        )


class Moment(Strict):
    """When an event happened, or an account was opened.

    Attributes:
        source: expression over the feed's columns (`from` in YAML).
        form: `as` in YAML: epoch_seconds, epoch_millis, epoch_nanos, timestamp (a timestamp column or ISO text), or a date-time
            pattern such as `yyyy-MM-dd HH:mm:ss`.
        zone: zone of times that carry none; default the source's zone, for epochs UTC.
    """

    source: Expr = Field(alias="from")
    form: str = Field(alias="as", min_length=1)
    zone: Zone | None = None

    @field_validator("form")
    @classmethod
    def _form_is_known(cls, form: str) -> str:
        return check_moment(form)

    @property
    def is_epoch(self) -> bool:
        """Whether the time is a count since 1970."""
        return self.form.startswith("epoch_")


EventWord = Annotated[str, AfterValidator(check_event_word)]


class EventTypes(Strict):
    """The canonical type of each event.

    Attributes:
        source: expression that gives the feed's own word (`from` in YAML).
        map: the feed's words to canonical event types; without it the expression must give canonical types.
        value: one type for all rows, instead of `from`.
    """

    source: Expr | None = Field(default=None, alias="from")
    map: dict[Text, EventWord] = Field(default_factory=dict)
    value: EventWord | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.source is None) == (self.value is None):
            raise ValueError("give either from (with a map) or value")
        if self.value is not None and self.map:
            raise ValueError("a map needs from; value stands alone")
        return self


class Money(Strict):
    """The feed's currency, and what one unit of it is worth in the lake's currency (at most 8 decimals)."""

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    rate: Decimal = Field(default=Decimal(1), gt=0, lt=100_000, decimal_places=8)


class Fields(Strict):
    """What each canonical column is made of; which of them a target has is checked with the target."""

    account_id: Expr | None = None
    item_id: Expr | None = None
    order_id: Expr | None = None
    session_id: Expr | None = None
    platform: Expr | None = None
    channel: Expr | None = None
    category: Expr | None = None
    brand: Expr | None = None
    quantity: Expr | None = None
    amount: Expr | None = None
    discount: Expr | None = None
    promotion_id: Expr | None = None
    dwell_seconds: Expr | None = None
    content_type: Expr | None = None
    rating: Expr | None = None
    text: Expr | None = None
    name: Expr | None = None
    price: Expr | None = None
    valid_from: Expr | None = None
    attributes: dict[str, Expr] = Field(default_factory=dict)

    def stated(self) -> dict[str, str]:
        """The columns that the mapping fills, attributes aside."""
        return {name: text for name in type(self).model_fields if name != "attributes" and (text := getattr(self, name)) is not None}


class SourceSpec(Strict):
    """One feed, mapped to one target.

    Attributes:
        source: the feed's name.
        target: the table that it feeds.
        namespace: whose ids these are; feeds of one platform share it.
        files: where and how.
        types: types of columns; those of csv and json are text unless they stand here. What does not fit goes to quarantine.
        time: events: when it happened; accounts: when the account was opened.
        zone: the shop's local zone, for the hour of the day; default the lake's.
        event_type: events only.
        event_id: events only: columns or expressions that identify an event within the namespace, or one expression that gives its id.
        repeats: what rows of one file with the same derived id are: `one` event that stands twice, or `separate` events.
        money: default the lake's currency.
        fields: `set` in YAML: canonical columns.
        personal: columns that identify a person, kept only as keyed hashes: `link_key` also links accounts, `hash` does not.
        links: accounts only: expressions whose values the accounts of one person share and that are not personal data, such as a
            loyalty number or a union id. Kept as text, as they are: equal values link accounts of all feeds, so values of two kinds
            that could be equal by chance are told apart in the expression, such as `concat('member ', member_no)`.
    """

    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    target: Target
    namespace: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    files: Files
    types: dict[str, Annotated[str, AfterValidator(_type)]] = Field(default_factory=dict)
    time: Moment | None = None
    zone: Zone | None = None
    event_type: EventTypes | None = None
    event_id: Expr | tuple[Expr, ...] | None = None
    repeats: Literal["one", "separate"] = "one"
    money: Money | None = None
    fields_: Fields = Field(alias="set")
    personal: dict[str, Literal["link_key", "hash"]] = Field(default_factory=dict)
    links: tuple[Expr, ...] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _whole(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        spec = handler(data)
        problems = sorted(set(find_problems(spec)))
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, [_details(problem) for problem in problems])
        return spec

    @property
    def rate(self) -> Decimal:
        """What the feed's money is multiplied by to be the reporting currency's."""
        return self.money.rate if self.money else Decimal(1)

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Every expression of the mapping with its key."""
        if self.time:
            yield "time.from", self.time.source
        if self.event_type and self.event_type.source:
            yield "event_type.from", self.event_type.source
        parts = (self.event_id,) if isinstance(self.event_id, str) else self.event_id or ()
        yield from ((f"event_id.{index}", part) for index, part in enumerate(parts))
        yield from ((f"links.{index}", link) for index, link in enumerate(self.links))
        yield from ((f"set.{name}", text) for name, text in self.fields_.stated().items())
        yield from ((f"set.attributes.{name}", text) for name, text in self.fields_.attributes.items())

    def needed(self) -> tuple[ColumnPath, ...]:
        """The columns of the feed that the mapping reads, sorted."""
        paths = {path for _, text in self.expressions() for path in column_paths(text)}
        return tuple(sorted(paths | {self.path_of(name) for name in self.personal}))

    def essential(self) -> set[ColumnPath]:
        """The columns without which no row means anything: whose it is, when it happened, of which type, and its id."""
        keys = ("time", "event_type", "event_id", "set.account_id" if self.target != "items" else "set.item_id")
        return {path for key, text in self.expressions() if key.startswith(keys) for path in column_paths(text)}

    def path_of(self, name: str) -> ColumnPath:
        """The column that a key of `types` or `personal` names."""
        return (name,) if self.files.format == "csv" else tuple(name.split("."))


def _details(problem: Problem) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("mapping", problem.message), loc=tuple(problem.key.split(".")), input=None)
