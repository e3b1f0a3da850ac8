"""The contracts of the lake's tables: names, keys, columns, types and what each column means.

Tables whose columns follow from the configuration are built in `config.tile_tables` (tiles, features) and `profiles.tables` (profiles)
from the same `Column` and `Table` values. Types are Spark SQL type names in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass

MONEY = "decimal(18,2)"
"""Type of money at the borders; inside, money is a bigint of minor units (cents)."""

EVENT_TYPES = (
    "view",
    "click",
    "search",
    "favourite",
    "cart",
    "order",
    "pay",
    "return",
    "review",
    "share",
    "like",
    "comment",
    "invite",
    "follow",
    "service",
    "content_view",
)
"""The canonical event types; mappings translate a feed's own words into these."""


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Attributes:
        name: the column's name.
        type: Spark SQL type, for example `decimal(18,2)`.
        comment: what it means, with its unit and what null means.
        nullable: whether null is allowed.
    """

    name: str
    type: str
    comment: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """The contract of a table.

    Attributes:
        name: the table's name, which is also its folder in a lake that is a folder.
        comment: grain and purpose in a sentence.
        columns: in the order in which they are stored.
        key: columns that identify a row; never null, unless `null_keys`.
        partition_by: columns that lay out the files.
        deletion_vectors: whether rows removed by key may be marked instead of rewriting their files; only for tables that nothing but
            the pipeline reads, since readers must know of them.
        null_keys: whether columns of the key that allow null may hold it.
        ranges: columns of which each file's least and greatest value is kept, so that readers skip files; the first 32 when empty.
        as_is: whether each task writes the rows that it has, without Delta's optimized write: for large tables, whose tasks are few and
            full, so that one more shuffle would cost more than its larger files give.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    deletion_vectors: bool = False
    null_keys: bool = False
    ranges: tuple[str, ...] = ()
    as_is: bool = False

    def __post_init__(self) -> None:
        names = self.names
        unknown = [name for name in (*self.key, *self.partition_by, *self.ranges) if name not in names]
        if unknown:
            msg = f"table {self.name}: columns {unknown} of its key, partitions or ranges are unknown"
            raise ValueError(msg)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"table {self.name} would have more than one column {', '.join(twice)}"
            raise ValueError(msg)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in stored order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`.

        Raises:
            KeyError: when there is none.
        """
        return {column.name: column for column in self.columns}[name]

    @property
    def types(self) -> dict[str, str]:
        """Type of each column, by name."""
        return {column.name: column.type for column in self.columns}

    @property
    def ddl(self) -> str:
        """The columns as a Spark DDL string; key columns and others that are never null carry NOT NULL."""
        return ", ".join(f"`{c.name}` {c.type}{'' if self.may_be_null(c) else ' NOT NULL'}" for c in self.columns)

    def may_be_null(self, column: Column) -> bool:
        """Whether `column` of this table may hold null."""
        return column.nullable and (self.null_keys or column.name not in self.key)


_INGEST_SEQ = Column("ingest_seq", "bigint", "Number of the committed ingest that brought the row.", nullable=False)
_SOURCE = Column("source", "string", "Name of the feed's mapping in conf/sources.", nullable=False)
_NAMESPACE = Column("namespace", "string", "Whose ids these are; account, item and order ids start with it.", nullable=False)

LAKE = Table(
    "lake_info",
    "What is fixed for the life of a lake; one row.",
    (
        Column("zone", "string", "IANA zone of event_date and of as_of.", nullable=False),
        Column("currency", "string", "ISO 4217 code of the reporting currency.", nullable=False),
        Column("layout", "int", "Version of the lake's table layout.", nullable=False),
    ),
    key=("layout",),
)

EVENTS = Table(
    "events",
    "Canonical events, one row an event; of an id that was replaced every version, the latest by ingest_seq holds.",
    (
        Column("event_id", "string", "Id of the event within its namespace, given or derived.", nullable=False),
        _NAMESPACE,
        _SOURCE,
        Column("platform", "string", "Where it happened: taobao, jd, store, ...", nullable=False),
        Column("channel", "string", "Way in on the platform: app, web, live, ...; null if unknown."),
        Column("event_time", "timestamp", "When it happened (UTC).", nullable=False),
        Column("event_date", "date", "Local date in the lake's zone.", nullable=False),
        Column("event_month", "date", "First day of event_date's month; the partition.", nullable=False),
        Column("event_hour", "int", "Local hour 0-23 in the source's zone.", nullable=False),
        Column("account_id", "string", "<namespace>:<native id> of the account.", nullable=False),
        Column("item_id", "string", "<namespace>:<native id> of the item; null if the event has none."),
        Column("order_id", "string", "<namespace>:<native id> of the order; null if the event has none."),
        Column("event_type", "string", "One of the canonical event types.", nullable=False),
        Column("session_id", "string", "<namespace>:<native id> of the session; null if unknown."),
        Column("category", "string", "Item category, from the feed or else from `items`."),
        Column("brand", "string", "Item brand, from the feed or else from `items`."),
        Column("quantity", "bigint", "Pieces, >= 0; 0 in a further payment of a line; null if not stated."),
        Column("amount", MONEY, "Money in the reporting currency, >= 0; of a return, what was paid back."),
        Column("amount_original", MONEY, "The same money in the feed's currency."),
        Column("currency", "string", "ISO 4217 code of amount_original."),
        Column("discount", MONEY, "Discount granted, in the reporting currency, >= 0."),
        Column("price", MONEY, "List price of one piece in the reporting currency, from the feed or else from `items`."),
        Column("promotion_id", "string", "Promotion that the event belongs to; null outside promotions."),
        Column("dwell_seconds", "bigint", "Time spent, seconds, >= 0."),
        Column("content_type", "string", "Kind of content seen: short_video, live, article, ..."),
        Column("rating", "int", "Stars given in a review, 1-5."),
        Column("text", "string", "Words of a review, search or comment."),
        Column("attributes", "map<string,string>", "Everything else that the mapping keeps."),
        Column("id_hash", "bigint", "xxhash64 of event_id: an ingest looks for its ids here first.", nullable=False),
        _INGEST_SEQ,
    ),
    key=("namespace", "event_id", "ingest_seq"),
    partition_by=("event_month",),
)

RETRACTIONS = Table(
    "event_retraction",
    "Versions of events that were taken back, one row each: the event stays in `events`, for releases that knew it.",
    (
        Column("event_id", "string", "Id of the event within its namespace.", nullable=False),
        _NAMESPACE,
        Column("account_id", "string", "Account of the event.", nullable=False),
        Column("event_date", "date", "Local date of the event.", nullable=False),
        Column("event_month", "date", "First day of event_date's month.", nullable=False),
        Column("reason", "string", "Why, in words.", nullable=False),
        Column("ingest_seq", "bigint", "Number of the committed ingest from which on the event is not known any more.", nullable=False),
    ),
    key=("namespace", "event_id", "ingest_seq"),
)

ACCOUNTS = Table(
    "accounts",
    "What is known of an account, one row a version; the latest by (valid_from, ingest_seq) holds.",
    (
        Column("account_id", "string", "<namespace>:<native id> of the account.", nullable=False),
        _NAMESPACE,
        _SOURCE,
        Column("platform", "string", "Platform of the login.", nullable=False),
        Column("registered_at", "timestamp", "When the account was opened (UTC)."),
        Column("valid_from", "date", "Local date from which this version holds.", nullable=False),
        Column(
            "link_keys",
            "array<string>",
            "What accounts of one person share, sorted: keyed hashes (phone, ...) and plain keys (union id, ...).",
        ),
        Column("attributes", "map<string,string>", "Attributes as text; conf/features.yaml types and publishes them."),
        _INGEST_SEQ,
    ),
    key=("account_id", "valid_from", "ingest_seq"),
)

ITEMS = Table(
    "items",
    "What is known of an item, one row a version; the latest by ingest_seq holds.",
    (
        Column("item_id", "string", "<namespace>:<native id> of the item.", nullable=False),
        _NAMESPACE,
        _SOURCE,
        Column("category", "string", "Category that preferences count."),
        Column("brand", "string", "Brand that preferences count."),
        Column("name", "string", "Title shown to people."),
        Column("price", MONEY, "List price in the reporting currency."),
        Column("attributes", "map<string,string>", "Everything else that the mapping keeps."),
        _INGEST_SEQ,
    ),
    key=("item_id", "ingest_seq"),
)

QUARANTINE = Table(
    "quarantine",
    "Rows that could not be taken in, one each, with every reason.",
    (
        _SOURCE,
        Column("target", "string", "Table the row was meant for: events, accounts or items.", nullable=False),
        Column("path", "string", "File the row came from.", nullable=False),
        Column("reasons", "array<string>", "Every reason, sorted.", nullable=False),
        Column("raw", "string", "The record as JSON, or the line as read.", nullable=False),
        _INGEST_SEQ,
    ),
    key=(),
)

INGEST = Table(
    "ingest",
    "Committed ingests, one row a feed and ingest; read = loaded + duplicates + quarantined.",
    (
        _INGEST_SEQ,
        _SOURCE,
        Column("target", "string", "Table that was fed: events, accounts or items.", nullable=False),
        Column("ingested_at", "timestamp", "The time the ingest was told it runs at (UTC).", nullable=False),
        Column("files", "bigint", "Files taken in.", nullable=False),
        Column("read", "bigint", "Rows read.", nullable=False),
        Column("loaded", "bigint", "Rows added to the target.", nullable=False),
        Column("duplicates", "bigint", "Rows that were known already or stood twice.", nullable=False),
        Column("quarantined", "bigint", "Rows put in quarantine.", nullable=False),
        Column("retracted", "bigint", "Events taken back.", nullable=False),
        Column("ambiguous_times", "bigint", "Local times that occur twice (clock set back); the earlier was taken.", nullable=False),
        Column("nonexistent_times", "bigint", "Local times that do not exist (clock set forward); moved forward.", nullable=False),
        Column("min_event_date", "date", "First local date of the events loaded; null when none."),
        Column("max_event_date", "date", "Last local date of the events loaded; null when none."),
        Column("mapping_hash", "string", "Hash of the mapping used.", nullable=False),
    ),
    key=("ingest_seq",),
)

INGEST_TURN = Table(
    "ingest_turn",
    "Turns to ingest, one row each, of killed ingests too, and one more for a turn that ended without an ingest; only the latest writes.",
    (
        Column("turn", "bigint", "Number of the turn.", nullable=False),
        Column(
            "ingest_seq",
            "bigint",
            "Number of its ingest, or the last one if nothing was to do; the turn is over when it stands in `ingest`.",
            nullable=False,
        ),
    ),
    key=("turn",),
)

INGEST_FILE = Table(
    "ingest_file",
    "Files taken in, one row a file version; a file counts once its ingest_seq stands in `ingest`.",
    (
        _SOURCE,
        Column("target", "string", "Table that was fed.", nullable=False),
        Column("path", "string", "Path of the file.", nullable=False),
        Column("size", "bigint", "Bytes.", nullable=False),
        Column("modified_at", "timestamp", "Modification time.", nullable=False),
        Column("header_hash", "string", "Hash of the column names found.", nullable=False),
        Column("rows", "bigint", "Rows read from the file.", nullable=False),
        _INGEST_SEQ,
    ),
    key=("source", "target", "path", "ingest_seq"),
)

IDENTITY = Table(
    "identity",
    "Which user an account belongs to, one row an account known at as_of.",
    (
        Column("as_of", "date", "The links dated before this day were used.", nullable=False),
        Column("account_id", "string", "The account.", nullable=False),
        Column("user_id", "string", "The person behind it; minted from the group's first account.", nullable=False),
        Column("ingest_seq", "bigint", "What was known: the last ingest that was used.", nullable=False),
        Column("first_seq", "bigint", "The first ingest that brought something of the account, whatever its date.", nullable=False),
        Column("code", "string", "Version and hash of the code that linked the accounts.", nullable=False),
    ),
    key=("as_of", "account_id"),
    partition_by=("as_of",),
)

USER_ALIAS = Table(
    "user_alias",
    "User ids that changed because accounts were merged or parted, one row a change.",
    (
        Column("as_of", "date", "The day as of which the change was first seen.", nullable=False),
        Column("account_id", "string", "The account whose user changed.", nullable=False),
        Column("old_user_id", "string", "User before.", nullable=False),
        Column("new_user_id", "string", "User after.", nullable=False),
    ),
    key=("as_of", "account_id"),
    partition_by=("as_of",),
)

TILE_STATE = Table(
    "tile_state",
    "What the tiles were made from, one row.",
    (
        Column("ingest_seq", "bigint", "The tiles hold the events of all ingests up to this one.", nullable=False),
        Column("definition", "string", "Hash of the definitions, and hash of the code, by which they were made.", nullable=False),
        Column("complete", "boolean", "False while tiles are being changed.", nullable=False),
        Column("towards", "bigint", "Ingest that an update under way leads to; null when none is, and when they are made anew."),
        Column("since", "bigint", "Ingest that the last change started from; null when they were made anew."),
        Column("why_anew", "string", "Why the last change made them anew; null when it did not."),
        Column(
            "counts",
            "map<string,bigint>",
            "What was new to the last change: new_events, taken_back, account_days_touched, of these late_account_days.",
        ),
        Column("tables", "array<string>", "Tables ever made, sorted; when complete, those that the definitions do not need are empty."),
    ),
    key=("ingest_seq",),
)

_AS_OF = Column("as_of", "date", "The day the row describes: events before it count.", nullable=False)
FEATURES_STATE = Table(
    "user_features_state",
    "How each as_of of `user_features` was made, one row an as_of.",
    (
        _AS_OF,
        Column("ingest_seq", "bigint", "What was known: the last ingest that was used.", nullable=False),
        Column("definition", "string", "Hash of the definitions of what is stored.", nullable=False),
        Column("code", "string", "Hash of the code that decides values.", nullable=False),
        Column("users", "bigint", "Users of the as_of.", nullable=False),
        Column("recomputed", "bigint", "Users that were computed from tiles; the others were carried over from the base.", nullable=False),
        Column("base_as_of", "date", "as_of of the base; null when all users were computed."),
        Column("base_ingest_seq", "bigint", "What the base knew; null likewise."),
        Column("reasons", "map<string,bigint>", "Users by the first reason for which they were computed or left out.", nullable=False),
        Column("why_full", "string", "Why all users were computed; null when there was a base."),
    ),
    key=("as_of",),
)

DAY_STATE = Table(
    "day_state",
    "Whether days of `identity`, `user_scores`, `user_tags` and `user_segments` are whole, their histories too, one row a table and day.",
    (
        Column("table_name", "string", "The table.", nullable=False),
        _AS_OF,
        Column("ingest_seq", "bigint", "What was known; null when a run began the day and has not ended it."),
        Column("definition", "string", "Hash of the definitions and of the code that made the rows; null likewise."),
    ),
    key=("table_name", "as_of"),
    partition_by=("table_name",),
)

EXPIRED_DAY = Table(
    "expired_day",
    "Days that upkeep removed from `identity` and `user_tags`, one row a table and day; they may have been computed again since.",
    (
        Column("table_name", "string", "The table.", nullable=False),
        _AS_OF,
        Column("ingest_seq", "bigint", "What the day's rows knew: the last ingest that was used; null where rows do not say."),
    ),
    key=("table_name", "as_of"),
)

_USER = Column("user_id", "string", "The user.", nullable=False)

USER_SCORES = Table(
    "user_scores",
    "Scores of every user, one row a user and as_of.",
    (
        _AS_OF,
        _USER,
        Column("rfm_recency_days", "int", "Days from the last paid order to as_of; null without paid orders in the RFM window."),
        Column("rfm_frequency", "bigint", "Paid orders in the RFM window; null without paid orders in it."),
        Column("rfm_monetary", MONEY, "Paid less returned in the RFM window; null without paid orders in it."),
        Column("rfm_monetary_gross", MONEY, "Paid in the RFM window; null without paid orders in it."),
        Column("rfm_recency_score", "int", "Quintile 1-5, 5 the most recent; null without paid orders in the RFM window."),
        Column("rfm_frequency_score", "int", "Quintile 1-5, 5 the most orders; null likewise."),
        Column("rfm_monetary_score", "int", "Quintile 1-5, 5 the most money; null likewise."),
        Column("rfm_score", "string", "The three scores in the order R, F, M, such as 545; null likewise."),
        Column("rfm_segment", "string", "Named segment of conf/scores.yaml.", nullable=False),
        Column("lifecycle_stage", "string", "Stage of conf/scores.yaml; the first rule that holds.", nullable=False),
    ),
    key=("as_of", "user_id"),
    partition_by=("as_of",),
)

USER_TAGS = Table(
    "user_tags",
    "Tags that hold, one row a user, tag and as_of.",
    (_AS_OF, _USER, Column("tag", "string", "Name of the tag in conf/tags.yaml.", nullable=False)),
    key=("as_of", "user_id", "tag"),
    partition_by=("as_of",),
)

TAG_HISTORY = Table(
    "tag_history",
    "Tags gained and lost against the as_of before, one row a user, tag and change.",
    (
        _AS_OF,
        _USER,
        Column("tag", "string", "Name of the tag.", nullable=False),
        Column("change", "string", "gained or lost.", nullable=False),
    ),
    key=("as_of", "user_id", "tag"),
    partition_by=("as_of",),
)

USER_SEGMENTS = Table(
    "user_segments",
    "Segment of every user that the model covers, one row a user and as_of.",
    (
        _AS_OF,
        _USER,
        Column("segment_id", "int", "Segment's stable number.", nullable=False),
        Column("segment_name", "string", "Segment's name, made from what sets it apart.", nullable=False),
        Column("distance", "double", "Distance to the segment's centre in the scaled feature space.", nullable=False),
        Column("model_version", "string", "Version of the segment model used.", nullable=False),
    ),
    key=("as_of", "user_id"),
    partition_by=("as_of",),
)

SEGMENT_MODEL = Table(
    "segment_model",
    "Segment models with all that scoring needs, one row a model; at most one is the champion.",
    (
        Column("model_version", "string", "Version: day of training and hash of what it was trained on.", nullable=False),
        Column("status", "string", "champion (live), retired (was live) or rejected (failed a gate).", nullable=False),
        Column("status_as_of", "date", "as_of of the run that gave it its status.", nullable=False),
        Column("reason", "string", "Why this number of segments, or which gates failed.", nullable=False),
        Column("trained_as_of", "date", "as_of of the users it was trained on.", nullable=False),
        Column("ingest_seq", "bigint", "What was known: the last ingest that was used.", nullable=False),
        Column("spec_hash", "string", "Hash of features, choices, exclusion and clip in conf/segments.yaml.", nullable=False),
        Column("seed", "bigint", "Seed of the fit.", nullable=False),
        Column("k", "int", "Number of segments; 0 when nothing could be fitted.", nullable=False),
        Column("silhouette", "double", "Mean silhouette on the sample, -1 to 1; null when nothing could be fitted."),
        Column("users", "bigint", "Users covered.", nullable=False),
        Column("sample_users", "bigint", "Users that it was fitted on.", nullable=False),
        Column("exclude", "string", "Condition of users without a segment; null when all have one."),
        Column("clip", "double", "Scaled values beyond this are cut off.", nullable=False),
        Column(
            "features",
            "array<struct<name:string,expr:string,transform:string,fill:double,centre:double,scale:double,weight:double>>",
            "Features in the order of the vector: clip((transform(coalesce(expr, fill)) - centre) / scale) * weight.",
            nullable=False,
        ),
        Column(
            "segments",
            "array<struct<segment_id:int,segment_name:string,users:bigint,centroid:array<double>>>",
            "Segments: stable number, name, users when trained, centre in the scaled space.",
            nullable=False,
        ),
        Column(
            "trials",
            "array<struct<k:int,seed:bigint,cost:double,silhouette:double,smallest_share:double,users:array<bigint>>>",
            "The best fit of every number of segments tried, on the sample.",
            nullable=False,
        ),
        Column("mlflow_run_id", "string", "MLflow run; null when nothing could be fitted."),
        Column("mlflow_version", "string", "Version in the MLflow registry; null unless the model went live."),
    ),
    key=("model_version",),
)

SEGMENT_CARD = Table(
    "segment_card",
    "Persona cards: what sets a segment apart from all users, one row a segment and model.",
    (
        Column("model_version", "string", "The model.", nullable=False),
        Column("segment_id", "int", "Segment's stable number.", nullable=False),
        Column("segment_name", "string", "Name, made from what sets the segment apart.", nullable=False),
        Column("segment_name_zh", "string", "The same in Chinese.", nullable=False),
        Column("users", "bigint", "Users when the model was trained.", nullable=False),
        Column("share", "double", "Share of all users covered.", nullable=False),
        Column("description", "string", "In plain words.", nullable=False),
        Column("description_zh", "string", "The same in Chinese.", nullable=False),
        Column(
            "contrasts",
            "array<struct<name:string,mean:double,population:double,contrast:double>>",
            "Mean of each feature in the scaled space, that of all users, the difference in standard deviations; none for small segments.",
            nullable=False,
        ),
        Column(
            "traits",
            "array<struct<name:string,value:string,share:double,population:double>>",
            "Common values of each trait: share of the segment's users who have one, and of all users; none for small segments.",
            nullable=False,
        ),
        Column(
            "measures",
            "array<struct<name:string,mean:double,population:double>>",
            "Each measure's mean and that of all users, over users who have it; none for small segments.",
            nullable=False,
        ),
    ),
    key=("model_version", "segment_id"),
)

PROFILE_RELEASE = Table(
    "profile_release",
    "Ledger of releases, one row an entry; the last entry with `serving` names the release that `user_profile` holds.",
    (
        Column("seq", "bigint", "Number of the entry, 1 and up without gaps.", nullable=False),
        Column("release_id", "string", "Release: as_of and a hash of all that decides its content.", nullable=False),
        Column("as_of", "date", "Events before this day count.", nullable=False),
        Column("ingest_seq", "bigint", "What was known: the last ingest that was used.", nullable=False),
        Column("state", "string", "staged, audited, published, rejected or withdrawn.", nullable=False),
        Column("serving", "boolean", "Whether the entry makes the release the serving one.", nullable=False),
        Column("users", "bigint", "Profiles in the release.", nullable=False),
        Column("manifest", "string", "JSON: definitions, code, model, inputs, counts, audits.", nullable=False),
    ),
    key=("seq",),
)

RUN_LOG = Table(
    "run_log",
    "One row a stage of a run.",
    (
        Column("run_id", "string", "Id of the run.", nullable=False),
        Column("stage", "string", "Stage's name.", nullable=False),
        Column("as_of", "date", "The day as of which it ran; null for ingest."),
        Column("started_at", "timestamp", "Start (UTC).", nullable=False),
        Column("rows_in", "bigint", "Rows read; null when the stage failed before it knew."),
        Column("rows_out", "bigint", "Rows written; null when the stage failed."),
        Column("seconds", "double", "Duration, seconds.", nullable=False),
        Column("status", "string", "ok, skipped or failed.", nullable=False),
        Column("error", "string", "First line of the error; null unless failed."),
        Column("notes", "string", "Further figures of the stage, as JSON; null when it failed."),
    ),
    key=("run_id", "stage", "started_at"),
)
