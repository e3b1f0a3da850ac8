"""The pages written from the definitions are those of the definitions as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from profile_rows import MAIN, demo_conf

from persona_spark.config import features_doc, tags_doc
from persona_spark.profiles import doc
from persona_spark.profiles.tables import user_profile_table
from persona_spark.schema import PROFILE_RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONF = MAIN.parent
DOCS = CONF.parent / "docs"
WRITERS: dict[str, tuple[Callable[[str, str], None], Path]] = {
    "features.md": (features_doc.main, CONF / "features.yaml"),
    "tags.md": (tags_doc.main, CONF / "tags.yaml"),
    "profiles.md": (doc.main, MAIN),
}


@pytest.mark.parametrize("name", WRITERS)
def test_committed_page_is_up_to_date(name: str, tmp_path: Path) -> None:
    write, source = WRITERS[name]
    write(str(source), str(tmp_path / name))
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == (tmp_path / name).read_text(encoding="utf-8"), "run: make docs"


def test_every_column_and_tag_is_described() -> None:
    page = (DOCS / "profiles.md").read_text(encoding="utf-8")
    columns = (*user_profile_table(demo_conf()).columns, *PROFILE_RELEASE.columns)
    assert [column.name for column in columns if f"| `{column.name}` | `{column.type}` |" not in page] == []
    tags = (DOCS / "tags.md").read_text(encoding="utf-8")
    assert [name for name, tag in demo_conf().tags.tags.items() if f"| `{name}` | {tag.label.en} | {tag.label.zh} |" not in tags] == []


def test_every_column_has_a_comment_with_unit_or_meaning() -> None:
    assert [column.name for column in user_profile_table(demo_conf()).columns if len(column.comment) < 5] == []
