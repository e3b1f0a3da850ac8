"""What all configuration models share: strictness, reading YAML, and turning every mistake into a `Fault`."""

from __future__ import annotations

import hashlib
import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from persona_spark.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from pathlib import Path

ModelT = TypeVar("ModelT", bound="Strict")


class Strict(BaseModel):
    """Base of all configuration models: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    def digest(self) -> str:
        """Hash of the meaning: equal for files that differ in comments, order of keys or layout only."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class Label(Strict):
    """What people read, in English and Chinese."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice in a mapping is a mistake, not a silent overwrite; all such keys are noted."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.twice: list[tuple[str, int, int]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - signature of the base class
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if isinstance(key_node, yaml.ScalarNode) and key in lines:
                self.twice.append((key, lines[key], line))
            lines.setdefault(key, line)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> tuple[dict[str, Any], list[Fault]]:
    """The mapping in a YAML file, and a fault for each key that stands twice in it, of which the last one is taken.

    Raises:
        ConfigError: when the file is missing, is not YAML, or is not a mapping.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        content = loader.get_single_data()
    except OSError as error:
        raise ConfigError([Fault(str(path), "", f"cannot be read: {error.strerror}", "check the name in the main file")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        hint = "text with : or # or a leading * stands in quotes; save the file as UTF-8"
        raise ConfigError([Fault(str(path), "", f"is not valid YAML: {' '.join(str(error).split())}", hint)]) from error
    if not isinstance(content, dict):
        raise ConfigError([Fault(str(path), "", "must be a mapping of keys to values", "write `key: value` lines")])
    twice = [
        Fault(str(path), key, f"stands twice, on lines {first} and {again}", "remove or rename one") for key, first, again in loader.twice
    ]
    return content, twice


def load_model(model: type[ModelT], path: Path) -> ModelT:
    """Read one configuration file.

    Raises:
        ConfigError: with every mistake that the model finds, each with file and key.
    """
    found, faults = read_model(model, path)
    if found is None or faults:
        raise ConfigError(faults)
    return found


def read_model(model: type[ModelT], path: Path) -> tuple[ModelT | None, list[Fault]]:
    """Read as much as can be read of a configuration file, so that the rest of it can be held against other files.

    Returns:
        The file without the entries that are wrong, None when they cannot be left out; and every mistake, none for a file that
        is right.
    """
    try:
        content, faults = read_yaml(path)
    except ConfigError as error:
        return None, list(error.faults)
    try:
        return model.model_validate(content), faults
    except ValidationError as error:
        faults += faults_of(error, model, str(path))
        places = _places(error)
    # What named an entry that is left out is wrong now, too: not a mistake of its own, but it has to go as well.
    while places and all(places):
        content = _without(content, places)
        try:
            return model.model_validate(content), faults
        except ValidationError as error:
            further = _places(error)
            places = further if set(further) != set(places) else []
    return None, faults


def _places(error: ValidationError) -> list[tuple[int | str, ...]]:
    return [tuple(detail["loc"]) for detail in error.errors(include_url=False)]


def _without(content: dict[str, Any], places: Iterable[tuple[int | str, ...]]) -> dict[str, Any]:
    """A copy without the entries in which the places are: entries of a section if it has several, else the section."""
    rest = dict(content)
    wrong: dict[int | str, set[int | str]] = {}
    for section, *inside in places:
        wrong.setdefault(section, set()).update(inside[:1])
    for section, entries in wrong.items():
        value = rest.get(str(section))
        if isinstance(value, dict) and entries:
            rest[str(section)] = {name: entry for name, entry in value.items() if name not in entries}
        elif isinstance(value, list) and entries:
            rest[str(section)] = [entry for place, entry in enumerate(value) if place not in entries]
        else:
            rest.pop(str(section), None)
    return rest


def faults_of(error: ValidationError, model: type[BaseModel], file: str) -> list[Fault]:
    """The pydantic errors as faults, unknown keys with the nearest known one."""
    return [_fault(detail, model, file) for detail in error.errors(include_url=False)]


def _fault(detail: Any, model: type[BaseModel], file: str) -> Fault:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Fault(file, key, "is not a known key", near_miss(str(detail["loc"][-1]), field_names(model)))
    if detail["type"] == "missing":
        return Fault(file, key, "is missing", "add it")
    message = str(detail["msg"]).removeprefix("Value error, ")
    return Fault(file, key, message[:1].lower() + message[1:], _instead(detail))


def _instead(detail: Any) -> str:
    """What was found, for the mistakes of form that pydantic words without it."""
    found = detail["input"]
    worded = detail["type"] in {"value_error", "meaning"} or isinstance(found, dict | list) or found is None
    return "" if worded else f"found {found!r}"


def field_names(model: type[BaseModel]) -> set[str]:
    """Names of all fields of a model and of the models inside it."""
    names: set[str] = set()
    todo, done = [model], set()
    while todo:
        current = todo.pop()
        if current in done:
            continue
        done.add(current)
        for name, field in current.model_fields.items():
            names.add(field.alias or name)
            todo.extend(_models_in(field.annotation))
    return names


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def near_miss(word: str, known: Iterable[str]) -> str:
    """A hint naming the known words nearest to `word`, or those that exist when none is near."""
    options = sorted(known)
    close = get_close_matches(word, options, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    shown = ", ".join(options[:12]) + (", ..." if len(options) > 12 else "")  # noqa: PLR2004 - enough to choose from
    return f"known: {shown}" if options else ""
