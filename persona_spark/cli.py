"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."""

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

from persona_spark.errors import ConfigError, PersonaError, UsageError
from persona_spark.time import parse_date

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

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


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="New folder for the configuration.")]) -> None:
    """Lay a configuration to edit into a folder."""
    from persona_spark.config.defaults import init_conf

    files = init_conf(folder)
    out.print(f"wrote {len(files)} files to {folder}")
    out.print(f"next: edit {folder}/persona.yaml and {folder}/sources/, then run: persona check --conf {folder}/persona.yaml")


@app.command()
def check(
    conf: ConfOption,
    *,
    types: Annotated[bool, typer.Option("--types", help="Also let Spark analyse each expression on an empty frame.")] = False,
    today: Annotated[str | None, typer.Option("--today", help="Day against which reviews are overdue; default the present day.")] = None,
) -> None:
    """Find every mistake in the configuration, without Spark."""
    from persona_spark.config.check import check_conf
    from persona_spark.config.load import read_conf

    draft = read_conf(conf)
    faults = [*draft.faults, *check_conf(draft, parse_date(today) if today else datetime.now(tz=UTC).date())]
    if types:
        from persona_spark.lake.session import build_session
        from persona_spark.type_check import check_types

        faults += check_types(build_session(), draft, faults)
    if faults:
        raise ConfigError(faults)
    loaded = draft.conf()
    features, tags = len(loaded.features.profile_columns()), len(loaded.tags.tags)
    out.print(f"{conf}: no mistakes. {len(loaded.sources)} sources, {features} profile columns, {tags} tags.")


@app.command()
def doctor(
    conf: Annotated[Path | None, typer.Option("--conf", help="Main configuration file to check as well.")] = None,
    lake: LakeOption = None,
) -> None:
    """Check that this machine has what persona-spark needs."""
    from persona_spark.console import show_checks
    from persona_spark.doctor import examine

    checks = examine(conf, lake)
    show_checks(out, checks)
    if not all(item.ok for item in checks):
        raise typer.Exit(1)


@app.command()
def simulate(
    users: Annotated[int, typer.Option("--users", help="People in the shop.")],
    days: Annotated[int, typer.Option("--days", help="Days of history.")],
    seed: Annotated[int, typer.Option("--seed", help="Seed of every draw; 0 is a seed.")],
    out_folder: Annotated[str, typer.Option("--out", help="Folder for the feeds and the truth.")],
    as_of: Annotated[str, typer.Option("--as-of", help="Day after the last day of history.")] = "2026-01-01",
) -> None:
    """Write the feeds of a shop with planted personas, and the truth."""
    from persona_spark.lake.session import build_session
    from persona_spark.simulate import simulate as write_shop

    result = write_shop(build_session(), users=users, days=days, seed=seed, out=out_folder, end=parse_date(as_of))
    out.print(f"wrote {result.rows_out:,} rows to {out_folder}: " + ", ".join(f"{k} {v:,}" for k, v in result.notes.items()))
    out.print(f"next: PERSONA_SIMULATED={Path(out_folder).absolute()} persona run --conf conf/simulator.yaml --as-of {as_of}", markup=False)


@app.command()
def run(
    conf: ConfOption,
    as_of: AsOfOption,
    lake: LakeOption = None,
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done; nothing is taken in or written.")] = False,
) -> None:
    """Do everything: ingest, identify, tile, features, score, tag, segments, publish."""
    from persona_spark import pipeline
    from persona_spark.summary import show_summary

    day, loaded = parse_date(as_of), _checked(conf)
    if plan:
        _show_plan(loaded, lake, day)
        return
    opened, log = _begin(loaded, lake)
    show_summary(out, opened, loaded, pipeline.run(opened, loaded, day, log))


def _show_plan(conf: Conf, path: str | None, day: date) -> None:
    from persona_spark.plan_console import show_plan
    from persona_spark.run_plan import plan_run

    show_plan(out, plan_run(_look(conf, path), conf, day))


@app.command()
def ingest(conf: ConfOption, lake: LakeOption = None) -> None:
    """Take in what is new in all feeds."""
    from persona_spark import pipeline

    loaded = _checked(conf)
    opened, log = _begin(loaded, lake)
    pipeline.run_ingest(opened, loaded, log)


def _stage_command(name: str, text: str) -> None:
    target, command = (segments_app, name) if name in {"train", "assign"} else (app, name)

    @target.command(command, help=text)
    def stage(conf: ConfOption, as_of: AsOfOption, lake: LakeOption = None) -> None:
        _run_stage(name, conf, as_of, lake)


def _run_stage(name: str, conf: Path, as_of: str, lake: str | None) -> None:
    from persona_spark import pipeline

    day, loaded = parse_date(as_of), _checked(conf)
    opened, log = _begin(loaded, lake)
    pipeline.run_stage(name, opened, loaded, day, log)


for _name, _text in {
    "identify": "Find the user behind each account.",
    "tile": "Roll new events up into account-day tiles.",
    "score": "Compute RFM and lifecycle.",
    "tag": "Evaluate all tags.",
    "train": "Train segments and register the model.",
    "assign": "Assign users to the champion's segments.",
    "publish": "Audit and publish the release.",
}.items():
    _stage_command(_name, _text)


