"""Write the feeds of a shop with planted personas: the same as `persona simulate`, for spark-submit."""

from __future__ import annotations

import sys

from persona_spark.cli import main

if __name__ == "__main__":
    main(["simulate", *sys.argv[1:]])
