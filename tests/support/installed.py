"""The wheel in an environment of its own, and commands that know nothing of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

from commands import ROOT, SMALL_COMMAND, run

if TYPE_CHECKING:
    from pathlib import Path


def build_wheel(folder: Path) -> Path:
    """Build the wheel into `folder`."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def install(wheel: Path, folder: Path) -> Path:
    """The programs of a new environment with the wheel; dependencies are those of this environment, the checkout is not among them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--force-reinstall", str(wheel)], check=True, env=clean_environment())
    return programs


def clean_environment() -> dict[str, str]:
    """This process's environment without what leads Python, Spark or pip to this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_", "PYSPARK_", "PIP_"))}
    return {**kept, **SMALL_COMMAND}


def installed_persona(programs: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed `persona` and wait for it."""
    return run([programs / "persona", *arguments], cwd=cwd, env=clean_environment())