@features_app.callback()
def features(
    context: typer.Context,
    conf: Annotated[Path | None, typer.Option("--conf", help="Main configuration file.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Day to compute all features for (YYYY-MM-DD).")] = None,
    lake: LakeOption = None,
) -> None:
    """Compute every user's features (with --conf and --as-of), or look at one of them (preview)."""
    if context.invoked_subcommand is not None:
        if conf or as_of or lake:
            raise UsageError(f"write the options after the command: persona features {context.invoked_subcommand} ... --conf FILE")
        return
    if conf is None or as_of is None:
        raise UsageError(
            "persona features needs --conf FILE and --as-of DATE; to look at one feature: persona features preview NAME --conf FILE"
        )
    _run_stage("features", conf, as_of, lake)


@features_app.command()
def preview(
    name: Annotated[str, typer.Argument(help="Definition in any section of the features file, or one published column.")],
    conf: ConfOption,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Day to look at; default the latest in the lake.")] = None,
    lake: LakeOption = None,
    users: Annotated[int, typer.Option("--users", help="Most users to make rows for, when they are not stored.")] = 50_000,
) -> None:
    """Look at a feature, a just added one too, without writing anything: figures, distribution, some users."""
    from persona_spark.preview import preview_feature
    from persona_spark.preview.choice import choose
    from persona_spark.preview_console import show_preview

    day, loaded = parse_date(as_of) if as_of else None, _checked(conf)
    choose(loaded.features, name)  # a wrong name is told before Spark starts
    show_preview(out, preview_feature(_open(loaded, lake), loaded, name, day, users), loaded.main.lake.currency)


@app.command()
def releases(conf: ConfOption, lake: LakeOption = None) -> None:
    """List the releases in the lake."""
    from persona_spark.console import show_releases

    show_releases(out, _open(_load(conf), lake))


@app.command()
def verify(
    conf: ConfOption,
    release: Annotated[str | None, typer.Option("--release", help="Id of the release; default the serving one.")] = None,
    lake: LakeOption = None,
) -> None:
    """Compute a release again from the raw events that it knew, and compare every value; exits with 1 when one differs."""
    from persona_spark.verify import verify as compute_again
    from persona_spark.verify_console import show_verification

    loaded = _checked(conf)
    found = compute_again(_look(loaded, lake), loaded, release)
    show_verification(out, found)
    if not found.holds:
        raise typer.Exit(1)


@app.command()
def upkeep(conf: ConfOption, lake: LakeOption = None) -> None:
    """Put small files together, delete old ones and old days of user_features; no value changes."""
    from persona_spark.upkeep import run_upkeep
    from persona_spark.upkeep_console import show_upkeep

    loaded = _checked(conf)
    opened, log = _begin(loaded, lake)
    show_upkeep(out, run_upkeep(opened, loaded, log))


@app.command()
def profile(
    user_id: Annotated[str, typer.Argument(help="User id, or the id of one of the user's accounts.")],
    conf: ConfOption,
    lake: LakeOption = None,
) -> None:
    """Show one user's profile in the serving release."""
    from persona_spark.console import show_profile
    from persona_spark.profiles import profile_of

    show_profile(out, profile_of(_open(_load(conf), lake), user_id))


def _load(path: Path) -> Conf:
    from persona_spark.config.load import load_conf

    return load_conf(path)


def _checked(path: Path) -> Conf:
    """The configuration, held to all checks but overdue reviews, which must not stop a night's run."""
    from persona_spark.config.check import checked_conf

    return checked_conf(path)


def _open(conf: Conf, path: str | None, started: Callable[[SparkSession, float], None] = lambda *_: None) -> Lake:
    from persona_spark.lake.info import check_place, open_lake
    from persona_spark.lake.session import build_session

    check_place(conf.main.lake, conf.folder, path)
    begun = time.perf_counter()
    spark = build_session()
    started(spark, time.perf_counter() - begun)
    return open_lake(spark, conf.main.lake, conf.folder, path)


def _look(conf: Conf, path: str | None) -> Lake:
    """The lake for reading: it is not created, and its folder need not be writable."""
    from persona_spark.lake.info import open_lake
    from persona_spark.lake.session import build_session

    return open_lake(build_session(), conf.main.lake, conf.folder, path, create=False)


def _begin(conf: Conf, path: str | None) -> tuple[Lake, RunLog]:
    """The lake, and the log of a run that shows its progress."""
    from persona_spark.console import session_started, stage_ended, stage_started
    from persona_spark.run_log import RunLog

    lake = _open(conf, path, partial(session_started, out))
    started = datetime.now(tz=UTC)
    run_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    return lake, RunLog(lake, run_id, started, partial(stage_started, out), partial(stage_ended, out))


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with 0, 1 or 2.

    Args:
        argv: arguments without the program's name; those of the process when None.
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = app(arguments, standalone_mode=False)
    except PersonaError as error:
        _fail(str(error), error, arguments)
        sys.exit(error.exit_code)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        err.print("stopped; run the same command again to go on")
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last line of defence: an exit code and a message, not a trace
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            err.print(f"persona: {error.format_message()}", markup=False)
            sys.exit(2)
        _fail(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", error, arguments)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, error: Exception, arguments: list[str]) -> None:
    if "--debug" in arguments:
        raise error
    err.print(f"persona: {message}", markup=False)
    if not isinstance(error, PersonaError):
        err.print("persona: this was not expected; `persona --debug ...` shows where it happened", markup=False)


if __name__ == "__main__":
    main()
