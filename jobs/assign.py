"""Assign users to the champion's segments: the same as `persona segments assign`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "segments", "assign", *sys.argv[1:]])
