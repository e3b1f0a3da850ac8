"""Reading releases: for notebooks, the command line and other Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.errors import LakeError, UsageError
from persona_spark.lake.dates import on_day
from persona_spark.lake.tables import Lake
from persona_spark.profiles.ledger import PUBLISHED, serving_entry
from persona_spark.schema import PROFILE_RELEASE, Column, Table
from persona_spark.time import parse_date

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame, Row, SparkSession

_KEY = (Column("release_id", "string", ""), Column("user_id", "string", ""))
_PROFILE = Table("user_profile", "", _KEY, ("user_id",))
_HISTORY = Table("user_profile_history", "", _KEY, ("release_id", "user_id"))


class Profiles:
    """The releases of a lake.

    Args:
        spark: the session.
        lake: the lake, or its folder.
    """

    def __init__(self, spark: SparkSession, lake: Lake | str) -> None:
        self._lake = lake if isinstance(lake, Lake) else Lake(spark, path=lake)

    def latest(self) -> DataFrame:
        """The serving release, one row a user.

        Raises:
            LakeError: when nothing has been published.
        """
        serving = serving_entry(self._lake)
        if serving is None:
            raise LakeError(f"nothing has been published in {self._lake.root or self._lake.schema}: run persona run first")
        return self._profiles(serving.release_id)

    def as_of(self, day: date | str) -> DataFrame:
        """The release published last for `day`, a date or text such as 2018-01-01.

        Raises:
            UsageError: when there is none; names the days that there are.
        """
        published = self._published()
        wanted = parse_date(day) if isinstance(day, str) else day
        found = published.where(on_day(wanted)).orderBy(F.desc("seq")).limit(1).collect()
        if not found:
            days = [str(row.as_of) for row in published.select("as_of").distinct().orderBy(F.desc("as_of")).limit(10).collect()]
            raise UsageError(f"there is no release as of {day}; the latest are {', '.join(days) or 'none'}")
        return self._profiles(found[0].release_id)

    def release(self, release_id: str) -> DataFrame:
        """A release by its id.

        Raises:
            UsageError: when it is unknown; names the latest ones.
        """
        if not self._published().where(F.col("release_id") == F.lit(release_id)).limit(1).collect():
            known = [row.release_id for row in self._published().orderBy(F.desc("seq")).limit(5).collect()]
            raise UsageError(f"there is no published release {release_id}; the latest are {', '.join(known) or 'none'}")
        return self._profiles(release_id)

    def releases(self) -> DataFrame:
        """One row a release, newest first: release_id, as_of, ingest_seq, state, serving, users, manifest."""
        return releases(self._lake)

    def _profiles(self, release_id: str) -> DataFrame:
        return self._lake.read(_HISTORY).where(F.col("release_id") == F.lit(release_id))

    def _published(self) -> DataFrame:
        """Releases whose last entry is published, one row each."""
        return _last_entries(self._lake).where(F.col("state") == F.lit(PUBLISHED))


def releases(lake: Lake) -> DataFrame:
    """One row a release, newest first, with its last state and whether it is serving."""
    serving = serving_entry(lake)
    is_serving = F.col("release_id") == F.lit(None if serving is None else serving.release_id)
    named = _last_entries(lake).withColumn("serving", F.coalesce(is_serving, F.lit(False)))  # noqa: FBT003 - a literal
    return named.orderBy(F.desc("seq")).select("release_id", "as_of", "ingest_seq", "state", "serving", "users", "manifest")


def profile_of(lake: Lake, name: str) -> Row:
    """The serving profile of a user, found by user id or by the id of one of the accounts.

    Raises:
        LakeError: when nothing has been published.
        UsageError: when nobody has the id.
    """
    profiles = Profiles(lake.spark, lake).latest()
    found = profiles.where((F.col("user_id") == F.lit(name)) | F.array_contains("account_ids", name)).limit(1).collect()
    if not found:
        example = profiles.select("user_id").limit(1).collect()
        hint = f"; an id looks like {example[0].user_id}" if example else ""
        raise UsageError(f"nobody in the serving release has the user or account id {name!r}{hint}")
    return found[0]


def _last_entries(lake: Lake) -> DataFrame:
    ledger = lake.read(PROFILE_RELEASE)
    last = F.max_by(F.struct(*ledger.columns), "seq").alias("last")
    return ledger.groupBy("release_id").agg(last).select("last.*")
