"""Starting the project's commands as a user would: another process, another folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
PLAIN_SPARK = Path(__file__).parent / "plain_spark"
"""Spark's settings for a few hundred rows."""

FIRST_COMPILER = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m"
"""For Java processes of a minute: a second compiler would be two fifths of it, and by default the first one alone gets little room."""

SMALL_COMMAND = {"SPARK_CONF_DIR": str(PLAIN_SPARK), "SPARK_DRIVER_MEMORY": "1g", "SPARK_SUBMIT_OPTS": FIRST_COMPILER, "COLUMNS": "160"}
"""What the environment of a command says of its Spark, on two cores' worth of memory, and of its terminal."""


def environment(**variables: str) -> dict[str, str]:
    """The environment of a command that imports this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    return {**kept, **SMALL_COMMAND, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **variables}


def persona(*arguments: str, cwd: Path, timeout: float = 900, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `persona` and wait for it."""
    command = [sys.executable, "-m", "persona_spark.cli", *arguments]
    return run(command, cwd=cwd, timeout=timeout, env=environment(**variables))


def run(command: Sequence[str | Path], *, cwd: Path, env: dict[str, str], timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run any command and wait for it."""
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=timeout)
