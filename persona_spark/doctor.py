"""What this machine has of what persona-spark needs: each part checked by itself, with what to do when it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from persona_spark.config.check import checked_conf
from persona_spark.errors import PersonaError
from persona_spark.java import check_java, dotted, java_command, java_user_home
from persona_spark.lake.folder import check_writable
from persona_spark.lake.info import lake_path
from persona_spark.lake.session import DELTA_PACKAGE, DRIVER_MEMORY

if TYPE_CHECKING:
    from persona_spark.config.load import Conf

MINIMUM_PYTHON = (3, 11)
PACKAGES = {"pyspark": "4.2.0", "delta-spark": "4.4.0"}
"""Versions that work together; others fail at the first table."""
MINIMUM_FREE_DISK_GIB = 2
FETCH_SECONDS = 300
_GIB = 1024**3
_UNITS = {"k": 1024, "m": 1024**2, "g": _GIB, "t": 1024 * _GIB}


@dataclass(frozen=True)
class Check:
    """One part that was looked at.

    Attributes:
        name: the part.
        ok: whether it is as it must be.
        detail: what was found.
        todo: what to do when it is not.
    """

    name: str
    ok: bool
    detail: str
    todo: str = ""


def examine(conf: Path | None = None, lake: str | None = None) -> list[Check]:
    """Look at everything that a run needs; a part that fails does not keep the others from being looked at.

    Args:
        conf: a main configuration file to check as well.
        lake: folder of the lake, which wins over the configuration; without both, `./lake`.
    """
    java = check_java_found()
    configuration, loaded = check_configuration(conf) if conf else (None, None)
    found = [check_python(), check_packages(), java, check_jars() if java.ok else Check("Delta jars", ok=False, detail="not looked for")]
    found.append(check_memory())
    if configuration:
        found.append(configuration)
    place = lake or (lake_path(loaded.main.lake, loaded.folder) if loaded else "lake")
    if place:
        found.append(check_lake(place))
    return found


def check_python() -> Check:
    """Whether this Python is new enough."""
    detail = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro} ({sys.executable})"
    minimum = ".".join(str(part) for part in MINIMUM_PYTHON)
    return Check("Python", sys.version_info[:2] >= MINIMUM_PYTHON, detail, f"install Python {minimum} or newer")


def check_packages() -> Check:
    """Whether PySpark and Delta are the versions that work together."""
    found = {name: _installed(name) for name in PACKAGES}
    detail = ", ".join(f"{name} {found[name]}" for name in PACKAGES)
    wanted = " ".join(f"{name}=={number}" for name, number in PACKAGES.items())
    return Check("Python packages", found == PACKAGES, detail, f"run: python -m pip install {wanted}")


def check_java_found() -> Check:
    """Whether Spark can start the Java that it would find."""
    try:
        version = check_java()
    except PersonaError as error:
        return Check("Java", ok=False, detail=str(error), todo="install a JDK, then open a new shell; `java -version` shows what is found")
    return Check("Java", ok=True, detail=f"{dotted(version)} ({java_command()})")


def check_jars() -> Check:
    """Whether the Delta jars are in Ivy's folder; when they are not, Spark is started once to fetch them."""
    home = java_user_home()
    if home and any(Path(home).glob(f".ivy2*/jars/{_jar_file()}")):
        return Check("Delta jars", ok=True, detail=f"{DELTA_PACKAGE} (in the Ivy folder)")
    code = "from persona_spark.lake.session import build_session; build_session('persona doctor').stop()"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=FETCH_SECONDS)  # noqa: S603 - this Python
        last = done.stderr.strip().splitlines()[-1:]
        ok, detail = (
            done.returncode == 0,
            f"{DELTA_PACKAGE} " + ("(fetched now)" if done.returncode == 0 else f"not fetched: {''.join(last)}"),
        )
    except subprocess.TimeoutExpired:
        ok, detail = False, f"{DELTA_PACKAGE} not fetched within {FETCH_SECONDS} seconds"
    todo = "check the network, the proxy settings of Java (JAVA_TOOL_OPTIONS), or set spark.jars.ivySettings in spark-defaults.conf"
    return Check("Delta jars", ok, detail, todo)


def check_memory() -> Check:
    """Whether the machine, or the container, has room for the heap of a local session."""
    wanted = os.environ.get("SPARK_DRIVER_MEMORY", DRIVER_MEMORY)
    heap, total = memory_bytes(wanted), _total_memory()
    if heap is None:
        return Check("Memory", ok=False, detail=f"SPARK_DRIVER_MEMORY is {wanted!r}", todo="write it as 4g or 4096m")
    if total is None:
        return Check("Memory", ok=True, detail=f"heap of {wanted}; the machine does not tell its memory")
    detail = f"{total / _GIB:.1f} GiB, of which Spark takes a heap of {wanted}"
    return Check("Memory", total > heap, detail, f"set SPARK_DRIVER_MEMORY to less, for example {max(1, int(total / _GIB / 2))}g")


def check_configuration(path: Path) -> tuple[Check, Conf | None]:
    """Whether the configuration has no mistakes; overdue reviews are left to `persona check`."""
    try:
        conf = checked_conf(path)
    except PersonaError as error:
        return Check("Configuration", ok=False, detail=str(error), todo=f"correct it; persona check --conf {path} shows the same"), None
    return Check("Configuration", ok=True, detail=str(path)), conf


def check_lake(path: str) -> Check:
    """Whether the lake's folder can be written and its disk has room."""
    try:
        check_writable(path)
    except PersonaError as error:
        return Check("Lake folder", ok=False, detail=str(error), todo="name another with --lake PATH, or make it writable")
    if "://" in path:
        return Check("Lake folder", ok=True, detail=f"{path} (remote; written to when a run starts)")
    folder = Path(path).expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / _GIB
    return Check("Lake folder", free > MINIMUM_FREE_DISK_GIB, f"{path} (writable, {free:.0f} GiB free)", "free some disk space")


def memory_bytes(text: str) -> int | None:
    """Bytes in a size as Spark writes it (`4g`, `512m`); None when it is not one."""
    number, unit = text.strip().lower().removesuffix("b")[:-1], text.strip().lower().removesuffix("b")[-1:]
    return int(number) * _UNITS[unit] if number.isdigit() and unit in _UNITS else None


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _jar_file() -> str:
    return DELTA_PACKAGE.replace(":", "_", 1).replace(":", "-", 1) + ".jar"


def _total_memory() -> int | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total
