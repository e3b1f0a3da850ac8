"""The configuration that comes with the package, and laying a copy of it for a shop to edit."""

from __future__ import annotations

import shutil
from pathlib import Path

from persona_spark.errors import SetupError, UsageError

_PACKAGE = Path(__file__).resolve().parent.parent
_SUFFIXES = {".yaml", ".md", ".csv", ".json"}


def default_conf_dir() -> Path:
    """Folder of the configuration that comes with the package: inside the wheel, or `conf/` of a checkout.

    Raises:
        SetupError: when the installation has neither.
    """
    for folder in (_PACKAGE / "_conf", _PACKAGE.parent / "conf"):
        if (folder / "features.yaml").is_file():
            return folder
    msg = f"the default configuration is missing beside {_PACKAGE}: install persona-spark again, from a wheel or an editable checkout"
    raise SetupError(msg)


def init_conf(target: str | Path) -> list[Path]:
    """Copy the default configuration into a folder; nothing is ever overwritten.

    Args:
        target: a new or empty folder, or one that holds other files than these.

    Returns:
        The files written, sorted.

    Raises:
        UsageError: when a file is there already, or the folder cannot be made.
        SetupError: when the installation has no default configuration.
    """
    source, folder = default_conf_dir(), Path(target).expanduser()
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix in _SUFFIXES)
    there = [str(name) for name in files if (folder / name).exists()]
    if there:
        shown = ", ".join(there[:5]) + (", ..." if len(there) > 5 else "")  # noqa: PLR2004 - enough to see what is there
        msg = f"{folder} holds {shown} already, and nothing is overwritten: name a new folder, or move those files away"
        raise UsageError(msg)
    try:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        msg = f"cannot write a configuration into {folder}: {error.strerror}"
        raise UsageError(msg) from error
    return [folder / name for name in files]
