"""Configurations of the benchmark: the product's own definitions, over the benchmark's events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

FEED_VARIABLE = "PERSONA_BENCH_FEED"
"""Environment variable that names the folder of the new day's files."""
PREFERENCES = ("category", "brand", "price_band")
"""What the goal for preferences is about; those of them that the definitions have are measured."""
_HERE = Path(__file__).resolve().parent / "conf"
_DEFINITIONS = ("features", "scores", "tags", "segments")


def write_conf(folder: Path) -> Path:
    """Write the main file and the mapping of the new day's feed; returns the main file."""
    mapping = _read(_HERE / "events.yaml")
    _write(folder / "events.yaml", mapping)
    names = {name: str(ROOT / "conf" / f"{name}.yaml") for name in _DEFINITIONS}
    return _main(folder, names)


def write_preferences_conf(folder: Path) -> Path:
    """The same with preferences alone, and the one measure that a lake cannot be without."""
    write_conf(folder)
    whole = _read(ROOT / "conf" / "features.yaml")
    measured = {name: entry for name, entry in whole["preferences"].items() if name in PREFERENCES}
    pruned = {
        **{name: value for name, value in whole.items() if name == "owner" or name.endswith("_bands")},
        "windows": ["lifetime"],
        "measures": {"event_count": whole["measures"]["event_count"]},
        "preferences": measured,
    }
    _write(folder / "features.yaml", pruned)
    names = {name: str(ROOT / "conf" / f"{name}.yaml") for name in _DEFINITIONS if name != "features"}
    return _main(folder, {**names, "features": "features.yaml"})


def _main(folder: Path, names: Mapping[str, str]) -> Path:
    lake = {"path": "lake", "zone": "Asia/Shanghai", "currency": "CNY"}
    _write(folder / "bench.yaml", {"name": "bench", "lake": lake, "sources": ["events.yaml"], **names})
    return folder / "bench.yaml"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False), encoding="utf-8")
