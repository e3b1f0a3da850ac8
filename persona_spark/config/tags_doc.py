"""docs/tags.md, written from conf/tags.yaml: `python -m persona_spark.config.tags_doc conf/tags.yaml docs/tags.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from persona_spark.config.base import load_model
from persona_spark.config.markdown import code, page, table
from persona_spark.config.tags import TagsSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# Tags

Written from `conf/tags.yaml` by `make docs`.

A tag holds for a user when its rule is true. A rule reads the columns of the [profile](profiles.md) and the scores; what is null makes
it neither true nor false, and the tag does not hold. Amounts are in the lake's currency, windows end before as_of. All rules are
evaluated in one pass; `user_tags` has a row a user and tag, `user_profile.tags` the sorted names, `tag_history` what was gained and
lost since the as_of before. A changed threshold is a revision: the release id changes, and the manifest names the new definitions.
"""
_KINDS = {
    "attribute": "Who somebody is · 属性",
    "behaviour": "What somebody does · 行为",
    "interest": "What somebody likes · 兴趣",
}


def tags_markdown(spec: TagsSpec) -> str:
    """The page, with a final newline."""
    return page([_HEAD, *(line for kind in _KINDS for line in _kind(spec, kind))])


def _kind(spec: TagsSpec, kind: str) -> Iterator[str]:
    tags = {name: tag for name, tag in spec.tags.items() if tag.kind == kind}
    if not tags:
        return
    yield from (f"## {_KINDS[kind]}", "", f"{len(tags)} of {len(spec.tags)} tags.", "")
    rows = (
        (code(name), tag.label.en, tag.label.zh, code(tag.when), tag.action, tag.owner, tag.review_by.isoformat())
        for name, tag in tags.items()
    )
    yield from table(("Tag", "Meaning", "含义", "Rule", "Action", "Owner", "Review by"), rows)


def main(conf: str, target: str) -> None:
    """Write the page `target` from the definitions in `conf`."""
    Path(target).write_text(tags_markdown(load_model(TagsSpec, Path(conf))), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
