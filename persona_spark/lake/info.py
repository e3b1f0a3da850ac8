"""Opening a lake: its zone and currency are fixed when it is first used, and checked ever after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from persona_spark.errors import LakeError
from persona_spark.lake.contract import frame_of
from persona_spark.lake.folder import check_writable
from persona_spark.lake.tables import Lake
from persona_spark.schema import LAKE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from persona_spark.config.main import LakeConf

LAYOUT = 3
"""Version of the tables' layout; a lake of another version is refused."""


def open_lake(spark: SparkSession, conf: LakeConf, folder: Path, path: str | None = None, *, create: bool = True) -> Lake:
    """The lake that the configuration names, created when it is new.

    Args:
        spark: the session.
        conf: the `lake` part of the main configuration file.
        folder: where a relative path of the configuration starts.
        path: a folder that wins over the configuration; relative to the working directory.
        create: whether a new lake is created; if not, nothing is written, and it reads as an empty one.

    Raises:
        LakeError: when the lake was made with another zone, currency or layout.
    """
    lake = Lake(spark, path=lake_path(conf, folder, path), schema=None if path else conf.catalog_schema)
    wanted = {"zone": conf.zone, "currency": conf.currency, "layout": LAYOUT}
    if not lake.exists(LAKE):
        if not create:
            return lake
        lake.replace(frame_of(spark, LAKE, [wanted]), LAKE)
        return lake
    found = lake.read(LAKE).select(*wanted).collect()[0].asDict()
    if found != wanted:
        raise LakeError(
            f"the lake {lake.root or lake.schema} was made with {_told(found)}, but this is {_told(wanted)}: zone and currency, which the "
            "configuration says, and the layout, which the version of persona-spark says, are fixed for the life of a lake; use another "
            "lake, or correct the configuration"
        )
    return lake


def _told(info: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in info.items())


def lake_path(conf: LakeConf, folder: Path, path: str | None = None) -> str | None:
    """The lake's folder; None when the lake is a catalog schema."""
    if path is not None:
        return path
    if conf.path is None or "://" in conf.path:
        return conf.path
    return str((folder / conf.path).resolve())


def check_place(conf: LakeConf, folder: Path, path: str | None = None) -> None:
    """Fail before Spark starts when a local lake folder cannot be written.

    Raises:
        SetupError: when it cannot.
    """
    place = lake_path(conf, folder, path)
    if place is not None:
        check_writable(place)
