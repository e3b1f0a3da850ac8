"""User profiles at scale on Spark and Delta: from a shop's raw events to versioned profile releases.

For notebooks and scripts:

    from persona_spark import Profiles, build_session

    profiles = Profiles(build_session(), "lake/demo").latest()

Names are loaded when they are first used: importing the package starts neither Spark nor Java.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from persona_spark.version import __version__

if TYPE_CHECKING:
    from persona_spark.config.load import Conf, load_conf
    from persona_spark.errors import PersonaError
    from persona_spark.lake.info import open_lake
    from persona_spark.lake.session import build_session
    from persona_spark.lake.tables import Lake
    from persona_spark.profiles.reader import Profiles
    from persona_spark.time import AsOf

__all__ = ["AsOf", "Conf", "Lake", "PersonaError", "Profiles", "__version__", "build_session", "load_conf", "open_lake"]

_HOMES = {
    "AsOf": "time",
    "Conf": "config.load",
    "Lake": "lake.tables",
    "PersonaError": "errors",
    "Profiles": "profiles.reader",
    "build_session": "lake.session",
    "load_conf": "config.load",
    "open_lake": "lake.info",
}


def __getattr__(name: str) -> Any:
    """The public name `name`, loaded now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(sorted(_HOMES))}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
