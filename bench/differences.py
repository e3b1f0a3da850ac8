"""Do both engines say the same? Cells that differ, by column, and columns that only one of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
from live_files import as_list, live_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ROUNDED, ROUNDED_BY = "_logs", 100
"""Columns so called are sums of rounded logarithms, which two libraries may round apart by one each; so many are no difference."""


@dataclass(frozen=True)
class Differences:
    """What a comparison found.

    Attributes:
        users: of either side.
        lonely: users that only one side has.
        cells: cells that differ, by column that both have; users of one side differ in all.
        not_compared: columns that the peer does not compute.
    """

    users: int
    lonely: int
    cells: Mapping[str, int]
    not_compared: tuple[str, ...]

    @property
    def total(self) -> int:
        """All cells that differ."""
        return sum(self.cells.values())


def compare(lake: Path, as_of: str, peer: Path, columns: Sequence[str]) -> Differences:
    """Hold `user_features` of a day against the peer's file.

    Args:
        lake: the lake.
        as_of: the day.
        peer: Parquet file of the peer.
        columns: what `user_features` says of a user.
    """
    ours, theirs = as_list(live_files(lake / "user_features", ("as_of", as_of))), f"'{peer}'"
    connection = duckdb.connect()
    found = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM read_parquet({theirs})").fetchall()}
    both = [name for name in columns if name in found]
    cells = ", ".join(f"count_if({_differs(name)})" for name in both)
    lonely = "count_if(ours.user_id IS NULL OR theirs.user_id IS NULL)"
    row = connection.execute(
        f"""SELECT count(*), {lonely}, {cells}
            FROM read_parquet({ours}) AS ours FULL JOIN read_parquet({theirs}) AS theirs ON ours.user_id = theirs.user_id"""
    ).fetchone()
    if row is None:
        raise SystemExit("the comparison gave nothing")
    return Differences(row[0], row[1], dict(zip(both, row[2:], strict=True)), tuple(name for name in columns if name not in found))


def _differs(name: str) -> str:
    ours, theirs = f'ours."{name}"', f'theirs."{name}"'
    if name.endswith(ROUNDED):
        return f"coalesce(abs({ours} - {theirs}) > {ROUNDED_BY}, ({ours} IS NULL) <> ({theirs} IS NULL))"
    return f"{ours} IS DISTINCT FROM {theirs}"
