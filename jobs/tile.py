"""Roll new events up into account-day tiles: the same as `persona tile`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "tile", *sys.argv[1:]])
