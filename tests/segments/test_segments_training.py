from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from pyspark.sql import functions as F
from sklearn.metrics import adjusted_rand_score, silhouette_score

from persona_spark.config.main import MlflowConf
from persona_spark.config.segments import SegmentsSpec
from persona_spark.errors import ModelError
from persona_spark.schema import SEGMENT_CARD, USER_SEGMENTS
from persona_spark.segments import assign as assign_module
from persona_spark.segments import train as train_module
from persona_spark.segments.assign import assign, assigned
from persona_spark.segments.cards import current_cards
from persona_spark.segments.fit import fit_range, hash_sample, points
from persona_spark.segments.model import SegmentModel, champion, models
from persona_spark.segments.registry import Registry
from persona_spark.segments.scaling import freeze_features
from persona_spark.segments.train import needs_training, train
from persona_spark.time import AsOf

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake

DAY = date(2024, 3, 1)
AS_OF = AsOf(DAY, 3)
PLANTED = {  # night share, promotion share, orders, category
    "owl": (0.70, 0.10, 6.0, "games"),
    "hunter": (0.05, 0.80, 12.0, "snacks"),
    "mother": (0.05, 0.20, 9.0, "baby"),
    "regular": (0.08, 0.15, 30.0, "staples"),
}
EACH = 120
SPEC = SegmentsSpec.model_validate(
    {
        "features": [
            {"name": "night", "expr": "night_share", "weight": 1.5, "high": {"en": "night shoppers", "zh": "夜间购物"}},
            {"name": "promotion", "expr": "promoted / paid", "fill": 0.1, "high": {"en": "promotion-driven", "zh": "促销驱动"}},
            {"name": "orders", "expr": "orders", "transform": "log1p", "high": {"en": "frequent", "zh": "高频"}},
        ],
        "choices": [{"column": "category", "share": "category_share", "top": 3, "weight": 3}],
        "exclude": "array_contains(tags, 'bot_suspect')",
        "sample": {"by": "stage"},
        "fit": {"seed": 11, "smallest_k": 3, "largest_k": 5, "iterations": 10, "starts": 1},
        "gates": {"silhouette": 0.2, "share": 0.05, "users": 50},
        "cards": {
            "traits": [{"name": "category", "expr": "category", "lift": 1.2, "share": 0.5}],
            "measures": [{"name": "spend", "expr": "paid / 12", "value": {"en": "{value} {currency} a month", "zh": "月均 {value}"}}],
        },
    }
)


def planted(seed: int = 1, each: int = EACH) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    rows = []
    for kind, (night, promotion, orders, category) in PLANTED.items():
        for number in range(each):
            paid = float(np.round(draw.gamma(4, 200), 2))
            promoted = None if number == 0 else round(paid * float(np.clip(draw.normal(promotion, 0.04), 0, 1)), 2)
            mixed = "games" if number % 40 == 0 else category
            night_share = None if number == 1 else float(np.clip(draw.normal(night, 0.03), 0, 1))
            share = float(draw.uniform(0.5, 0.9))
            rows.append((f"{kind}-{number}", night_share, paid, promoted, float(draw.poisson(orders)), mixed, share, ["x"]))
    rows += [(f"bot-{number}", 0.9, 1.0, 0.0, 5000.0, "games", 1.0, ["bot_suspect"]) for number in range(7)]
    return pd.DataFrame(rows, columns=["user_id", "night_share", "paid", "promoted", "orders", "category", "category_share", "tags"])


def users_of(spark: SparkSession, people: pd.DataFrame) -> DataFrame:
    schema = "user_id string, night_share double, paid double, promoted double, orders double, category string, category_share double"
    records = people.astype(object).where(people.notna(), None).to_numpy().tolist()
    frame = spark.createDataFrame([tuple(row) for row in records], f"{schema}, tags array<string>")
    return frame.withColumn("as_of", F.lit(DAY)).withColumn("stage", F.when(F.col("orders") > 10, "active"))


