"""The default configuration with fewer numbers of segments to try: what is tested with it is the pipeline, not the choice of k."""

from __future__ import annotations

from typing import TYPE_CHECKING

from persona_spark.config.defaults import init_conf

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"smallest_k: 6\n": "smallest_k: 4\n", "largest_k: 12\n": "largest_k: 5\n", "starts: 2\n": "starts: 1\n"}


def write_quick_conf(folder: Path) -> Path:
    """Lay the configuration into `folder`; returns `folder`."""
    init_conf(folder)
    file = folder / "segments.yaml"
    text = file.read_text(encoding="utf-8")
    for usual, quick in QUICK.items():
        assert usual in text
        text = text.replace(usual, quick)
    file.write_text(text, encoding="utf-8")
    return folder
