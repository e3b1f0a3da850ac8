"""Everything, from new files to a published release: the same as `persona run`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["--log-json", "run", *sys.argv[1:]])
