"""The public names of the package, and that looking at it loads no Spark."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import persona_spark


def test_public_names_are_there() -> None:
    assert all(getattr(persona_spark, name) is not None for name in persona_spark.__all__)
    assert set(persona_spark.__all__) <= set(dir(persona_spark))
    assert persona_spark.Profiles.__name__ == "Profiles"
    assert persona_spark.load_conf.__module__ == "persona_spark.config.load"


def test_unknown_name_says_what_there_is() -> None:
    package: Any = persona_spark
    with pytest.raises(AttributeError, match=r"has no attribute 'Profile'; it offers AsOf, Conf, Lake"):
        _ = package.Profile


@pytest.mark.parametrize("names", ["__version__", "load_conf, Conf, PersonaError, AsOf"])
def test_import_without_spark(names: str) -> None:
    code = f"import sys; from persona_spark import {names}; print([m for m in ('pyspark', 'delta', 'mlflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
