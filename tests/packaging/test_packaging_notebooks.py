"""Every notebook runs from top to bottom on a small lake, and is written so that Jupyter can open it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import jupytext
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from small_shop import SmallLake

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_opens_in_jupyter(notebook: Path) -> None:
    cells = jupytext.read(notebook).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert sum(cell.cell_type == "code" for cell in cells) > 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path, small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PERSONA_LAKE", small_lake.path)
    monkeypatch.setenv("PERSONA_CONF", str(small_lake.conf.path))
    names = runpy.run_path(str(notebook))
    assert names["LAKE"] == small_lake.path
    identifiers = [row.user_id for row in small_lake.profiles.select("user_id").collect()]
    shown = capsys.readouterr().out
    assert not any(identifier in shown for identifier in identifiers)


def test_tag_design_finds_whom_the_condition_hits(small_lake: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_LAKE", small_lake.path)
    monkeypatch.setenv("PERSONA_CONDITION", "order_count_lifetime >= 2 and view_count_lifetime > 10")
    names = runpy.run_path(str(NOTEBOOKS[0].with_name("design_tag.py")))
    expected = small_lake.profiles.where("order_count_lifetime >= 2 and view_count_lifetime > 10").count()
    assert expected > 0
    assert names["hits"] == expected
    assert names["funnel"]["so far"].tolist()[-1] == expected
