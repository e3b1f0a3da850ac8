"""What Spark's errors say, without their stacks."""

from __future__ import annotations

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

SPARK_ERRORS = (PySparkException, Py4JJavaError)
"""What a query may raise; the second is what PySpark leaves of Java's errors that it has no name for, such as unreadable files."""


def reason_of(error: Exception) -> str:
    """The first line of an error, and that of its innermost cause when Java raised it."""
    if not isinstance(error, Py4JJavaError):
        return _first_line(str(error))
    outer = cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    said = _first_line(outer.getMessage() or outer.toString())
    innermost = _first_line(cause.toString())
    return said if said in innermost or innermost.endswith(said) else f"{said} ({innermost})"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "unknown error")
