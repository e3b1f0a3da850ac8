"""Processes that a benchmark starts: how long each took, and the largest memory of it and of all that it started.

Memory is what the operating system says, looked at every two seconds, since looking itself takes time. Pages that processes share
count once: for a moment after Java has started a command of the system, both hold the whole heap.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
MIB = 1024**2
_LOOK_EVERY = 2
_LAST_CHARACTERS = 4000


@dataclass
class Peak:
    """The largest memory of a process and its descendants, bytes; 0 where there is no /proc."""

    pid: int
    largest: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until `stop` is called."""
        while not self._done.wait(_LOOK_EVERY):
            self.largest = max(self.largest, tree_memory(self.pid))

    def stop(self) -> None:
        """End the watching."""
        self._done.set()


def tree_memory(root: int) -> int:
    """Memory now, bytes, of a process and its descendants: resident pages, each divided among those that share it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(map(proportional_memory, family))


def proportional_memory(pid: int) -> int:
    """Proportional set size of a process, bytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@dataclass(frozen=True)
class Part:
    """One command as it ended.

    Attributes:
        seconds: on the clock, its start included.
        peak: largest memory, bytes.
        code: its exit code.
    """

    seconds: float
    peak: int
    code: int = 0


def timed(command: Sequence[str], log: Path, settings: Mapping[str, str], *, must: bool = True) -> Part:
    """Run Python with `command`, its output going to `log`.

    Args:
        command: arguments of the interpreter.
        log: file for what it says.
        settings: environment variables beside those of this process.
        must: whether to end this process, showing what was said, when the command fails.

    Raises:
        SystemExit: when the command failed and must not.
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **settings}
    begun = time.perf_counter()
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen([sys.executable, *command], stdout=out, stderr=subprocess.STDOUT, env=env, cwd=ROOT)  # noqa: S603 - our own command
        peak = Peak(process.pid)
        watcher = threading.Thread(target=peak.watch, daemon=True)
        watcher.start()
        try:
            code = process.wait()
        finally:
            peak.stop()
            watcher.join()
    if code and must:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text(encoding='utf-8')[-_LAST_CHARACTERS:]}")
    return Part(time.perf_counter() - begun, peak.largest, code)
