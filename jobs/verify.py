"""Compute a release again from the raw events and compare it: the same as `persona verify`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["verify", *sys.argv[1:]])
