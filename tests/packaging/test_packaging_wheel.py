"""The wheel, installed in a new environment, works from any folder; a standalone cluster makes the same release by spark-submit."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from commands import SMALL_COMMAND
from standalone import WORKERS, cluster, submit, wait_for
from stored import stored
from tiny_shop import AS_OF, write_tiny_shop

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
WITHOUT_CLOCKS = (
    "events", "account_day", "account_order", "account_session", "account_item_key", "account_context_key", "identity", "user_features",
    "user_scores", "user_tags", "tag_history", "user_segments", "user_profile_history", "user_profile",
)  # fmt: skip
"""Tables that do not say when they were written."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; dependencies are those of this environment, the checkout is not among them."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--force-reinstall",
    ]
    subprocess.run([*pip, str(wheel)], check=True, env=clean_environment())
    return folder / "bin"


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_", "PYSPARK_", "PIP_"))}
    return {**kept, **SMALL_COMMAND}


def persona(installed: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed / "persona", *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=clean_environment(), timeout=900
    )  # fmt: skip


def test_wheel_holds_the_package_its_configuration_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    packed = {name.removeprefix("persona_spark/_conf/") for name in names if name.startswith("persona_spark/_conf/")}
    assert packed == {str(path.relative_to(CONF)) for path in CONF.rglob("*") if path.is_file()}
    assert "persona_spark/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"persona_spark"}


def test_package_in_use_is_the_installed_one(installed: Path, tmp_path: Path) -> None:
    code = "import persona_spark; print(persona_spark.__file__)"
    done = subprocess.run(
        [installed / "python", "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=clean_environment()
    )
    assert done.stdout.startswith(str(installed.parent))


def test_init_lays_a_configuration_that_passes_the_check(installed: Path, tmp_path: Path) -> None:
    made = persona(installed, "init", "shop", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for name in ("persona.yaml", "demo.yaml", "simulator.yaml"):
        done = persona(installed, "check", "--conf", f"shop/{name}", "--today", "2026-01-01", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    again = persona(installed, "init", "shop", cwd=tmp_path)
    assert again.returncode == 2
    assert "nothing is overwritten" in again.stderr


@pytest.fixture(scope="module")
def release(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a tiny shop, its configuration, and the lake that the installed package makes of it; what the run printed."""
    folder = tmp_path_factory.mktemp("tiny")
    conf = write_tiny_shop(folder)
    done = persona(installed, "run", "--conf", str(conf), "--as-of", AS_OF, "--lake", "lake", cwd=folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return conf, done.stdout


def test_run_makes_a_release_far_from_the_checkout(release: tuple[Path, str]) -> None:
    conf, told = release
    assert "240 users" in told
    assert len(stored(conf.parents[1] / "lake", "user_profile")) == 240


def test_two_workers_of_a_cluster_make_the_same_release(release: tuple[Path, str], tmp_path: Path) -> None:
    conf, _ = release
    with cluster(tmp_path) as address:
        arguments = ["--conf", str(conf), "--as-of", AS_OF, "--lake", str(tmp_path / "lake")]
        done = submit(address, ROOT / "jobs" / "run.py", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        wait_for("Launching executor", tmp_path / "master.log", times=WORKERS)
    lakes = tmp_path / "lake", conf.parents[1] / "lake"
    for table in WITHOUT_CLOCKS:
        ours, theirs = (stored(lake, table) for lake in lakes)
        assert ours.equals(theirs), f"{table}\n{ours.compare(theirs)}"