def conf_of(spec: SegmentsSpec = SPEC, mlflow_conf: MlflowConf | None = None) -> Conf:
    settings = mlflow_conf or MlflowConf()
    main = SimpleNamespace(name="shop", segments="segments.yaml", lake=SimpleNamespace(currency="CNY"), mlflow=settings)
    return cast("Conf", SimpleNamespace(main=main, segments=spec, spec_hash=spec.digest, digest_of=lambda *_: spec.digest()))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> MlflowConf:
    """One store for several tests: making its tables takes seconds."""
    return MlflowConf(tracking_uri=f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}")


def changed(spec: SegmentsSpec, **parts: dict[str, Any]) -> SegmentsSpec:
    return SegmentsSpec.model_validate({**spec.model_dump(), **{name: {**spec.model_dump()[name], **part} for name, part in parts.items()}})


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, lake: Lake) -> Lake:
    """A lake whose profiles are the planted users."""
    use(monkeypatch, users_of(lake.spark, planted()))
    return lake


def use(monkeypatch: pytest.MonkeyPatch, users: DataFrame) -> None:
    def profiles(*_: object, **__: object) -> DataFrame:
        return users

    for module in (train_module, assign_module):
        monkeypatch.setattr(module, "profile_frame", profiles)


def coordinates(people: pd.DataFrame, model: SegmentModel) -> np.ndarray[Any, Any]:
    """The feature space by pandas alone."""
    values = {"night": people.night_share, "promotion": people.promoted / people.paid, "orders": people.orders}
    columns = []
    for part in model.features:
        name = part.name.partition("=")[2]
        raw = (people.category == name) * people.category_share if name else values[part.name].fillna(part.fill)
        value = np.log1p(raw) if part.transform == "log1p" else raw
        columns.append(np.clip((value - part.centre) / part.scale, -model.clip, model.clip) * part.weight)
    return np.column_stack(columns)


