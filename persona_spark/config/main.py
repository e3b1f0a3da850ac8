"""The main configuration file: which lake, which zone and currency, and which files hold the definitions."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from persona_spark.config.base import Strict
from persona_spark.time import is_zone


class LakeConf(Strict):
    """Where the tables are: a folder or a catalog schema, and what is fixed for the lake's life."""

    path: str | None = None
    catalog_schema: str | None = None
    zone: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        if not is_zone(zone):
            msg = f"zone {zone!r} is not an IANA time zone: write for example Asia/Shanghai"
            raise ValueError(msg)
        return zone

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.catalog_schema is None):
            msg = "give either path (a folder) or catalog_schema, not both"
            raise ValueError(msg)
        return self


class IngestConf(Strict):
    """Limits beyond which a row is put in quarantine."""

    largest_amount: Decimal = Field(default=Decimal(10_000_000), gt=0)
    earliest_date: date = date(2000, 1, 1)


class MlflowConf(Strict):
    """Where MLflow keeps runs and models; null means SQLite and a folder beside the lake."""

    tracking_uri: str | None = None
    experiment: str = "persona-spark"
    model_name: str = "persona-segments"


class AuditConf(Strict):
    """What a release must hold beside the audits that every release must pass.

    Attributes:
        largest_user_drop: share of the serving release's users by which a release may be smaller.
        largest_null_rate: for a column of the profile, the share of users that may have null in it.
    """

    largest_user_drop: float = Field(default=0.1, ge=0, le=1)
    largest_null_rate: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)


class UpkeepConf(Strict):
    """What `persona upkeep` keeps.

    Attributes:
        vacuum_days: files of versions older than so many days are deleted; not below 7, which Delta holds to be safe.
        days: how many days before the newest stay in tables with rows of each as_of; older ones are computed again when they are asked for.
        files_a_partition: partitions with more files are put together.
    """

    vacuum_days: int = Field(default=7, ge=7)
    days: int = Field(default=45, ge=1)
    files_a_partition: int = Field(default=8, ge=1)


class MainConf(Strict):
    """`persona.yaml`: paths of the definition files are relative to it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    lake: LakeConf
    sources: tuple[str, ...] = Field(min_length=1)
    features: str = "features.yaml"
    scores: str = "scores.yaml"
    tags: str = "tags.yaml"
    segments: str = "segments.yaml"
    ingest: IngestConf = IngestConf()
    mlflow: MlflowConf = MlflowConf()
    audits: AuditConf = AuditConf()
    upkeep: UpkeepConf = UpkeepConf()
