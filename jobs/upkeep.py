"""Remove old days, put small files together, delete old ones: the same as `persona upkeep`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "upkeep", *sys.argv[1:]])
