"""Copies of the default configuration with entries changed, for tests that plant mistakes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).parents[2] / "conf"


def copied(folder: Path) -> Path:
    """A copy of conf/ in `folder`; returns the main file of the demo."""
    shutil.copytree(CONF, folder / "conf")
    return folder / "conf" / "demo.yaml"


def edit(main: Path, name: str, changes: dict[str, Any]) -> None:
    """Set entries of one file by dotted key; None removes an entry, numbers are places in a list."""
    path = main.parent / name
    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        *parents, last = key.split(".")
        target = content
        for parent in parents:
            target = target[int(parent) if isinstance(target, list) else parent]
        place: Any = int(last) if isinstance(target, list) else last
        if value is None:
            del target[place]
        else:
            target[place] = value
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def tag(when: str, label: str, **other: Any) -> dict[str, Any]:
    """A complete tag."""
    entry = {"kind": "behaviour", "when": when, "label": {"en": label, "zh": f"{label} 标签"}}
    return {**entry, "action": "none", "owner": "crm", "review_by": "2099-12-31", **other}
