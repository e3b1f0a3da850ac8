"""Tables of a lake read as a downstream team reads them, without Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltalake import DeltaTable

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def stored(lake: Path | str, table: str) -> pd.DataFrame:
    """The rows of a table, in the order of all their values as text, whatever file each is in."""
    rows = DeltaTable(f"{lake}/{table}").to_pandas()
    order = rows.astype(str).sort_values(list(rows.columns)).index
    return rows.loc[order].reset_index(drop=True)
