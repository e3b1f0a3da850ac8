"""Evaluate all tags: the same as `persona tag`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "tag", *sys.argv[1:]])
