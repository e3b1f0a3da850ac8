"""docs/features.md, written from conf/features.yaml: `python -m persona_spark.config.features_doc conf/features.yaml docs/features.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from persona_spark.config.base import load_model
from persona_spark.config.features import FeaturesSpec
from persona_spark.config.features_columns import days_since, derived_windows, preferred, spread, top, touch
from persona_spark.config.markdown import code, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from persona_spark.config.features_entries import Measure, Preference
    from persona_spark.time import Window

_HEAD = """\
# Features

Written from `conf/features.yaml` by `make docs`.

A profile describes a user as of a day: it sees events with a local date before that day. A window of `30d` is the 30 local days
before as_of, `[as_of - 30, as_of)`; `prev_30d` are the 30 days before those; `lifetime` has no start. Counts and amounts are 0 when
nothing happened. *Ages* are the ages in days (as_of minus the day of the event) at which a day's events change a value: at age 1 they
are new, at age 31 they leave `30d`.
"""
_ORDERS = """
An order counts once, on the local date of the first event that makes it count, over all accounts of the user; what was paid counts on
the days of the payments. Two accounts of a user on one day are one active day. A session counts on the local date of its first event.
The amount of orders, the largest and their spread take each order with all its payments before as_of, on the day on which it counts.
"""
_PREFERENCES = """
The key with the largest weight. Each event weighs as its type says; the weight halves every half-life, counted back from the day of
the user's own last event before as_of, and is zero after the stated number of half-lives. Keys whose sum is zero or less do not count;
of equal keys the smaller one wins. `preferred_` is the first key, `_share` its part of all positive weights, `top_` the first keys in
order, each with its share and confidence. `_confidence` is the least share that the number of events supports: the lower end of
Wilson's interval at 95 % (E. B. Wilson, 1927), with the events that weigh anything. `_count` is the number of keys, `_diversity` the
entropy of their shares in bits: 0 for one key, 1 for two alike. `first_` and `last_` are the keys of the first and the last event that
counts, to the second; of equal ones the smaller key. Ages: 1.
"""
_ATTRIBUTES = """
What the user's accounts state, of all versions dated before as_of the last value that fits the type, by (valid_from, ingest_seq,
account_id). A version dated on as_of belongs to that day and is not seen yet, as with events. The date of registration is the earliest
over the user's accounts. *Computed* stands in where nothing was stated.
"""


def features_markdown(spec: FeaturesSpec) -> str:
    """The page, with a final newline."""
    parts = (_measures, _derived, _dates, _streaks, _preferences, _attributes)
    return page([_HEAD, *(line for part in parts for line in part(spec))])


def _measures(spec: FeaturesSpec) -> Iterator[str]:
    yield from ("## Measures", "", "Columns are named `<measure>_<window>`.", _ORDERS)
    rows = []
    for name, measure in spec.measures.items():
        owner, windows = measure.owner or spec.owner, _labels(spec.windows_of(name))
        rows.append((f"`{name}`", measure.label.en, measure.label.zh, _how(measure), code(measure.where), windows, measure.unit, owner))
    yield from table(("Measure", "Meaning", "含义", "Counts", "Where", "Windows", "Unit", "Owner"), rows)
    yield from ("Ages: the first and the one after the last age inside the window; 1 for `lifetime`.", "")


def _how(measure: Measure) -> str:
    if measure.of is not None:
        return {
            "total": f"sum of `{measure.sum}` of whole {measure.of}",
            "largest": f"largest sum of `{measure.sum}` of {measure.of}",
            "spread": f"standard deviation of the sums of `{measure.sum}` of {measure.of}",
            "span": f"seconds from the first to the last event of {measure.of}",
        }[measure.take or "span"]
    if measure.sum is not None:
        return f"sum of `{measure.sum}`"
    return f"distinct {measure.distinct}" if measure.distinct else "events"


def _labels(windows: tuple[Window, ...]) -> str:
    return ", ".join(f"`{window.label}`" for window in windows)


def _derived(spec: FeaturesSpec) -> Iterator[str]:
    yield from ("## Derived", "", "Row-wise over the columns above; what cannot be computed is null.", "")
    rows = []
    for name, derived in spec.derived.items():
        windows = [window for window in derived_windows(spec, derived.expr) if window is not None]
        column = f"`{name}_{{w}}`: {_labels(tuple(windows))}" if windows else f"`{name}`"
        owner = derived.owner or spec.owner
        rows.append((column, derived.label.en, derived.label.zh, code(derived.expr), derived.unit, derived.null_when, owner))
    yield from table(("Column", "Meaning", "含义", "Expression", "Unit", "Null when", "Owner"), rows)


def _dates(spec: FeaturesSpec) -> Iterator[str]:
    yield from (
        "## Dates and gaps",
        "",
        "Null when it never happened; a gap is null below two dates, its `_spread` (standard deviation) below three. Ages: 1.",
        "",
    )
    rows = [
        (f"`{name}`, `{days_since(name)}`", date.label.en, date.label.zh, _first_or_last(date.first, date.last), date.owner or spec.owner)
        for name, date in spec.dates.items()
    ]
    rows += [
        (f"`{name}`, `{spread(name)}`", gap.label.en, gap.label.zh, _between(gap.between, gap.within), gap.owner or spec.owner)
        for name, gap in spec.gaps.items()
    ]
    yield from table(("Columns", "Meaning", "含义", "From", "Owner"), rows)


def _between(measure: str, within: str | None) -> str:
    where = f" on which the key of `preferred_{within}` counted" if within else ""
    return f"mean days between distinct dates of `{measure}`{where}"


def _streaks(spec: FeaturesSpec) -> Iterator[str]:
    if not spec.streaks:
        return
    yield from ("## Streaks", "", "Days on end; 0 without any. Ages: 1.", "")
    rows = [
        (f"`{name}`", streak.label.en, streak.label.zh, f"{streak.take} run of dates of `{streak.of}`", streak.owner or spec.owner)
        for name, streak in spec.streaks.items()
    ]
    yield from table(("Column", "Meaning", "含义", "From", "Owner"), rows)


def _first_or_last(first: str | None, last: str | None) -> str:
    return f"first date of `{first}`" if first is not None else f"last date of `{last}`"


def _preferences(spec: FeaturesSpec) -> Iterator[str]:
    yield from ("## Preferences", _PREFERENCES)
    rows = []
    for name, preference in spec.preferences.items():
        weights = ", ".join(f"{kind} {weight}" for kind, weight in preference.weights.items())
        decay = f"{preference.half_life_days} days, {preference.half_lives} half-lives"
        columns = ", ".join(f"`{column}`" for column in _preferred(name, preference))
        owner = preference.owner or spec.owner
        rows.append((columns, preference.label.en, preference.label.zh, code(preference.key), weights, decay, owner))
    yield from table(("Columns", "Meaning", "含义", "Key", "Weights", "Decay", "Owner"), rows)
    bands = ", ".join(f"{name} {start:02d}:00-{end:02d}:00" for name, (start, end) in spec.hour_bands.items())
    if bands:
        yield from (f"Hour bands, local time of the source: {bands}.", "")
    if spec.price_bands:
        prices = ", ".join(f"{name} from {least}" for name, least in spec.price_bands.bands.items())
        yield from (f"Price bands of {code(spec.price_bands.of)}: {prices}.", "")


def _preferred(name: str, preference: Preference) -> list[str]:
    own = [preferred(name), f"{preferred(name)}_share", f"{preferred(name)}_confidence", top(name), f"{name}_count", f"{name}_diversity"]
    return own + [touch(which, name) for which in ("first", "last") if preference.touch]


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
