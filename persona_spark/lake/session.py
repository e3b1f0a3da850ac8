"""The one place that builds a Spark session.

Started by spark-submit, the session takes what the cluster gives and sets only what correctness needs. Started from
Python or the command line, it is a local session with settings for one machine.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from persona_spark.errors import SetupError
from persona_spark.java import check_java
from persona_spark.lake.launch import quiet_launch, said_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DRIVER_MEMORY = "4g"
"""Heap of a local session, unless SPARK_DRIVER_MEMORY says otherwise."""

DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13:4.4.0"

_CORRECTNESS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Files of Chinese shops are often GBK, which Spark otherwise refuses to read.
    "spark.sql.legacy.javaCharsets": "true",
    # A pruned CSV read does not look at all fields of a line, so it would miss lines that are too short or too long.
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    # As other engines store timestamps; Spark's own default takes 12 bytes, has no statistics and is slow to read.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # pandas and other writers store timestamps with nanoseconds; Spark reads them as numbers that a mapping can name.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
}
_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
_CODE = {
    # Frames of hundreds of columns make more classes than the 100 that are kept by default: each task would compile them again.
    "spark.sql.codegen.cache.maxEntries": "4000",
    # Beyond this many fields, by default 100, those in structs among them, operators are not compiled into one method. The windows of
    # all measures have fewer; a step that copies more makes a method that Java's compilers give up, and would interpret for each user.
    "spark.sql.codegen.maxFields": "250",
    # The accounts of that many users are put together by hashing; from the 129th user on, by default, all rows are sorted instead.
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
    # Users and their days are far more groups than the small map holds that is searched before the large one.
    "spark.sql.codegen.aggregate.map.twolevel.enabled": "false",
    # Each of the dozen frames that make a row of features holds a page at least. By default one is up to 64 MB, so that a task with less
    # than a gigabyte ends for want of memory, however few rows there are.
    "spark.buffer.pageSize": "8m",
}
"""How plans of hundreds of columns are compiled and run, also under spark-submit."""
_COMPACT_HEADERS_SINCE = 25
_LOCAL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Large aggregations find more of their groups in the processor's cache; the partitions of small ones are put together again.
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "128",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.sql.adaptive.advisoryPartitionSizeInBytes": "32m",
    # The aim for stages with a cross join, such as that of the rows of features, which by default would keep to 1 MB.
    "spark.sql.adaptive.coalescePartitions.minPartitionSize": "16m",
    # The accounts of some hundred thousand users, so that tiles need not be shuffled by account before they are by user.
    "spark.sql.autoBroadcastJoinThreshold": "64m",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.databricks.delta.optimizeWrite.enabled": "true",
    # Otherwise every column function looks up its caller: half of the time of building a frame of hundreds of columns.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}


def started_by_submit() -> bool:
    """Whether spark-submit started this process and owns the session's resources."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def build_session(app_name: str = "persona-spark", settings: Mapping[str, str] | None = None) -> SparkSession:
    """The session, new or the one that is active.

    Args:
        app_name: name shown by the cluster.
        settings: Spark settings that win over the local defaults; correctness settings cannot be changed.

    Raises:
        SetupError: when Java is missing, too old or unsafe, or when Spark or the Delta jars cannot be loaded.
    """
    if started_by_submit():
        defaults = {**_DELTA, **_CODE}
    else:
        java = check_java()[0]
        cores = os.cpu_count() or 1
        defaults = {
            "spark.master": f"local[{cores}]",
            "spark.jars.packages": DELTA_PACKAGE,
            "spark.sql.shuffle.partitions": str(max(4, 2 * cores)),
            **_LOCAL,
            "spark.driver.extraJavaOptions": java_options(java),
            "spark.driver.memory": os.environ.get("SPARK_DRIVER_MEMORY", DRIVER_MEMORY),
            **_DELTA,
            **_CODE,
        }
    # PySpark prints each analysis error with Java's stack before it raises it; what is raised says all that a reader needs.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)
    wanted = {**defaults, **(settings or {}), **_CORRECTNESS}
    builder = SparkSession.builder.appName(app_name)
    for key, value in wanted.items():
        builder = builder.config(key, value)
    if started_by_submit():
        return _start(builder, None)
    with quiet_launch() as log:
        spark = _start(builder, log)
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def java_options(java: int) -> str:
    """What a local session starts Java of the major version `java` with."""
    options = [
        # The default collector trades throughput for short pauses, which nobody waits for here.
        "-XX:+UseParallelGC",
        # With Java's own thresholds its second compiler works on thousands of methods of planning and generating code, and takes the
        # cores from the tasks; with much higher ones what is run once a user stays slow.
        "-XX:Tier4InvocationThreshold=20000",
        "-XX:Tier4MinInvocationThreshold=4000",
        "-XX:Tier4CompileThreshold=60000",
        "-XX:Tier4BackEdgeThreshold=160000",
    ]
    if sys.platform == "linux":
        # Spares the processor some of the way to a group in a large map; Java of other systems does not know the option.
        options.append("-XX:+UseTransparentHugePages")
    if java >= _COMPACT_HEADERS_SINCE:
        # Objects take less of the processor's cache; older Java does not know the option.
        options.append("-XX:+UseCompactObjectHeaders")
    return " ".join(options)


def _start(builder: SparkSession.Builder, log: Path | None) -> SparkSession:
    try:
        return builder.getOrCreate()
    except (PySparkException, RuntimeError) as error:
        told = said_in(log) if log else ""
        unresolved = "unresolved dependenc" in told.lower()
        why = (
            f"the Delta jars ({DELTA_PACKAGE}) could not be fetched: check the network or the Ivy settings"
            if unresolved
            else f"{str(error).splitlines()[0]}\n{told}".strip()
        )
        raise SetupError(f"Spark did not start: {why}. `persona doctor` checks each part.") from error