def test_training_end_to_end(shop: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "cwd"
    empty.mkdir()
    monkeypatch.chdir(empty)
    conf = conf_of()
    assert needs_training(shop, conf, AS_OF) == "there is no live segment model"
    with pytest.raises(ModelError, match="persona segments train"):
        assign(shop, conf, AS_OF)
    result = train(shop, conf, AS_OF)
    assert (result.rows_in, result.rows_out, result.notes["status"]) == (4 * EACH, 4, "champion")
    assert needs_training(shop, conf, AS_OF) is None
    written = assign(shop, conf, AS_OF)
    assert (written.rows_in, written.rows_out) == (4 * EACH + 7, 4 * EACH)

    people = planted()
    people = people[~people.user_id.str.startswith("bot")].set_index("user_id")
    model = champion(shop)
    assert model is not None
    found = shop.read(USER_SEGMENTS).toPandas().set_index("user_id").loc[people.index]
    _assert_planted_found_again(people, found)
    _assert_same_as_numpy(people, found, model)
    _assert_cards_true(people, found, shop)
    _assert_in_mlflow(people, found, model, Registry.of(conf, shop))
    assert list(empty.iterdir()) == []
    before = shop.read(USER_SEGMENTS).orderBy("user_id").collect()
    train(shop, conf, AS_OF)
    assign(shop, conf, AS_OF)
    assert shop.read(USER_SEGMENTS).orderBy("user_id").collect() == before
    assert len(models(shop)) == 1


def _assert_planted_found_again(people: pd.DataFrame, found: pd.DataFrame) -> None:
    truth = people.index.str.split("-").str[0]
    assert adjusted_rand_score(truth, found.segment_id) > 0.95
    names = {kind: found.segment_name[truth == kind].mode()[0] for kind in PLANTED}
    assert names["owl"].startswith("night shoppers")
    assert "promotion-driven" in names["hunter"]
    assert "baby" in names["mother"]
    assert len(set(names.values())) == 4


def _assert_same_as_numpy(people: pd.DataFrame, found: pd.DataFrame, model: SegmentModel) -> None:
    values = coordinates(people, model)
    centres = np.array([segment.centroid for segment in model.segments])
    distances = np.sqrt(((values[:, None, :] - centres[None]) ** 2).sum(axis=2))
    ids = np.array([segment.segment_id for segment in model.segments])
    assert (ids[distances.argmin(axis=1)] == found.segment_id.to_numpy()).all()
    np.testing.assert_allclose(found.distance, distances.min(axis=1), rtol=1e-9)
    for trial in model.trials:
        assert sum(trial.users) == len(people)
    labels = distances.argmin(axis=1)
    assert model.silhouette == pytest.approx(silhouette_score(values, labels, metric="sqeuclidean"), abs=0.01)


def _assert_cards_true(people: pd.DataFrame, found: pd.DataFrame, lake: Lake) -> None:
    model = champion(lake)
    assert model is not None
    values = coordinates(people, model)
    for card in current_cards(lake):
        mine = (found.segment_id == card.segment_id).to_numpy()
        assert (card.users, card.share) == (mine.sum(), pytest.approx(mine.mean(), abs=1e-6))
        expected = (values[mine].mean(axis=0) - values.mean(axis=0)) / values.std(axis=0)
        np.testing.assert_allclose([part.contrast for part in card.contrasts], expected, atol=1e-4)
        assert card.measures[0].mean == pytest.approx((people.paid / 12)[mine].mean(), abs=1e-5)
        assert f"{(people.paid / 12)[mine].mean():,.0f} CNY a month" in card.description
        shares = people.category[mine].value_counts(normalize=True)
        assert {part.value: part.share for part in card.traits} == {
            value: pytest.approx(share, abs=1e-6) for value, share in shares[shares >= 0.5].items()
        }


def _assert_in_mlflow(people: pd.DataFrame, found: pd.DataFrame, model: SegmentModel, registry: Registry) -> None:
    client = MlflowClient(registry.uri, registry.uri)
    version = client.get_model_version_by_alias("persona-segments", "champion")
    assert (str(version.version), version.run_id) == (model.mlflow_version, model.mlflow_run_id)
    run = client.get_run(str(version.run_id))
    assert run.data.params["k"] == "4"
    assert run.data.metrics["silhouette"] == model.silhouette
    assert len(client.get_metric_history(run.info.run_id, "silhouette_by_k")) == 3
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"segments.png", "features.json", "cards.json", "model"} <= files
    mlflow.set_tracking_uri(registry.uri)
    mlflow.set_registry_uri(registry.uri)
    loaded = mlflow.pyfunc.load_model("models:/persona-segments@champion")
    values: dict[str, Any] = {"night": people.night_share, "promotion": people.promoted / people.paid, "orders": people.orders}
    for part in model.features[3:]:
        values[part.name] = (people.category == part.name.partition("=")[2]) * people.category_share
    scored = loaded.predict(pd.DataFrame(values))
    assert list(scored.segment_id) == list(found.segment_id)
    for file in Path(registry.uri.removeprefix("sqlite:///")).parent.rglob("*"):
        assert not file.is_file() or b"owl-" not in file.read_bytes(), file


def test_same_bytes_for_any_layout(spark: SparkSession) -> None:
    frame = users_of(spark, planted())

    def fitted(users: DataFrame) -> object:
        sample = hash_sample(users, SPEC.sample.model_copy(update={"users": 300, "least": 0}), seed=0)
        features = freeze_features(sample, SPEC)
        placed = points(sample, features, SPEC.fit.clip, partitions=1).cache()
        count = placed.count()
        assert 200 < count < 400
        fits = fit_range(placed, count, SPEC.fit.model_copy(update={"smallest_k": 4, "largest_k": 4}))
        placed.unpersist()
        return features, fits

    first = fitted(frame)
    assert fitted(frame.repartition(7, "orders").orderBy(F.desc("paid"))) == first
    assert fitted(frame.repartition(3)) == first


