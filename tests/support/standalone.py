"""A standalone Spark cluster on this machine, and jobs submitted to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyspark
import pytest
from commands import FIRST_COMPILER, environment, run

from persona_spark.lake.session import DELTA_PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

SPARK = Path(pyspark.__file__).parent
WORKERS = 2
READY_SECONDS = 300
SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.executor.memory": "800m",
    "spark.executor.extraJavaOptions": FIRST_COMPILER,
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
}
"""What fits a few hundred rows on one machine."""


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
        "SPARK_DAEMON_JAVA_OPTS": FIRST_COMPILER,
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


def submit(address: str, job: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a job on the cluster at `address` and wait for it."""
    command = [str(SPARK / "bin" / "spark-submit"), "--master", address, "--packages", DELTA_PACKAGE]
    command += [part for key, value in SMALL.items() for part in ("--conf", f"{key}={value}")]
    return run([*command, str(job), *arguments], cwd=cwd, env=cluster_environment(), timeout=900)
