"""Commands that look: at a configuration, a machine, a feature, releases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from persona_spark.cli.app import ConfOption, LakeOption, app, checked, features_app, load, look, out
from persona_spark.errors import ConfigError
from persona_spark.time import parse_date


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

    day, loaded = parse_date(as_of) if as_of else None, checked(conf)
    choose(loaded.features, name)  # a wrong name is told before Spark starts
    show_preview(out, preview_feature(look(loaded, lake), loaded, name, day, users), loaded.main.lake.currency)


@app.command()
def releases(conf: ConfOption, lake: LakeOption = None) -> None:
    """List the releases in the lake."""
    from persona_spark.console import show_releases

    show_releases(out, look(load(conf), lake))


@app.command()
def verify(
    conf: ConfOption,
    release: Annotated[str | None, typer.Option("--release", help="Id of the release; default the serving one.")] = None,
    lake: LakeOption = None,
) -> None:
    """Compute a release again from the raw events that it knew, and compare every value; exits with 1 when one differs."""
    from persona_spark.verify import verify as compute_again
    from persona_spark.verify_console import show_verification

    loaded = checked(conf)
    found = compute_again(look(loaded, lake), loaded, release)
    show_verification(out, found)
    if not found.holds:
        raise typer.Exit(1)


@app.command()
def profile(
    user_id: Annotated[str, typer.Argument(help="User id, or the id of one of the user's accounts.")],
    conf: ConfOption,
    lake: LakeOption = None,
) -> None:
    """Show one user's profile in the serving release."""
    from persona_spark.console import show_profile
    from persona_spark.profiles import profile_of

    show_profile(out, profile_of(look(load(conf), lake), user_id))
