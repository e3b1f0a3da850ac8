"""Frames that are computed once and read many times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def checkpointed(frame: DataFrame) -> DataFrame:
    """A frame computed once, and given back when nothing refers to it any more.

    What is on the heap Java goes through again and again; what was written to a disk a moment ago is in memory all the same.
    """
    # A checkpoint of sorted rows remembers their order by columns that it may not have, over which Spark stumbles. A shuffle forgets it;
    # by less than all columns it would be left out where the rows lie so already.
    return frame.repartition(*frame.columns).localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)


def kept(frame: DataFrame) -> DataFrame:
    """A frame computed once, of known size, so that it is broadcast when it is small; to be unpersisted.

    Spark finds what is persisted by the form of its plan, and gives unions in it another form where a query reads them twice: they
    would be computed again each time. A checkpoint has no form. Alone it would pass for as large as the plan that made it, and the
    size of a join is the product of its sides: in a loop of joins these grow to numbers that take minutes to multiply.
    """
    held = checkpointed(frame).persist(StorageLevel.DISK_ONLY)
    held.count()
    return held
