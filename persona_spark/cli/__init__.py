"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."""

from __future__ import annotations

import sys

import typer

from persona_spark.cli import look, make
from persona_spark.cli.app import app, err
from persona_spark.errors import PersonaError

__all__ = ["app", "look", "main", "make"]


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
        from persona_spark.sources.failure import reason_of

        _fail(f"{type(error).__name__}: {reason_of(error)}", error, arguments)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, error: Exception, arguments: list[str]) -> None:
    if "--debug" in arguments:
        raise error
    err.print(f"persona: {message}", markup=False)
    if not isinstance(error, PersonaError):
        err.print("persona: this was not expected; `persona --debug ...` shows where it happened", markup=False)
