"""The program, the options that commands share, and what they all begin with."""

from __future__ import annotations

import logging
import sys
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from persona_spark.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from persona_spark.config.load import Conf
    from persona_spark.lake.tables import Lake
    from persona_spark.run_log import RunLog

app = typer.Typer(
    name="persona",
    help="User profiles at scale: from a shop's raw events to versioned profile releases.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
segments_app = typer.Typer(help="Train and assign KMeans segments.", no_args_is_help=True)
app.add_typer(segments_app, name="segments")
features_app = typer.Typer(help="Compute every user's features, or look at one of them.", invoke_without_command=True)
app.add_typer(features_app, name="features")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ConfOption = Annotated[Path, typer.Option("--conf", help="Main configuration file.", show_default=False)]
AsOfOption = Annotated[
    str, typer.Option("--as-of", help="Day to make profiles for: events before it count (YYYY-MM-DD).", show_default=False)
]
LakeOption = Annotated[str | None, typer.Option("--lake", help="Folder of the lake; wins over the configuration.")]


@app.callback()
def _options(
    context: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Write a JSON line a stage to standard error.")] = False,
) -> None:
    context.obj = {"debug": debug}
    if log_json:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger = logging.getLogger("persona_spark")
        logger.handlers, logger.level, logger.propagate = [handler], logging.INFO, False


def load(path: Path) -> Conf:
    """The configuration, as far as one file after the other tells whether it is right."""
    from persona_spark.config.load import load_conf

    return load_conf(path)


def checked(path: Path) -> Conf:
    """The configuration, held to all checks but overdue reviews, which must not stop a night's run."""
    from persona_spark.config.check import checked_conf

    return checked_conf(path)


def opened(conf: Conf, path: str | None, started: Callable[[SparkSession, float], None], *, create: bool) -> Lake:
    """The lake for writing; `started` is told the session and the seconds that it took.

    Raises:
        LakeError: when there is no lake and none is to be created.
    """
    from persona_spark.lake.info import check_place, open_lake
    from persona_spark.lake.session import build_session
    from persona_spark.schema import LAKE

    check_place(conf.main.lake, conf.folder, path)
    begun = time.perf_counter()
    spark = build_session()
    started(spark, time.perf_counter() - begun)
    lake = open_lake(spark, conf.main.lake, conf.folder, path, create=create)
    if not create and not lake.exists(LAKE):
        raise LakeError(f"there is no lake in {lake.root or lake.schema}: name it with --lake or --conf, or run persona run first")
    return lake


def look(conf: Conf, path: str | None) -> Lake:
    """The lake for reading: it is not created, and its folder need not be writable."""
    from persona_spark.lake.info import open_lake
    from persona_spark.lake.session import build_session

    return open_lake(build_session(), conf.main.lake, conf.folder, path, create=False)


def begin(conf: Conf, path: str | None, *, create: bool = True) -> tuple[Lake, RunLog]:
    """The lake, created when it is new unless `create` says otherwise, and the log of a run that shows its progress."""
    from persona_spark.console import session_started, stage_ended, stage_started
    from persona_spark.run_log import RunLog

    lake = opened(conf, path, partial(session_started, out), create=create)
    started = datetime.now(tz=UTC)
    run_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    return lake, RunLog(lake, run_id, started, partial(stage_started, out), partial(stage_ended, out))
