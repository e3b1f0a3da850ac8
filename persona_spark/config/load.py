"""Reading the whole configuration: the main file and everything it names, with all mistakes at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from persona_spark.config.base import Strict, read_model, read_yaml
from persona_spark.config.features import FeaturesSpec
from persona_spark.config.main import MainConf
from persona_spark.config.scores import ScoresSpec
from persona_spark.config.segments import SegmentsSpec
from persona_spark.config.sources import SourceSpec
from persona_spark.config.tags import TagsSpec
from persona_spark.errors import ConfigError, Fault

SpecT = TypeVar("SpecT", bound=Strict)
SpecName = Literal["features", "scores", "tags", "segments"]
"""A file of definitions that decide what a profile says."""

_FILES = ("sources", "features", "scores", "tags", "segments")
_STAND_IN = {"name": "unknown", "lake": {"path": "lake", "zone": "UTC", "currency": "USD"}}


@dataclass(frozen=True)
class Conf:
    """The configuration of a pipeline.

    Attributes:
        path: the main file.
        main: lake, zone, currency, limits, MLflow.
        sources: feeds in the order of the main file.
        features: measures, windows, derived features, preferences, attributes.
        scores: RFM and lifecycle.
        tags: rule tags.
        segments: KMeans segments.
    """

    path: Path
    main: MainConf
    sources: tuple[SourceSpec, ...]
    features: FeaturesSpec
    scores: ScoresSpec
    tags: TagsSpec
    segments: SegmentsSpec

    @property
    def folder(self) -> Path:
        """Folder of the main file; relative paths in the configuration start here."""
        return self.path.parent

    def spec_hash(self) -> str:
        """Hash of the definitions that decide what a profile says: features, scores, tags, segments, zone and currency."""
        return self.digest_of("features", "scores", "tags", "segments")

    def digest_of(self, *names: SpecName) -> str:
        """Hash of some of these definitions, zone and currency."""
        lake = self.main.lake
        parts = [lake.zone, lake.currency, *(getattr(self, name).digest() for name in names)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Draft:
    """What could be read of a configuration, right or not, so that every mistake can be told at once.

    Attributes:
        path: the main file.
        main: the main file, with stand-ins for what is wrong in it; None when not even the other files' names can be read.
        sources: feeds that could be read.
        features, scores, tags, segments: each without the entries that are wrong; None when nothing is left of it.
        faults: every mistake that shows in one file alone.
    """

    path: Path
    main: MainConf | None
    sources: tuple[SourceSpec, ...]
    features: FeaturesSpec | None
    scores: ScoresSpec | None
    tags: TagsSpec | None
    segments: SegmentsSpec | None
    faults: tuple[Fault, ...]

    @property
    def folder(self) -> Path:
        """Folder of the main file."""
        return self.path.parent

    def conf(self) -> Conf:
        """The configuration.

        Raises:
            ConfigError: when there is any fault.
        """
        main, features, scores, tags, segments = self.main, self.features, self.scores, self.tags, self.segments
        if self.faults or main is None or features is None or scores is None or tags is None or segments is None:
            raise ConfigError(self.faults)
        return Conf(self.path, main, self.sources, features, scores, tags, segments)


def load_conf(path: str | Path) -> Conf:
    """Read the main file and all files that it names.

    Raises:
        ConfigError: with every mistake in every file.
    """
    return read_conf(path).conf()


def _named_files(path: Path) -> MainConf | None:
    """A main file that names the same files, so that their mistakes are told with its own."""
    try:
        content, _ = read_yaml(path)
        return MainConf.model_validate(_STAND_IN | {name: content[name] for name in _FILES if name in content})
    except (ConfigError, ValidationError):
        return None


def read_conf(path: str | Path) -> Draft:
    """Read as much as can be read of the main file and of all files that it names."""
    main_path = Path(path).expanduser().absolute()
    main, faults = read_model(MainConf, main_path)
    main = main or _named_files(main_path)
    if main is None:
        return Draft(main_path, None, (), None, None, None, None, tuple(faults))

    def read(model: type[SpecT], name: str) -> SpecT | None:
        found, wrong = read_model(model, main_path.parent / name)
        faults.extend(wrong)
        return found

    sources = tuple(spec for name in main.sources if (spec := read(SourceSpec, name)) is not None)
    names = [spec.source for spec in sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault(str(main_path), "sources", f"source {name} stands in more than one file", "rename one of them"))
    parts = (
        read(FeaturesSpec, main.features), read(ScoresSpec, main.scores), read(TagsSpec, main.tags), read(SegmentsSpec, main.segments)
    )  # fmt: skip
    return Draft(main_path, main, sources, *parts, tuple(faults))
