"""What the README and the docs show is true: commands parse, mappings are valid, Python and SQL run, links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
import yaml

from persona_spark import schema
from persona_spark.cli import app
from persona_spark.config.sources import SourceSpec
from persona_spark.lake.session import DELTA_PACKAGE
from persona_spark.preview import preview_feature
from persona_spark.preview_console import preview_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from small_shop import SmallLake

ROOT = Path(__file__).parents[2]
README, README_ZH = ROOT / "README.md", ROOT / "README.zh.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("jobs/*.md"), *ROOT.glob("bench/*.md")])
LAKES = ("lake/demo", "/data/lake")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path, program: str) -> Iterator[list[str]]:
    """The words of each command of `program` in the page's shell blocks, without comments, redirections and variables."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.match(r"^[A-Z_]+=", words[0]):
                words.pop(0)
            if words and words[0] == program:
                cut = next((place for place, word in enumerate(words) if word in {"2>>", "|", ">", "&"}), len(words))
                yield words[1:cut]


def in_page(language: str) -> list[pytest.param]:  # type: ignore[valid-type]
    return [
        pytest.param(text, id=f"{page.relative_to(ROOT)}-{place}") for page in PAGES for place, text in enumerate(blocks(page, language), 1)
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_persona_commands_are_understood(page: Path) -> None:
    for words in commands(page, "persona"):
        command: Any = typer.main.get_command(app)
        rest = list(words)
        while subcommands := getattr(command, "commands", None):
            rest = list(dropwhile(lambda word: word.startswith("--"), rest))
            assert rest, words
            assert rest[0] in subcommands, words
            command = subcommands[rest.pop(0)]
        command.make_context("persona", rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    for words in commands(page, "make"):
        done = subprocess.run(["make", "-n", *words], capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_spark_submit_names_the_right_jars_and_a_job_that_exists(page: Path) -> None:
    for words in commands(page, "spark-submit"):
        assert words[words.index("--packages") + 1] == DELTA_PACKAGE
        assert (ROOT / next(word for word in words if word.startswith("jobs/"))).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("text", in_page("python"))
def test_python_runs(text: str, small_lake: SmallLake) -> None:
    names = {"spark": small_lake.lake.spark, "release_id": small_lake.profiles.select("release_id").collect()[0][0]}
    for lake in LAKES:
        text = text.replace(f'"{lake}', f'"{small_lake.path}')
    exec(compile(text, "block", "exec"), names)  # noqa: S102 - our own pages


@pytest.mark.parametrize("text", in_page("sql"))
def test_sql_runs(text: str, small_lake: SmallLake) -> None:
    for lake in LAKES:
        text = text.replace(lake, small_lake.path)
    small_lake.lake.spark.sql(text).collect()


@pytest.mark.parametrize("page", [README, README_ZH], ids=lambda page: page.name)
def test_mappings_in_the_readme_are_valid(page: Path) -> None:
    mappings = [SourceSpec.model_validate(yaml.safe_load(text)) for text in blocks(page, "yaml")]
    assert [mapping.source for mapping in mappings] == ["clicks"]


def test_the_feature_to_add_can_be_previewed(small_lake: SmallLake) -> None:
    page = ROOT / "docs" / "new_feature.md"
    spec = small_lake.conf.features
    merged = spec.model_dump(mode="json", exclude_none=True)
    for text in blocks(page, "yaml"):
        for section, entries in yaml.safe_load(text).items():
            assert not merged[section].keys() & entries.keys(), "the page adds what is there already"
            merged[section] = {**merged[section], **entries}
    conf = replace(small_lake.conf, features=type(spec).model_validate(merged))
    told = "\n".join(preview_lines(preview_feature(small_lake.lake, conf, "weekend_paid_share"), "CNY"))
    assert told.splitlines()[:2] == blocks(page, "text")[0].splitlines()[:2]
    assert "made in memory from events" in told


def test_the_sums_of_scale_are_those_of_its_block() -> None:
    page = ROOT / "docs" / "scale.md"
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(compile(blocks(page, "python")[0], "block", "exec"), {})  # noqa: S102 - our own page
    assert told.getvalue() == blocks(page, "text")[0]


@pytest.mark.parametrize("language", ["python", "yaml", "text"])
def test_both_readmes_show_the_same_code(language: str) -> None:
    assert blocks(README, language) == blocks(README_ZH, language)


def test_both_readmes_show_the_same_commands() -> None:
    for program in ("make", "persona", "spark-submit"):
        assert list(commands(README, program)) == list(commands(README_ZH, program))


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert ["test"] in list(commands(README, "make"))
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_readme_shows_the_real_demo() -> None:
    for page in (README, README_ZH):
        shown = "".join(blocks(page, "text"))
        assert "2,469 users" in shown
        assert "4,596,039.58" in shown


def test_concepts_name_every_table() -> None:
    text = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    tables = {value.name for value in vars(schema).values() if isinstance(value, schema.Table)}
    assert sorted(name for name in tables if f"`{name}`" not in text) == []
