"""The files that a Delta table consists of now, for engines that read Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltalake import DeltaTable

if TYPE_CHECKING:
    from pathlib import Path


def live_files(table: Path, partition: tuple[str, str] | None = None) -> list[str]:
    """Paths of the live files, of one partition if it is named.

    Raises:
        SystemExit: when there are none.
    """
    filters = [(partition[0], "=", partition[1])] if partition else None
    files = [str(uri).removeprefix("file://") for uri in DeltaTable(str(table)).file_uris(partition_filters=filters)]
    if not files:
        raise SystemExit(f"{table} has no files of {partition}")
    return sorted(files)


def live_bytes(table: Path) -> int:
    """Size of the live files."""
    actions = DeltaTable(str(table)).get_add_actions(flatten=True)
    return sum(int(size) for size in actions["size_bytes"].to_pylist())


def as_list(files: list[str]) -> str:
    """The files as DuckDB's read_parquet takes them."""
    return "[" + ", ".join("'" + name.replace("'", "''") + "'" for name in files) + "]"
