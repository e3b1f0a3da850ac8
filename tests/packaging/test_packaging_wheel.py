"""The wheel, installed in a new environment, works from any folder; a standalone cluster makes the same release by spark-submit."""

from __future__ import annotations

import subprocess
import zipfile
from typing import TYPE_CHECKING

from commands import ROOT
from installed import clean_environment, installed_persona
from standalone import WORKERS, cluster, submit, wait_for
from stored import stored

if TYPE_CHECKING:
    from pathlib import Path

    from small_shop import SmallLake

CONF = ROOT / "conf"
WITHOUT_CLOCKS = (
    "events", "account_day", "account_order", "account_session", "account_item_key", "account_context_key", "identity", "user_features",
    "user_scores", "user_tags", "tag_history", "user_segments", "user_profile_history", "user_profile",
)  # fmt: skip
"""Tables that do not say when they were written."""


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
    made = installed_persona(installed, "init", "shop", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for name in ("persona.yaml", "demo.yaml", "simulator.yaml"):
        done = installed_persona(installed, "check", "--conf", f"shop/{name}", "--today", "2026-01-01", cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    again = installed_persona(installed, "init", "shop", cwd=tmp_path)
    assert again.returncode == 2
    assert "nothing is overwritten" in again.stderr


def test_run_makes_a_release_far_from_the_checkout(small_lake: SmallLake) -> None:
    assert "300 users" in small_lake.told
    assert len(stored(small_lake.path, "user_profile")) == 300


def test_two_workers_of_a_cluster_make_the_same_release(small_lake: SmallLake, tmp_path: Path) -> None:
    with cluster(tmp_path) as address:
        arguments = ["--conf", str(small_lake.conf.path), "--as-of", small_lake.as_of.date.isoformat(), "--lake", str(tmp_path / "lake")]
        done = submit(address, ROOT / "jobs" / "run.py", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        wait_for("Launching executor", tmp_path / "master.log", times=WORKERS)
    for table in WITHOUT_CLOCKS:
        ours, theirs = stored(tmp_path / "lake", table), stored(small_lake.path, table)
        assert ours.equals(theirs), f"{table}\n{ours.compare(theirs)}"
