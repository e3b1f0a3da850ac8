"""conf/features.yaml with fewer definitions, but some of every kind, so that a history of many nights is quick to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from persona_spark.config.features import FeaturesSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WHOLE = ("owner", "windows", "hour_bands", "price_bands")
_DROPPED = ("derived",)
_FORM = {"distinct", "type", "unit", "take"}
_EACH = {"attributes": 1, "preferences": 2}


def reduced(spec: FeaturesSpec, *measures: str) -> FeaturesSpec:
    """One definition of each form in every section (two preferences), all that these name, and `measures`; derived are not stored."""
    whole = spec.model_dump(mode="json", exclude_defaults=True)
    kept = {name: whole[name] for name in _WHOLE if name in whole}
    for section, entries in whole.items():
        if section not in _WHOLE and section not in _DROPPED:
            kept[section] = dict(_one_a_form(entries, _EACH.get(section, 1)))
    for section in ("preferences", "measures"):
        named = {word for entries in _entries(kept) for word in _words(entries)} | set(measures)
        kept[section] |= {name: entry for name, entry in whole.get(section, {}).items() if name in named}
    return FeaturesSpec.model_validate(kept)


def without_one(spec: FeaturesSpec) -> FeaturesSpec:
    """The same without one measure that nothing else names."""
    whole = spec.model_dump(mode="json", exclude_defaults=True)
    others = [entries for section, entries in whole.items() if section not in {*_WHOLE, "measures"}]
    named = {word for entries in others for entry in entries.values() for word in _words(entry)}
    gone = min(name for name in spec.measures if name not in named)
    return FeaturesSpec.model_validate({**whole, "measures": {name: entry for name, entry in whole["measures"].items() if name != gone}})


def _one_a_form(entries: Mapping[str, Any], most: int) -> Iterator[tuple[str, Any]]:
    seen: dict[Any, int] = {}
    for name, entry in entries.items():
        form = tuple(sorted((key, value if key in _FORM or value == "hour_band" else None) for key, value in entry.items()))
        seen[form] = seen.get(form, 0) + 1
        if seen[form] <= most:
            yield name, entry


def _entries(kept: Mapping[str, Any]) -> Iterator[Any]:
    for section, entries in kept.items():
        if section not in _WHOLE:
            yield from entries.values()


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
