"""Commands that make something: a run, its stages, a simulated shop, upkeep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from persona_spark.cli.app import AsOfOption, ConfOption, LakeOption, app, begin, checked, features_app, look, out, segments_app
from persona_spark.errors import UsageError
from persona_spark.time import parse_date

if TYPE_CHECKING:
    from datetime import date

    from persona_spark.config.load import Conf


@app.command()
def run(
    conf: ConfOption,
    as_of: AsOfOption,
    lake: LakeOption = None,
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done; nothing is taken in or written.")] = False,
) -> None:
    """Do everything: ingest, tile, identify, features, score, tag, segments, publish."""
    from persona_spark import pipeline
    from persona_spark.summary import show_summary

    day, loaded = parse_date(as_of), checked(conf)
    if plan:
        _show_plan(loaded, lake, day)
        return
    there, log = begin(loaded, lake)
    show_summary(out, there, loaded, pipeline.run(there, loaded, day, log))


def _show_plan(conf: Conf, path: str | None, day: date) -> None:
    from persona_spark.plan_console import show_plan
    from persona_spark.run_plan import plan_run

    show_plan(out, plan_run(look(conf, path), conf, day))


@app.command()
def ingest(conf: ConfOption, lake: LakeOption = None) -> None:
    """Take in what is new in all feeds."""
    from persona_spark import pipeline

    loaded = checked(conf)
    there, log = begin(loaded, lake)
    pipeline.run_ingest(there, loaded, log)


def _stage_command(name: str, text: str) -> None:
    target, command = (segments_app, name) if name in {"train", "assign"} else (app, name)

    @target.command(command, help=text)
    def stage(conf: ConfOption, as_of: AsOfOption, lake: LakeOption = None) -> None:
        _run_stage(name, conf, as_of, lake)


def _run_stage(name: str, conf: Path, as_of: str, lake: str | None) -> None:
    from persona_spark import pipeline

    day, loaded = parse_date(as_of), checked(conf)
    there, log = begin(loaded, lake)
    pipeline.run_stage(name, there, loaded, day, log)


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
def upkeep(conf: ConfOption, lake: LakeOption = None) -> None:
    """Remove old days, put small files together, take removed rows out of files, delete old files; no value that stays changes."""
    from persona_spark.upkeep import run_upkeep
    from persona_spark.upkeep_console import show_upkeep

    loaded = checked(conf)
    there, log = begin(loaded, lake, create=False)
    show_upkeep(out, run_upkeep(there, loaded, log))
