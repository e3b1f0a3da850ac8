"""Train segments and register the model: the same as `persona segments train`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "segments", "train", *sys.argv[1:]])
