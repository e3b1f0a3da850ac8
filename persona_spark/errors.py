"""Every error that persona-spark raises for a user to read.

Each names what was wrong, where, what was expected and what to do. `exit_code` is what the command line and the jobs
return: 1 for a run that failed, 2 for wrong usage or configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class PersonaError(Exception):
    """Base of all errors of the package."""

    exit_code = 1


class UsageError(PersonaError):
    """A command or function was called with arguments that cannot work."""

    exit_code = 2


class SetupError(PersonaError):
    """The machine lacks something: Java, the Delta jars, a writable folder."""


class FeedError(PersonaError):
    """A feed is wrong as a whole: a missing column, a wrong delimiter, no data."""


class LakeError(PersonaError):
    """A table is missing, belongs to another configuration, or was written by someone else meanwhile."""


class ContractError(PersonaError):
    """A frame does not have the columns, types or keys that its table promises."""


class AuditError(PersonaError):
    """A release failed an audit; the serving release stays as it was."""


class ModelError(PersonaError):
    """A segment model cannot be trained, found or applied."""


@dataclass(frozen=True, order=True)
class Fault:
    """One mistake in the configuration: the file, the key inside it, what is wrong and what to do."""

    file: str
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(PersonaError):
    """All mistakes found in the configuration, reported together."""

    exit_code = 2

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        count = len(self.faults)
        head = f"{count} mistake{'s' if count != 1 else ''} in the configuration:"
        super().__init__("\n".join([head, *(f"  - {fault}" for fault in self.faults)]))
