"""`python -m persona_spark.cli` is the command `persona`."""

from __future__ import annotations

from persona_spark.cli import main

main()
