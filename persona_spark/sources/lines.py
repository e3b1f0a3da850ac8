"""Text files line by line, in any encoding, and the first lines of each."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from persona_spark.sources.feed import file_path, file_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.config.sources import Files
    from persona_spark.sources.feed import FeedFile

LINE = "persona__line"
_NEVER = "\ufdd0"
"""A code point that Unicode keeps out of all text: as a separator it leaves lines whole."""
_PARALLEL = 4


def read_lines(spark: SparkSession, files: Files, found: Sequence[FeedFile], *, skip_header: bool, whole: bool = False) -> DataFrame:
    """The lines of text files, blank ones aside.

    The csv reader is used because it alone drops the first line of each file and knows encodings and byte order marks.

    Args:
        spark: the session.
        files: how they are written.
        found: which to read.
        skip_header: whether to leave out the first line of each.
        whole: whether to read each file as one piece, which encodings of several bytes a character need.

    Returns:
        Columns `LINE`, `PATH`, `FILE_TIME`.
    """
    options = {"sep": _NEVER, "quote": "", "encoding": files.encoding, "header": str(skip_header).lower()}
    options["multiLine"] = str(whole).lower()
    lines = spark.read.schema(f"{LINE} string").options(**options).csv([literal(file.path) for file in found])
    return lines.select(LINE, file_path(), file_time())


def first_lines(spark: SparkSession, files: Files, found: Sequence[FeedFile], count: int) -> list[list[str]]:
    """The first `count` lines of each file, without a byte order mark; reads no more than that."""

    def read(file: FeedFile) -> list[str]:
        rows = read_lines(spark, files, [file], skip_header=False, whole=files.multiline).select(LINE).head(count)
        return [str(row[0]).removeprefix("\ufeff") for row in rows]

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(read, found))


def literal(path: str) -> str:
    """`path` so that no character of it is taken for a pattern."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", path)
