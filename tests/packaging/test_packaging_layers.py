"""The import linter holds the layers, and what the project says of itself is true of its files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from persona_spark import __version__
from persona_spark.doctor import PACKAGES
from persona_spark.lake.session import DELTA_PACKAGE

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
JOBS = sorted((ROOT / "jobs").glob("*.py"))


def test_import_layers_hold() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_one_version_everywhere() -> None:
    assert PROJECT["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pins_agree_with_what_the_doctor_and_the_jobs_ask_for() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line)
    assert {name: pins[name] for name in PACKAGES} == PACKAGES
    assert all(f"{name}=={number}" in PROJECT["dependencies"] for name, number in PACKAGES.items())
    assert DELTA_PACKAGE.endswith(PACKAGES["delta-spark"])
    assert DELTA_PACKAGE in (ROOT / "jobs" / "README.md").read_text(encoding="utf-8")


def test_every_dependency_is_pinned() -> None:
    pins = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line}
    wanted = [*PROJECT["dependencies"], *(need for needs in PROJECT["optional-dependencies"].values() for need in needs)]
    names = {re.split(r"[\[<>=;~! ]", need)[0].lower() for need in wanted if "win32" not in need} - {"persona-spark"}
    assert names - pins == set()


def test_typed_marker_and_licence_are_there() -> None:
    assert (ROOT / "persona_spark" / "py.typed").is_file()
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)
def test_job_is_a_command_that_exists(job: Path) -> None:
    code = f"import sys, runpy; sys.argv = ['job', '--help']; runpy.run_path({str(job)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_jobs_readme_names_every_job() -> None:
    text = (ROOT / "jobs" / "README.md").read_text(encoding="utf-8")
    assert [job.name for job in JOBS if f"`{job.name}`" not in text] == []


def test_make_alone_prints_the_help() -> None:
    done = subprocess.run(["make"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert [name for name in ("setup", "demo", "test", "check", "bench", "clean") if f"make {name}" not in done.stdout] == []


def test_make_without_a_new_python_says_so(tmp_path: Path) -> None:
    command = ["make", "-f", str(ROOT / "Makefile"), "setup", "PYTHON=no-such-python", f"VENV={tmp_path}/venv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode != 0
    assert "Python 3.11 or newer was not found (looked for no-such-python)" in done.stderr


def test_make_without_java_says_so_before_anything_is_installed(tmp_path: Path) -> None:
    command = ["make", "-f", str(ROOT / "Makefile"), "demo", f"PYTHON={sys.executable}", f"VENV={tmp_path}/venv"]
    env = {**os.environ, "JAVA_HOME": str(tmp_path / "nothing")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    assert done.returncode != 0
    assert "Spark needs Java 17 or newer: install a JDK" in done.stderr
    assert not (tmp_path / "venv").exists()
