"""Where a local Java process of Spark writes what is meant for nobody: Ivy's report of jars, warnings of native libraries.

Java inherits the error stream of the process that starts it, for good. Started with a file in its place, it leaves the
user's terminal to persona-spark; what goes wrong later reaches Python as an exception all the same.
"""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_VARIABLE = "PERSONA_SPARK_LOG"
"""Environment variable that names a file to keep Spark's own log in; without it the log lives as long as the process."""
_LAST_LINES = 12
_STDERR = 2


@contextmanager
def quiet_launch() -> Iterator[Path]:
    """While it holds, a process that is started writes its errors to a file; gives the file."""
    log = _log_file()
    sys.stderr.flush()
    ours = os.dup(_STDERR)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.dup2(file, _STDERR)
        yield log
    finally:
        os.dup2(ours, _STDERR)
        os.close(ours)
        os.close(file)


def said_in(log: Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    marked = [line for line in lines if "unresolved dependenc" in line.lower()]
    return "\n".join([*marked[:1], *lines[-_LAST_LINES:]])


def _log_file() -> Path:
    wanted = os.environ.get(LOG_VARIABLE)
    if wanted:
        return Path(wanted)
    handle, name = tempfile.mkstemp(prefix="persona-spark-", suffix=".log")
    os.close(handle)
    atexit.register(Path(name).unlink, missing_ok=True)
    return Path(name)
