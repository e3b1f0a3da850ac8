"""Copies of a lake that cost nothing: data files are hard links, which Delta never writes into; its log is a true copy."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LOG = "_delta_log"


def clone(source: Path, target: Path) -> Path:
    """Make `target` a lake of its own with what `source` holds now; what was there is removed."""
    shutil.rmtree(target, ignore_errors=True)
    for folder, _, names in os.walk(source):
        here = target / os.path.relpath(folder, source)
        here.mkdir(parents=True, exist_ok=True)
        in_log = _LOG in here.parts
        for name in names:
            origin = f"{folder}/{name}"
            if in_log:
                shutil.copy2(origin, here / name)
            else:
                os.link(origin, here / name)
    return target
