"""The Java that Spark would start. Needs the standard library only: `python3 -m persona_spark.java` checks before any install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from persona_spark.errors import SetupError

MINIMUM_JAVA = 17
_FIRST_SAFE_25 = (25, 0, 3)
"""Before it, Java 25 may move objects that native code holds, and so corrupt data (JDK-8377811). Spark's documentation names it, too."""


def java_command() -> str | None:
    """The command that Spark would start: that of JAVA_HOME, or else the first on PATH; None when there is none."""
    home = os.environ.get("JAVA_HOME")
    return os.path.join(home, "bin", "java") if home else shutil.which("java")  # noqa: PTH118 - a command, not a path of ours


def java_version() -> tuple[int, ...] | None:
    """Version of Java, the major one first; None when there is none that starts."""
    match = re.search(r'version "(?:1\.)?(\d+(?:\.\d+)*)', _printed("-version"))
    return tuple(int(number) for number in match.group(1).split(".")) if match else None


def dotted(version: tuple[int, ...]) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def java_user_home() -> str | None:
    """The home folder as Java sees it, under which Ivy keeps jars; None when Java does not start."""
    match = re.search(r"^\s*user\.home = (.*)$", _printed("-XshowSettings:properties", "-version"), re.MULTILINE)
    return match.group(1).strip() if match else None


def check_java() -> tuple[int, ...]:
    """Fail early when Spark could not start, or not be trusted; returns Java's version.

    Raises:
        SetupError: when Java is missing, too old, or known to corrupt data.
    """
    version = java_version()
    if version is None:
        home = os.environ.get("JAVA_HOME")
        where = f" in JAVA_HOME ({home})" if home else ""
        msg = f"Java was not found{where}. Spark needs Java {MINIMUM_JAVA} or newer: install a JDK and set JAVA_HOME, or put java on PATH."
        raise SetupError(msg)
    if version < (MINIMUM_JAVA,):
        msg = f"Java {version[0]} is too old. Spark needs Java {MINIMUM_JAVA} or newer: set JAVA_HOME to a newer JDK."
        raise SetupError(msg)
    if (25,) <= version < _FIRST_SAFE_25:
        safe = dotted(_FIRST_SAFE_25)
        msg = f"Java {dotted(version)} may corrupt data (JDK-8377811). Set JAVA_HOME to Java {safe} or newer, or to Java 17 or 21."
        raise SetupError(msg)
    return version


def _printed(*options: str) -> str:
    command = java_command()
    if not command:
        return ""
    try:
        return subprocess.run([command, *options], capture_output=True, text=True, check=True, timeout=30).stderr  # noqa: S603 - the user's own Java
    except (OSError, subprocess.SubprocessError):
        return ""


def main() -> None:
    """Exit with 1 and a message when Spark could not start."""
    try:
        check_java()
    except SetupError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
