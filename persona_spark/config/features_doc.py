"""docs/features.md, written from conf/features.yaml: `python -m persona_spark.config.features_doc conf/features.yaml docs/features.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from persona_spark.config.base import load_model
from persona_spark.config.features import FeaturesSpec
from persona_spark.config.features_columns import days_since, derived_windows, preferred
from persona_spark.config.markdown import code, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# Features

Written from `conf/features.yaml` by `make docs`.

A profile describes a user as of a day: it sees events with a local date before that day. A window of `30d` is the 30 local days
before as_of, `[as_of - 30, as_of)`; `lifetime` has no start. Counts and amounts are 0 when nothing happened. *Ages* are the ages in
days (as_of minus the day of the event) at which a day's events change a value: at age 1 they are new, at age 31 they leave `30d`.
"""
_ORDERS = """
An order counts once, on the local date of the first event that makes it count, over all accounts of the user; what was paid counts on
the days of the payments. Two accounts of a user on one day are one active day. A session counts on the local date of its first event.
"""
_PREFERENCES = """
The key with the largest weight. Each event weighs as its type says; the weight halves every half-life, counted back from the day of
the user's own last event before as_of, and is zero after the stated number of half-lives. Keys whose sum is zero or less do not count;
of equal keys the smaller one wins. `_share` is the key's part of all positive weights.
"""
_ATTRIBUTES = """
What the user's accounts state, of all versions dated before as_of the last value that fits the type, by (valid_from, ingest_seq,
account_id). A version dated on as_of belongs to that day and is not seen yet, as with events. The date of registration is the earliest
over the user's accounts. *Computed* stands in where nothing was stated.
"""


def features_markdown(spec: FeaturesSpec) -> str:
    """The page, with a final newline."""
    parts = (_measures, _derived, _dates, _preferences, _attributes)
    return page([_HEAD, *(line for part in parts for line in part(spec))])


def _measures(spec: FeaturesSpec) -> Iterator[str]:
    windows = ", ".join(f"`{window.label}`" for window in spec.parsed_windows)
    yield from ("## Measures", "", f"Columns are named `<measure>_<window>` with the windows {windows}.", _ORDERS)
    rows = []
    for name, measure in spec.measures.items():
        how = f"sum of `{measure.sum}`" if measure.sum else f"distinct {measure.distinct}" if measure.distinct else "events"
        rows.append((f"`{name}`", measure.label.en, measure.label.zh, how, code(measure.where), measure.unit, measure.owner or spec.owner))
    yield from table(("Measure", "Meaning", "含义", "Counts", "Where", "Unit", "Owner"), rows)
    ages = sorted({age for feature in spec.feature_columns() if feature.group == "measures" for age in feature.ages})
    yield from (f"Ages: 1 for all; {', '.join(str(age) for age in ages if age > 1) or 'no other'} for the windows that end there.", "")


def _derived(spec: FeaturesSpec) -> Iterator[str]:
    yield from ("## Derived", "", "Row-wise over the columns above; what cannot be computed is null.", "")
    rows = []
    for name, derived in spec.derived.items():
        column = f"`{name}`" if derived_windows(spec, derived.expr) == (None,) else f"`{name}_{{w}}`"
        owner = derived.owner or spec.owner
        rows.append((column, derived.label.en, derived.label.zh, code(derived.expr), derived.unit, derived.null_when, owner))
    yield from table(("Column", "Meaning", "含义", "Expression", "Unit", "Null when", "Owner"), rows)


def _dates(spec: FeaturesSpec) -> Iterator[str]:
    yield from ("## Dates and gaps", "", "Null when it never happened; a gap is null below two dates. Ages: 1.", "")
    rows = [
        (f"`{name}`, `{days_since(name)}`", date.label.en, date.label.zh, _first_or_last(date.first, date.last), date.owner or spec.owner)
        for name, date in spec.dates.items()
    ]
    rows += [
        (f"`{name}`", gap.label.en, gap.label.zh, f"mean days between distinct dates of `{gap.between}`", gap.owner or spec.owner)
        for name, gap in spec.gaps.items()
    ]
    yield from table(("Columns", "Meaning", "含义", "From", "Owner"), rows)


def _first_or_last(first: str | None, last: str | None) -> str:
    return f"first date of `{first}`" if first is not None else f"last date of `{last}`"


def _preferences(spec: FeaturesSpec) -> Iterator[str]:
    yield from ("## Preferences", _PREFERENCES)
    rows = []
    for name, preference in spec.preferences.items():
        weights = ", ".join(f"{kind} {weight}" for kind, weight in preference.weights.items())
        decay = f"{preference.half_life_days} days, {preference.half_lives} half-lives"
        columns = f"`{preferred(name)}`, `{preferred(name)}_share`"
        owner = preference.owner or spec.owner
        rows.append((columns, preference.label.en, preference.label.zh, code(preference.key), weights, decay, owner))
    yield from table(("Columns", "Meaning", "含义", "Key", "Weights", "Decay", "Owner"), rows)
    bands = ", ".join(f"{name} {start:02d}:00-{end:02d}:00" for name, (start, end) in spec.hour_bands.items())
    if bands:
        yield from (f"Hour bands, local time of the source: {bands}. Ages: 1.", "")


def _attributes(spec: FeaturesSpec) -> Iterator[str]:
    yield from ("## Attributes", _ATTRIBUTES)
    rows = []
    for name, attribute in spec.attributes.items():
        owner, personal = attribute.owner or spec.owner, "yes" if attribute.personal else ""
        rows.append((f"`{name}`", attribute.label.en, attribute.label.zh, attribute.type, code(attribute.expr), personal, owner))
    yield from table(("Column", "Meaning", "含义", "Type", "Computed", "Personal", "Owner"), rows)


def main(conf: str, target: str) -> None:
    """Write the page `target` from the definitions in `conf`."""
    Path(target).write_text(features_markdown(load_model(FeaturesSpec, Path(conf))), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