def test_a_failed_gate_keeps_the_live_model(shop: Lake, server: MlflowConf) -> None:
    named = server.model_copy(update={"model_name": "gated"})
    train(shop, conf_of(SPEC, named), AS_OF)
    live = champion(shop)
    strict = conf_of(changed(SPEC, gates={"silhouette": 0.99}), named)
    result = train(shop, strict, AS_OF)
    assert (result.notes["status"], "below 0.99" in str(result.notes["reason"])) == ("rejected", True)
    assert champion(shop) == live
    registry = Registry.of(strict, shop)
    assert len(MlflowClient(registry.uri, registry.uri).search_model_versions("name = 'gated'")) == 1


def test_too_few_users_leave_nobody_with_a_segment(shop: Lake) -> None:
    conf = conf_of(changed(SPEC, gates={"users": 100_000}))
    assert train(shop, conf, AS_OF).notes["status"] == "rejected"
    assert needs_training(shop, conf, AS_OF) is None
    assert needs_training(shop, conf, replace(AS_OF, ingest_seq=4)) == "there is no live segment model"
    result = assign(shop, conf, AS_OF)
    assert (result.skipped, shop.read(USER_SEGMENTS).count(), shop.read(SEGMENT_CARD).count()) == (True, 0, 0)


def test_a_model_of_other_features_is_refused_or_replaced(shop: Lake, server: MlflowConf, monkeypatch: pytest.MonkeyPatch) -> None:
    train(shop, conf_of(SPEC, server), AS_OF)
    other = SegmentsSpec.model_validate({**SPEC.model_dump(), "features": [{"name": "frequency", "expr": "orders"}]})
    with pytest.raises(ModelError, match=r"new: frequency; gone: night, orders, promotion.*persona segments train"):
        assign(shop, conf_of(other), AS_OF)
    assert needs_training(shop, conf_of(other), AS_OF) is None
    use(monkeypatch, users_of(shop.spark, planted()).drop("orders"))
    with pytest.raises(ModelError, match="orders: unknown column 'orders'"):
        assign(shop, conf_of(), AS_OF)
    reason = needs_training(shop, conf_of(changed(other, training={"on_change": "retrain"})), AS_OF)
    assert reason is not None
    assert "changed" in reason


def test_an_old_model_is_retrained_and_ids_stay(shop: Lake, server: MlflowConf, monkeypatch: pytest.MonkeyPatch) -> None:
    aged = conf_of(changed(SPEC, training={"when": "age", "max_age_days": 30}, fit={"smallest_k": 4, "largest_k": 4}), server)
    train(shop, aged, AS_OF)
    assert needs_training(shop, aged, AsOf(date(2024, 3, 30), 3)) is None
    later = AsOf(date(2024, 3, 31), 4)
    assert "30 days old" in str(needs_training(shop, aged, later))
    old = champion(shop)
    people = planted(seed=2, each=90)
    use(monkeypatch, users_of(shop.spark, people).sample(1.0))
    train(shop, aged, later)
    new = champion(shop)
    assert old is not None
    assert new is not None
    assert new.model_version != old.model_version
    assert {model.status for model in models(shop) if model.model_version == old.model_version} == {"retired"}
    users = users_of(shop.spark, people)
    both = assigned(users, old).join(assigned(users, new).select("user_id", F.col("segment_id").alias("now")), "user_id").toPandas()
    assert (both.segment_id == both.now).mean() > 0.97


def test_missing_columns_are_named(shop: Lake) -> None:
    spec = SegmentsSpec.model_validate({**SPEC.model_dump(), "features": [{"name": "a", "expr": "night_shar * 2"}]})
    with pytest.raises(ModelError, match=r"features\.a\.expr: unknown column .night_shar. .did you mean night_share"):
        train(shop, conf_of(spec), AS_OF)


def test_mlflow_that_cannot_be_reached_is_said(shop: Lake) -> None:
    conf = conf_of(mlflow_conf=MlflowConf(tracking_uri="sqlite:////proc/nowhere/mlflow.db"))
    with pytest.raises(ModelError, match=r"mlflow\.tracking_uri"):
        train(shop, conf, AS_OF)
    assert champion(shop) is None
