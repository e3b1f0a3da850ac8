"""MLflow: the run of a training, its picture, and the registered model. The only module that imports mlflow.

Nothing about a single person goes there: figures of segments, the definitions of features and centres only. Scoring does
not need it; the registered model gives the same segments to whoever wants to score elsewhere.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from persona_spark.errors import ModelError
from persona_spark.segments.model import CHAMPION
from persona_spark.segments.picture import training_picture
from persona_spark.version import __version__

# A company's users are behind these models: MLflow must not report on their training to anybody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
with warnings.catch_warnings():
    # Loading MLflow warns of a type hint in its own code.
    warnings.filterwarnings("ignore", message=".*Any type hint is inferred")
    import mlflow.pyfunc
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from persona_spark.config.load import Conf
    from persona_spark.config.segments import SegmentsSpec
    from persona_spark.lake.tables import Lake
    from persona_spark.segments.cards import Card
    from persona_spark.segments.model import SegmentModel

ALIAS = "champion"
PICTURE = "segments.png"
_SQLITE = "sqlite:///"


class SegmentScorer(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]  # mlflow is not typed
    """The registered model: a column for each feature's expression in, segment_id and distance out."""

    def load_context(self, context: Any) -> None:
        """Read the frozen model."""
        frozen = json.loads(Path(context.artifacts["model"]).read_text(encoding="utf-8"))
        self.clip = float(frozen["clip"])
        self.features = frozen["features"]
        self.segments = frozen["segments"]

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002 - signature of the base class
        """The nearest segment of each row of a pandas frame."""
        points = np.column_stack([self._coordinate(model_input, feature) for feature in self.features])
        centres = np.array([segment["centroid"] for segment in self.segments])
        squares = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        place = squares.argmin(axis=1)
        return pd.DataFrame(
            {
                "segment_id": np.array([segment["segment_id"] for segment in self.segments], dtype="int64")[place],
                "segment_name": np.array([segment["segment_name"] for segment in self.segments], dtype=object)[place],
                "distance": np.sqrt(squares[np.arange(len(place)), place]),
            }
        )

    def _coordinate(self, frame: pd.DataFrame, feature: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
        value = frame[feature["name"]].astype("float64").fillna(feature["fill"]).to_numpy()
        value = np.log1p(np.maximum(value, 0.0)) if feature["transform"] == "log1p" else value
        scaled = np.clip((value - feature["centre"]) / feature["scale"], -self.clip, self.clip)
        return np.asarray(scaled * feature["weight"], dtype="float64")


@dataclass(frozen=True)
class Registry:
    """An MLflow experiment and a registered model.

    Attributes:
        uri: tracking and registry URI.
        artifacts: where runs of a new experiment keep their files; None leaves it to the server.
        experiment: the experiment's name.
        model_name: the registered model's name.
    """

    uri: str
    artifacts: str | None
    experiment: str
    model_name: str

    @classmethod
    def of(cls, conf: Conf, lake: Lake) -> Registry:
        """What the configuration names; without a URI, SQLite and a folder beside the lake's folder."""
        wanted = conf.main.mlflow
        uri = wanted.tracking_uri
        if uri is None:
            folder = local_folder(lake, conf.main.name)
            folder.mkdir(parents=True, exist_ok=True)
            uri = f"{_SQLITE}{folder / 'mlflow.db'}"
        return cls(uri, _beside(uri), wanted.experiment, wanted.model_name)

    def record(self, model: SegmentModel, spec: SegmentsSpec, cards: Sequence[Card]) -> SegmentModel:
        """Log the training as a run, and register the model when it is to go live.

        Returns:
            The model with its run, and its registered version when it has one.

        Raises:
            ModelError: when MLflow cannot be reached or refuses.
        """
        try:
            with _quiet():
                return self._record(model, spec, cards)
        except (MlflowException, OSError) as error:
            raise self._unreachable(error) from error

    def promote(self, model: SegmentModel) -> None:
        """Point the alias `champion` at the model's registered version.

        Raises:
            ModelError: when MLflow cannot be reached or refuses.
        """
        try:
            with _quiet():
                self._client().set_registered_model_alias(self.model_name, ALIAS, str(model.mlflow_version))
        except (MlflowException, OSError) as error:
            raise self._unreachable(error) from error

    def _record(self, model: SegmentModel, spec: SegmentsSpec, cards: Sequence[Card]) -> SegmentModel:
        client = self._client()
        run = client.create_run(self._experiment_id(client), run_name=f"segments {model.model_version}", tags=_tags(model))
        run_id = run.info.run_id
        try:
            _log_figures(client, run_id, model, spec)
            with tempfile.TemporaryDirectory(prefix="persona_segments_") as folder:
                _log_files(client, run_id, Path(folder), model, cards)
                version = self._register(client, run_id, Path(folder), model) if model.status == CHAMPION else None
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
        return replace(model, mlflow_run_id=run_id, mlflow_version=version)

    def _register(self, client: MlflowClient, run_id: str, folder: Path, model: SegmentModel) -> str:
        frozen = folder / "model.json"
        frozen.write_text(_frozen_json(model), encoding="utf-8")
        mlflow.pyfunc.save_model(
            folder / "model",
            python_model=SegmentScorer(),
            artifacts={"model": str(frozen)},
            signature=_signature(model),
            pip_requirements=[f"persona-spark=={__version__}"],
        )
        client.log_artifacts(run_id, str(folder / "model"), "model")
        if not client.search_registered_models(f"name = '{self.model_name}'"):
            client.create_registered_model(self.model_name, description="KMeans segments of users; see the table segment_model.")
        source = f"{client.get_run(run_id).info.artifact_uri}/model"
        made = client.create_model_version(self.model_name, source, run_id, tags=_tags(model), description=model.reason)
        return str(made.version)

    def _client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def _experiment_id(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self.experiment)
        if found is None:
            return str(client.create_experiment(self.experiment, artifact_location=self.artifacts))
        return str(found.experiment_id)

    def _unreachable(self, error: Exception) -> ModelError:
        return ModelError(
            f"MLflow at {self.uri} did not take the training: {str(error).splitlines()[0]}. The live model stays. Check "
            "mlflow.tracking_uri in the main configuration file, or leave it out to use SQLite beside the lake"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what MLflow says of new tables, of pickled classes, and of example rows, which would be people."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*An input example was not provided")
            yield
    finally:
        logger.setLevel(level)


def local_folder(lake: Lake, name: str) -> Path:
    """Where MLflow is kept when no URI is given: beside the lake's folder, or in the home folder for a lake that is not local."""
    if lake.root is None or "://" in lake.root:
        return Path.home() / ".persona-spark" / name / "mlflow"
    root = Path(lake.root)
    return root.with_name(f"{root.name}.mlflow")


def _beside(uri: str) -> str | None:
    """Artifacts of a SQLite store go beside its file, not into the working directory."""
    return (Path(uri.removeprefix(_SQLITE)).absolute().parent / "artifacts").as_uri() if uri.startswith(_SQLITE) else None


def _tags(model: SegmentModel) -> dict[str, str]:
    return {
        "model_version": model.model_version,
        "status": model.status,
        "trained_as_of": model.trained_as_of.isoformat(),
        "ingest_seq": str(model.ingest_seq),
    }


def _log_figures(client: MlflowClient, run_id: str, model: SegmentModel, spec: SegmentsSpec) -> None:
    params = {
        "k": model.k,
        "seed": model.seed,
        "spec_hash": model.spec_hash,
        "users": model.users,
        "sample_users": model.sample_users,
        "exclude": model.exclude,
        "features": len(model.features),
        **{f"fit.{key}": value for key, value in spec.fit.model_dump(mode="json").items()},
        **{f"gates.{key}": value for key, value in spec.gates.model_dump(mode="json").items()},
        "partitions": spec.sample.partitions,
    }
    for key, value in params.items():
        client.log_param(run_id, key, value)
    for trial in model.trials:
        for key, figure in (("silhouette", trial.silhouette), ("cost", trial.cost), ("smallest_share", trial.smallest_share)):
            client.log_metric(run_id, f"{key}_by_k", figure, step=trial.k)
    client.log_metric(run_id, "silhouette", model.silhouette or 0.0)
    client.log_metric(run_id, "smallest_share", min(part.users for part in model.segments) / model.users)


def _log_files(client: MlflowClient, run_id: str, folder: Path, model: SegmentModel, cards: Sequence[Card]) -> None:
    client.log_dict(run_id, {"features": [asdict(feature) for feature in model.features]}, "features.json")
    client.log_dict(run_id, {"trials": [asdict(trial) for trial in model.trials], "reason": model.reason}, "choice.json")
    shown = [{**asdict(card.facts), "name": card.name.model_dump(), "description": card.description.model_dump()} for card in cards]
    client.log_dict(run_id, {"segments": shown}, "cards.json")
    path = folder / PICTURE
    training_picture(model, cards).savefig(path, dpi=130)
    client.log_artifact(run_id, str(path))


def _frozen_json(model: SegmentModel) -> str:
    parts = asdict(model)
    return json.dumps({name: parts[name] for name in ("model_version", "spec_hash", "clip", "features", "segments")}, ensure_ascii=False)


def _signature(model: SegmentModel) -> ModelSignature:
    inputs = Schema([ColSpec(DataType.double, feature.name, required=False) for feature in model.features])
    outputs = Schema([ColSpec(DataType.long, "segment_id"), ColSpec(DataType.string, "segment_name"), ColSpec(DataType.double, "distance")])
    return ModelSignature(inputs=inputs, outputs=outputs)
