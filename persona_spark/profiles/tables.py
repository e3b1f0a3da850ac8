"""The contracts of the published tables, made from the configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from persona_spark.config.tile_tables import user_features_table
from persona_spark.schema import USER_SCORES, Column, Table

if TYPE_CHECKING:
    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake

_RELEASE = Column("release_id", "string", "Release that the row belongs to.", nullable=False)
_TAGS = Column("tags", "array<string>", "Names of the tags that hold, sorted; empty when none does.", nullable=False)
_SEGMENT = (
    Column("segment_id", "int", "KMeans segment's stable number; null when the model does not cover the user."),
    Column("segment_name", "string", "Segment's name; null likewise."),
)
_FIRST = ("user_id", "as_of")


def user_profile_table(conf: Conf) -> Table:
    """`user_profile`: exactly the serving release, one row a user."""
    return Table("user_profile", "Profiles of the serving release, one row a user.", _columns(conf), key=("user_id",), as_is=True)


def user_profile_history_table(conf: Conf) -> Table:
    """`user_profile_history`: every release kept, one row a user and release."""
    comment = "Profiles of all releases kept, one row a user and release; null where a release did not have the column."
    columns = tuple(replace(column, nullable=True) for column in _columns(conf))
    return Table("user_profile_history", comment, columns, key=("release_id", "user_id"), partition_by=("release_id",), as_is=True)


def check_types(lake: Lake, conf: Conf) -> None:
    """Find a definition whose type is not that of its stored column, before any work is done for it.

    Raises:
        LakeError: when there is one.
    """
    for table in (user_features_table(conf.features), user_profile_table(conf), user_profile_history_table(conf)):
        lake.check(table)


def _columns(conf: Conf) -> tuple[Column, ...]:
    base = {column.name: column for column in conf.features.profile_columns()}
    scores = [column for column in USER_SCORES.columns if column.name not in _FIRST]
    rest = [column for name, column in base.items() if name not in _FIRST]
    return (*(base[name] for name in _FIRST), _RELEASE, *rest, *scores, *_SEGMENT, _TAGS)
