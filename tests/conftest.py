"""One Spark session for the whole suite, and a fresh lake for each test that asks for one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import SparkSession
from xdist.scheduler import LoadScopeScheduling

from persona_spark.lake.memory import MemoryLake
from persona_spark.lake.session import build_session
from persona_spark.lake.tables import Lake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from small_shop import SmallLake
    from xdist.remote import Producer


SMALL_LAKE = ("test_e2e_kill.py", "test_packaging_docs.py", "test_packaging_notebooks.py", "test_packaging_wheel.py")
"""The files whose tests use `small_lake`, which takes minutes to make."""

_SETTINGS: dict[str, str] = {}
"""Those of the one session, once there is one."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Send tests of one file, and those that share something costly to make, to one process."""

    class ByLake(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = Path(nodeid.split("::", 1)[0])
            if file.name in SMALL_LAKE:
                return "small_lake"
            return "release_inputs" if file.parent.name == "profiles" else str(file)

    return ByLake(config, log)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    session = build_session(
        "persona-spark tests",
        {
            "spark.master": "local[2]",
            "spark.driver.memory": "3g",
            "spark.sql.shuffle.partitions": "2",
            # To plan anew after each stage takes longer than the stages of such small frames.
            "spark.sql.adaptive.enabled": "false",
            # Tables of a few rows: one more shuffle for each write, or one more task for each state of a table, is most of the work.
            "spark.databricks.delta.optimizeWrite.enabled": "false",
            "spark.databricks.delta.snapshotPartitions": "1",
            # A list that nobody reads here, and for which Spark runs one more job for each new table.
            "spark.databricks.delta.allFilesInCrc.enabled": "false",
            # To compile a plan for a handful of rows takes longer than to interpret it.
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        },
    )
    _SETTINGS.update(session.conf.getAll)
    yield session
    session.stop()


@pytest.fixture(autouse=True, scope="module")
def _same_settings_for_all() -> Iterator[None]:
    """Notebooks, pages and commands that run in this process build a session, which gives the one of the tests other settings."""
    from settings import restore  # noqa: PLC0415 - lies in a folder that pytest adds to the path

    yield
    active = SparkSession.getActiveSession()
    if active and _SETTINGS:
        restore(active, _SETTINGS)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, path=tmp_path / "lake")


@pytest.fixture
def memory(lake: Lake) -> MemoryLake:
    """For cases of values alone: to write Delta tables takes most of the time of such short histories."""
    return MemoryLake(lake)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from installed import build_wheel  # noqa: PLC0415 - most tests need no wheel

    return build_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which the wheel is installed, and from which the checkout cannot be seen."""
    from installed import install  # noqa: PLC0415 - likewise

    return install(wheel, tmp_path_factory.mktemp("elsewhere") / "venv")


@pytest.fixture(scope="session")
def small_lake(spark: SparkSession, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """A simulated shop of 300 people, run through everything once; tests read it and never write to it."""
    from small_shop import build_small_lake  # noqa: PLC0415 - likewise

    return build_small_lake(spark, installed, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def release_inputs(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with three users and all that publishing reads, for two days; tests copy it."""
    from release_inputs import build_inputs  # noqa: PLC0415 - likewise

    return build_inputs(spark, tmp_path_factory.mktemp("inputs") / "lake")


@pytest.fixture(scope="session")
def published_once(release_inputs: Path, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after the first day has been published; tests copy it or only read it."""
    from release_inputs import build_release  # noqa: PLC0415 - likewise

    return build_release(spark, release_inputs, tmp_path_factory.mktemp("published") / "lake")
