"""The same features by DuckDB, from the Parquet files of the same events; prints seconds as JSON.

Who is whose account is read from `identity`, which costs DuckDB less than finding out.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from live_files import as_list, live_files
from peer_dates import attributes, dates_and_gaps, streaks
from peer_keys import gap_within, preference
from peer_measures import KEYS, counted, day_windows, firsts, user_days
from peer_query import entries, measures

from persona_spark.config.load import load_conf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from peer_query import Query

    from persona_spark.config.features import FeaturesSpec
    from persona_spark.config.load import Conf


def compute(connection: duckdb.DuckDBPyConnection, lake: Path, conf: Conf, as_of: date, out: Path) -> dict[str, float]:
    """Write the features of all users to the Parquet file `out`; returns seconds by part."""
    seconds: dict[str, float] = {}

    def make(name: str, sql: str, kind: str = "TEMP TABLE") -> None:
        begun = time.perf_counter()
        connection.execute(f"CREATE {kind} {name} AS {sql}")
        seconds[name] = time.perf_counter() - begun

    _sources(connection, lake, as_of, make)
    queries = list(_queries(conf, as_of, make))
    begun = time.perf_counter()
    joins = " ".join(f"LEFT JOIN {query.name} USING (u)" for query in queries)
    connection.execute(f"COPY (SELECT {', '.join(_columns(queries))} FROM users {joins}) TO '{out}' (FORMAT parquet)")
    seconds["write"] = time.perf_counter() - begun
    return seconds


def _columns(queries: list[Query]) -> Iterator[str]:
    yield from ("user_id", "account_ids")
    for query in queries:
        yield from (f'coalesce("{name}", 0) AS "{name}"' if name in query.zero else f'"{name}"' for name in query.columns)


def _sources(connection: duckdb.DuckDBPyConnection, lake: Path, as_of: date, make: Callable[..., None]) -> None:
    """Users with numbers, which are cheaper to group by than their ids; events and accounts as views over files."""
    if (lake / "event_retraction").exists():
        raise SystemExit("the peer does not know of events taken back")
    identity = as_list(live_files(lake / "identity", ("as_of", as_of.isoformat())))
    events, versions = (as_list(live_files(lake / name)) for name in ("events", "accounts"))
    make(
        "users",
        f"""SELECT row_number() OVER () AS u, user_id, list_sort(list(account_id)) AS account_ids
            FROM read_parquet({identity}) GROUP BY user_id""",
    )
    make("owners", "SELECT u, unnest(account_ids) AS account_id FROM users")
    connection.execute(
        f"""CREATE TEMP VIEW events AS SELECT * FROM read_parquet({events}) JOIN owners USING (account_id)
            WHERE event_date < DATE '{as_of}'"""
    )
    connection.execute(
        f"""CREATE TEMP VIEW versions AS SELECT * FROM read_parquet({versions}) JOIN owners USING (account_id)
            WHERE valid_from < DATE '{as_of}'"""
    )


def _queries(conf: Conf, as_of: date, make: Callable[..., None]) -> Iterator[Query]:
    """Make a table of each kind of feature, and of what several kinds need."""
    spec = conf.features
    make("days", user_days(spec))
    make("last_events", "SELECT u, max(event_date) AS last_event FROM days GROUP BY u")
    for query in _builders(spec, conf.main.lake.zone, as_of, make):
        if query is not None:
            make(query.name, query.sql)
            yield query


def _builders(spec: FeaturesSpec, zone: str, as_of: date, make: Callable[..., None]) -> Iterator[Query | None]:
    """Every kind of feature; later ones read the tables of earlier ones."""
    yield day_windows(spec, as_of)
    distinct = [name for name, measure in measures(spec, "days").items() if measure.distinct]
    for kind in KEYS:
        mine = measures(spec, kind)
        if mine:
            make(f"firsts_{kind}", firsts(spec, kind))
            yield counted(spec, kind, as_of)
        distinct += [name for name, measure in mine.items() if measure.distinct]
    for name in distinct:
        yield dates_and_gaps(spec, name)
        yield streaks(spec, name)
    for name in entries(spec, "preferences"):
        yield preference(spec, name)
    for name in entries(spec, "gaps"):
        yield gap_within(spec, name)
    yield attributes(spec, as_of, zone)


def main() -> None:
    """Compute, and print seconds by part and in all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--conf", type=Path, required=True)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--out", type=Path, required=True, help="Parquet file for the features")
    parser.add_argument("--memory", default="8GiB")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    conf = load_conf(options.conf)
    connection = duckdb.connect(config={"threads": options.threads, "memory_limit": options.memory})
    connection.execute(f"SET temp_directory = '{options.out}.spill'")
    begun = time.perf_counter()
    parts = compute(connection, options.lake, conf, options.as_of, options.out)
    total = time.perf_counter() - begun
    print(json.dumps({"seconds": total, "parts": parts, "duckdb": duckdb.__version__}))


if __name__ == "__main__":
    main()
