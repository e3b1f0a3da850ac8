"""Which code computed something: the package's version and a hash of its sources."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from persona_spark.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

TILE_CODE = ("config", "lake", "schema.py", "tiles", "time.py")
"""Modules that decide what tiles hold."""
IDENTITY_CODE = ("identity", "lake", "schema.py", "time.py")
"""Modules that decide what `identity` holds."""
FEATURE_CODE = (*TILE_CODE, "features")
"""Modules that decide what `user_features` holds, for given accounts of users."""


@cache
def code_version(parts: tuple[str, ...] = ()) -> str:
    """`<version>+<12 hex>`: equal for equal sources, wherever they are installed.

    Args:
        parts: modules and packages directly below `persona_spark`; empty for all of them.
    """
    digest = hashlib.sha256()
    for name, source in sorted(_sources(files("persona_spark"), "")):
        if not parts or name.split("/", 1)[0] in parts:
            digest.update(f"{name}\n".encode())
            digest.update(source)
    return f"{__version__}+{digest.hexdigest()[:12]}"


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _sources(entry, f"{name}/")
        elif name.endswith(".py"):
            yield name, entry.read_bytes()
