"""Reading the whole configuration: the main file and everything it names, with all mistakes at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from persona_spark.config.base import Strict, load_model
from persona_spark.config.features import FeaturesSpec
from persona_spark.config.main import MainConf
from persona_spark.config.scores import ScoresSpec
from persona_spark.config.segments import SegmentsSpec
from persona_spark.config.sources import SourceSpec
from persona_spark.config.tags import TagsSpec
from persona_spark.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

SpecT = TypeVar("SpecT", bound=Strict)


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
        lake = self.main.lake
        parts = [lake.zone, lake.currency, *(spec.digest() for spec in (self.features, self.scores, self.tags, self.segments))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def load_conf(path: str | Path) -> Conf:
    """Read the main file and all files that it names.

    Raises:
        ConfigError: with every mistake in every file.
    """
    main_path = Path(path).expanduser().absolute()
    main = load_model(MainConf, main_path)
    faults: list[Fault] = []

    def read(model: type[SpecT], name: str) -> SpecT | None:
        return _collect(lambda: load_model(model, main_path.parent / name), faults)

    sources = [read(SourceSpec, name) for name in main.sources]
    features = read(FeaturesSpec, main.features)
    scores = read(ScoresSpec, main.scores)
    tags = read(TagsSpec, main.tags)
    segments = read(SegmentsSpec, main.segments)
    if faults or features is None or scores is None or tags is None or segments is None:
        raise ConfigError(faults)
    conf = Conf(main_path, main, tuple(spec for spec in sources if spec is not None), features, scores, tags, segments)
    names = [spec.source for spec in conf.sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(Fault(str(main_path), "sources", f"source {name} stands in more than one file") for name in twice)
    return conf


def _collect(read: Callable[[], SpecT], faults: list[Fault]) -> SpecT | None:
    try:
        return read()
    except ConfigError as error:
        faults.extend(error.faults)
        return None
