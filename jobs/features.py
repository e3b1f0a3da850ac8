"""Compute every user's features: the same as `persona features`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "features", *sys.argv[1:]])
