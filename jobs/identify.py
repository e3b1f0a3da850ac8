"""Find the user behind each account: the same as `persona identify`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "identify", *sys.argv[1:]])
