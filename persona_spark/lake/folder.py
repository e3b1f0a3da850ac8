"""The folder of a lake: its plain form, and whether it can be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from persona_spark.errors import SetupError


def plain_path(path: str) -> str:
    """An absolute path without `~`; an address with a scheme stays as it is, without a slash at its end."""
    return path.rstrip("/") if "://" in path else str(Path(path).expanduser().absolute())


def check_writable(path: str) -> None:
    """Fail early when a local lake folder cannot be written; nothing is left behind.

    The bits are asked first, because root writes into folders that are marked read-only; then a file is created, because
    bits do not tell of read-only disks and quotas.

    Raises:
        SetupError: when the folder, or the nearest existing folder above it, cannot be written.
    """
    if "://" in path:
        return
    folder = Path(plain_path(path))
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    reason = _why_not_writable(folder)
    if reason:
        msg = f"the lake folder {path} cannot be written: {folder} {reason}. Choose another with --lake PATH, or make it writable"
        raise SetupError(msg)


def _why_not_writable(folder: Path) -> str | None:
    try:
        if not folder.is_dir():
            return "is not a folder"
        if not folder.stat().st_mode & 0o222:
            return "is marked read-only"
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"refuses a new file ({error.strerror})"
