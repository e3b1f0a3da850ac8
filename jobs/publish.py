"""Audit and publish the release: the same as `persona publish`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "publish", *sys.argv[1:]])
