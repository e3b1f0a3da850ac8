"""docs/profiles.md, written from the tables' contracts: `python -m persona_spark.profiles.doc conf/demo.yaml docs/profiles.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from persona_spark.config.load import load_conf
from persona_spark.config.markdown import code, page, table
from persona_spark.profiles.tables import user_profile_history_table, user_profile_table
from persona_spark.schema import PROFILE_RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.features_columns import FeatureColumn
    from persona_spark.config.load import Conf
    from persona_spark.schema import Table

_HEAD = """\
# Profiles

Written from the tables' contracts and `conf/features.yaml` by `make docs`.

`user_profile` holds exactly the serving release, one row a user, replaced in one commit: whoever opens it sees one whole release.
`user_profile_history` keeps every release, `profile_release` says what became of each. A release that fails an audit never serves.

## How to read it

Spark, with the helper that knows releases:

```python
from persona_spark import Profiles

profiles = Profiles(spark, "lake/demo")
profiles.latest()  # the serving release
profiles.releases()  # all releases, newest first
profiles.release(release_id)  # one by its id
day = profiles.latest().first().as_of
profiles.as_of(day)  # the one published last for a day; text such as "2018-01-01" will do
```

Spark alone:

```sql
SELECT lifecycle_stage, count(*), sum(paid_amount_365d) FROM delta.`lake/demo/user_profile` GROUP BY lifecycle_stage
```

Polars:

```python
import polars as pl

users = pl.read_delta("lake/demo/user_profile")
users.filter(pl.col("tags").list.contains("high_spender")).select("user_id", "paid_amount_90d")
```

pandas; amounts are `Decimal`, lists are arrays:

```python
from deltalake import DeltaTable

users = DeltaTable("lake/demo/user_profile").to_pandas(columns=["user_id", "rfm_segment", "tags"])
```

DuckDB, through Arrow, so that it needs no extension:

```python
import duckdb
from deltalake import DeltaTable

user_profile = DeltaTable("lake/demo/user_profile").to_pyarrow_table()
duckdb.sql("SELECT rfm_segment, count(*), sum(paid_amount_365d) FROM user_profile GROUP BY ALL").fetchall()
```

## The contract of v1

- A published column is never dropped, renamed or given another type. New columns may come, and new
  fields at the end of structs such as those of `top_category`; releases made before have null in them.
- A changed tag, threshold or scheme is a revision of the definitions, and gives another `release_id`. A feature that means something
  else takes a new name.
- `user_id` is never null and stands once; `tags` is sorted and never null; counts and amounts are 0 when nothing happened, not null.
- `release_id` is as_of and a hash of what decides the content: as_of, ingest_seq, definitions, segment model, code. The same inputs
  give the same id and the same rows.
- A release does not change once it is published, except that a person who must be erased is removed from it.
- The tables need Delta reader version 1: no deletion vectors, no column mapping, no types of later versions.
"""
_GROUPS = {
    "attributes": "Attributes · 属性",
    "dates": "Dates · 日期",
    "gaps": "Gaps · 间隔",
    "streaks": "Streaks · 连续天数",
    "measures": "Measures · 指标",
    "derived": "Derived features · 衍生指标",
    "preferences": "Preferences · 偏好",
}
_NEVER = "never"


def profiles_markdown(conf: Conf) -> str:
    """The page, with a final newline."""
    profile, history = user_profile_table(conf), user_profile_history_table(conf)
    return page([_HEAD, *_profile(conf, profile), *_other(history, "The columns of `user_profile`."), *_other(PROFILE_RELEASE)])


def _profile(conf: Conf, profile: Table) -> Iterator[str]:
    features = conf.features.feature_columns()
    named = {feature.column.name for feature in features}
    yield from (f"## `{profile.name}`", "", profile.comment, f"Key: {_key(profile)}. {len(profile.columns)} columns.", "")
    yield from ("### Who and when", "")
    first = [column.name for column in profile.columns].index("account_ids") + 1
    yield from _plain(profile, profile.names[:first])
    for group, title in _GROUPS.items():
        inside = [feature for feature in features if feature.group == group]
        if inside:
            yield from (f"### {title}", "")
            yield from table(("Column", "Type", "Unit", "Meaning", "含义", "Null when"), map(_row, inside))
    yield from ("### Scores, segment and tags · 评分、分群与标签", "")
    yield from _plain(profile, tuple(name for name in profile.names[first:] if name not in named))


def _row(feature: FeatureColumn) -> tuple[str, ...]:
    column = feature.column
    return code(column.name), code(column.type), feature.unit, feature.label.en, feature.label.zh, feature.null_when or _NEVER


def _plain(contract: Table, names: tuple[str, ...]) -> Iterator[str]:
    rows = ((code(name), code(contract.column(name).type), contract.column(name).comment, _null(contract, name)) for name in names)
    yield from table(("Column", "Type", "Meaning", "Null"), rows)


def _null(contract: Table, name: str) -> str:
    return "as said" if contract.may_be_null(contract.column(name)) else _NEVER


def _other(contract: Table, instead: str | None = None) -> Iterator[str]:
    partition = f" Partition: {', '.join(map(code, contract.partition_by))}." if contract.partition_by else ""
    yield from (f"## `{contract.name}`", "", f"{contract.comment} Key: {_key(contract)}.{partition}", "")
    if instead is not None:
        yield from (instead, "")
    else:
        yield from _plain(contract, contract.names)


def _key(contract: Table) -> str:
    return ", ".join(map(code, contract.key))


def main(conf: str, target: str) -> None:
    """Write the page `target` from the configuration whose main file is `conf`."""
    Path(target).write_text(profiles_markdown(load_conf(conf)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
