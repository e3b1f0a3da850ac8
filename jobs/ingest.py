"""Take in what is new in all feeds: the same as `persona ingest`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "ingest", *sys.argv[1:]])
