"""Compute RFM and lifecycle: the same as `persona score`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "score", *sys.argv[1:]])
