"""What all configuration models share: strictness, reading YAML, and turning every mistake into a `Fault`."""

from __future__ import annotations

import hashlib
import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from persona_spark.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable
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

    en: str
    zh: str


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a key that stands twice in a mapping is a mistake, not a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - signature of the base class
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if key in seen:
                problem = f"key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: when the file is missing, is not YAML, repeats a key, or is not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError([Fault(str(path), "", f"cannot be read: {error.strerror}")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Fault(str(path), "", f"is not valid YAML: {' '.join(str(error).split())}")]) from error
    if not isinstance(content, dict):
        raise ConfigError([Fault(str(path), "", "must be a mapping of keys to values")])
    return content


def load_model(model: type[ModelT], path: Path) -> ModelT:
    """Read one configuration file.

    Raises:
        ConfigError: with every mistake that the model finds, each with file and key.
    """
    content = read_yaml(path)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(faults_of(error, model, str(path))) from error


def faults_of(error: ValidationError, model: type[BaseModel], file: str) -> list[Fault]:
    """The pydantic errors as faults, unknown keys with the nearest known one."""
    return [_fault(detail, model, file) for detail in error.errors(include_url=False)]


def _fault(detail: Any, model: type[BaseModel], file: str) -> Fault:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Fault(file, key, "is not a known key", near_miss(str(detail["loc"][-1]), field_names(model)))
    message = str(detail["msg"]).removeprefix("Value error, ")
    return Fault(file, key, message[:1].lower() + message[1:])


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
