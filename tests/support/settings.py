"""Other settings for a part of a test."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql import SparkSession


@contextmanager
def settings_of(spark: SparkSession, settings: dict[str, str]) -> Iterator[None]:
    """The session with other settings, and with its own again afterwards."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, str(old))


def restore(spark: SparkSession, settings: Mapping[str, str]) -> None:
    """Give the session all of these settings and no others: `build_session` sets its own on one that is active."""
    now = dict(spark.conf.getAll)
    for name in (name for name in {*settings, *now} if settings.get(name) != now.get(name)):
        # Fixed at the start, some can be neither set nor unset; the other value shown for them is not used.
        with suppress(AnalysisException):
            if name in settings:
                spark.conf.set(name, settings[name])
            else:
                spark.conf.unset(name)
