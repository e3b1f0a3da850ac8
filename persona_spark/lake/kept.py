"""Frames that are computed once and read many times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


_PLACE = "__place"


def checkpointed(frame: DataFrame) -> DataFrame:
    """A frame computed once, and given back when nothing refers to it any more.

    What is on the heap Java goes through again and again; what was written to a disk a moment ago is in memory all the same.
    """
    # A checkpoint remembers by which columns its rows are sorted and in which task they are. Over the former Spark stumbles when it does
    # not have these columns any more; with the latter it takes two uses of the frame in one query for two frames, and makes twice
    # whatever is made of it. A shuffle by a column that is gone afterwards leaves nothing to remember.
    placed = frame.withColumn(_PLACE, F.xxhash64(*frame.columns)).repartition(_PLACE).drop(_PLACE)
    return placed.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)


def kept(frame: DataFrame) -> DataFrame:
    """A frame computed once, of known size, so that it is broadcast when it is small; to be unpersisted.

    Spark finds what is persisted by the form of its plan, and gives unions in it another form where a query reads them twice: they
    would be computed again each time. A checkpoint has no form. Alone it would pass for as large as the plan that made it, and the
    size of a join is the product of its sides: in a loop of joins these grow to numbers that take minutes to multiply. But two
    uses of a kept frame in one query are two to Spark, so that a broadcast of it, say, is made for each; those of a checkpoint are one.
    """
    held = checkpointed(frame).persist(StorageLevel.DISK_ONLY)
    held.count()
    return held
