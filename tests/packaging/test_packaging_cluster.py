"""A standalone cluster of a master and two workers runs the job by spark-submit and makes the release that a local run makes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyspark
import pytest
from commands import ROOT, environment, run
from deltalake import DeltaTable
from tiny_shop import AS_OF, write_tiny_shop

from persona_spark import pipeline
from persona_spark.config.load import load_conf
from persona_spark.lake.info import open_lake
from persona_spark.lake.session import DELTA_PACKAGE
from persona_spark.run_log import RunLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from pyspark.sql import SparkSession

SPARK = Path(pyspark.__file__).parent
WORKERS = 2
READY_SECONDS = 300


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cluster_environment() -> dict[str, str]:
    return {
        **environment(),
        "SPARK_HOME": str(SPARK),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "PYSPARK_PYTHON": sys.executable,
    }


@contextmanager
def daemon(arguments: list[str], log: Path) -> Iterator[None]:
    """A process of Spark's, in a group of its own, gone when the block ends."""
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [SPARK / "bin" / "spark-class", *arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=cluster_environment(),
            cwd=log.parent,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(pattern: str, log: Path, times: int = 1) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if len(re.findall(pattern, log.read_text(encoding="utf-8"))) >= times:
            return
        time.sleep(0.5)
    pytest.fail(f"{log.name} never said {pattern!r}:\n{log.read_text(encoding='utf-8')[-2000:]}")


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of a master with two workers of one core each."""
    port, package = free_port(), "org.apache.spark.deploy"
    address = f"spark://127.0.0.1:{port}"
    with ExitStack() as daemons:
        master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(free_port())]
        daemons.enter_context(daemon(master, folder / "master.log"))
        wait_for("New state: ALIVE", folder / "master.log")
        for number in range(WORKERS):
            options = ["--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", str(free_port())]
            command = [f"{package}.worker.Worker", *options, "--work-dir", str(folder / f"work{number}"), address]
            daemons.enter_context(daemon(command, folder / f"worker{number}.log"))
        wait_for("Registering worker", folder / "master.log", times=WORKERS)
        yield address


def published(lake: Path) -> pd.DataFrame:
    return DeltaTable(str(lake / "user_profile")).to_pandas().sort_values("user_id", ignore_index=True)


def test_two_workers_make_the_release_that_a_local_run_makes(spark: SparkSession, tmp_path: Path) -> None:
    conf = write_tiny_shop(tmp_path)
    arguments = ["--conf", str(conf), "--as-of", AS_OF]
    with cluster(tmp_path) as address:
        submit = [
            str(SPARK / "bin" / "spark-submit"),
            "--master",
            address,
            "--packages",
            DELTA_PACKAGE,
            "--conf",
            "spark.sql.shuffle.partitions=2",
        ]
        submit += ["--conf", "spark.executor.memory=800m", "--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"]
        job = [*submit, str(ROOT / "jobs" / "run.py"), *arguments, "--lake", str(tmp_path / "cluster")]
        done = run(job, cwd=tmp_path, env=cluster_environment(), timeout=900)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        wait_for("Launching executor", tmp_path / "master.log", times=WORKERS)
    loaded = load_conf(conf)
    local = open_lake(spark, loaded.main.lake, loaded.folder, str(tmp_path / "local"))
    pipeline.run(local, loaded, date.fromisoformat(AS_OF), RunLog(local, "local", datetime.now(tz=UTC)))
    ours, theirs = published(tmp_path / "cluster"), published(tmp_path / "local")
    assert len(ours) > 0
    assert ours.equals(theirs), ours.compare(theirs)
