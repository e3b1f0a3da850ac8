"""From figures to words: names and descriptions of segments, in English and Chinese."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from persona_spark.config.base import Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from persona_spark.config.segments import CardMeasure, CardTrait, SegmentCards, SegmentsSpec
    from persona_spark.segments.facts import Contrast, MeasureMean, SegmentFacts, TraitValue

_RANGE = re.compile(r"^(\d+)-(\d+)$")
_SMALL = Label(en="small segment {id}", zh="小群体 {id}")
_TOO_SMALL = Label(en="fewer than {users} users: not described, so that nobody is revealed", zh="少于 {users} 人：为保护个人不作描述")


def segment_names(facts: Sequence[SegmentFacts], spec: SegmentsSpec) -> tuple[Label, ...]:
    """A short name for each segment from its largest contrasts; no two are the same in either language.

    Names that come out the same grow by what else sets the segment apart, if less clearly; the last resort is a number.
    """
    named = [each for each in facts if each.users >= spec.cards.smallest]
    parts = [_parts(each.contrasts, spec, spec.cards.distinct / 2) for each in named]
    length = [min(spec.cards.name_parts, len(_parts(each.contrasts, spec, spec.cards.distinct))) for each in named]
    names = [_name(each, count, spec.cards) for each, count in zip(parts, length, strict=True)]
    while longer := [i for i in _twice(names) if length[i] < len(parts[i])]:
        for index in longer:
            length[index] += 1
            names[index] = _name(parts[index], length[index], spec.cards)
    for index in _twice(names):
        number = named[index].segment_id
        names[index] = Label(en=f"{names[index].en} ({number})", zh=f"{names[index].zh}（{number}）")
    found = {each.segment_id: name for each, name in zip(named, names, strict=True)}
    return tuple(found.get(each.segment_id) or _filled(_SMALL, id=each.segment_id) for each in facts)


def describe(facts: SegmentFacts, spec: SegmentsSpec, currency: str) -> Label:
    """What sets the segment apart, in a line."""
    cards = spec.cards
    if facts.users < cards.smallest:
        return _filled(_TOO_SMALL, users=cards.smallest)
    said: list[Label] = []
    for trait in cards.traits:
        label = _trait([value for value in facts.traits if value.name == trait.name], trait, cards)
        if label is not None and trait.glue and said:
            label = Label(en=f"{said[-1].en} {label.en}", zh=f"{said.pop().zh}{label.zh}")
        said += [label] if label is not None else []
    means = {mean.name: mean for mean in facts.measures}
    for measure in cards.measures:
        said += _measure(means[measure.name], measure, currency) if measure.name in means else []
    return _joined(said) if said else cards.plain


def _parts(contrasts: Iterable[Contrast], spec: SegmentsSpec, distinct: float) -> list[Label]:
    """What the segment stands out by, by `distinct` or more: most first, each said once."""
    numbers = {feature.name: feature for feature in spec.features}
    found: list[Label] = []
    for contrast in sorted(contrasts, key=lambda each: -abs(each.contrast)):
        if abs(contrast.contrast) < distinct:
            break
        if contrast.name in numbers:
            feature = numbers[contrast.name]
            label = feature.high if contrast.contrast > 0 else feature.low
        else:
            label = _choice_label(contrast, spec)
        if label is not None and label not in found:
            found.append(label)
    return found


def _choice_label(contrast: Contrast, spec: SegmentsSpec) -> Label | None:
    column, _, value = contrast.name.partition("=")
    choice = next((each for each in spec.choices if each.column == column), None)
    return None if choice is None or contrast.contrast < 0 else _said(choice.label, value, spec.cards)


def _name(parts: Sequence[Label], count: int, cards: SegmentCards) -> Label:
    return _joined(parts[:count]) if count else cards.plain


def _twice(names: Sequence[Label]) -> list[int]:
    english, chinese = Counter(name.en for name in names), Counter(name.zh for name in names)
    return [index for index, name in enumerate(names) if english[name.en] > 1 or chinese[name.zh] > 1]


def _trait(values: Sequence[TraitValue], trait: CardTrait, cards: SegmentCards) -> Label | None:
    common = [value for value in values if value.share >= trait.lift * value.population][: trait.top]
    if sum(value.share for value in common) < trait.share:
        return None
    words = [_word(text, cards) for text in merge_ranges([value.value for value in common])]
    return Label(
        en=trait.label.en.replace("{value}", " and ".join(word.en for word in words)),
        zh=trait.label.zh.replace("{value}", "、".join(word.zh for word in words)),
    )


def merge_ranges(values: Sequence[str]) -> list[str]:
    """Number ranges that follow each other as one, `25-34` and `35-44` as `25-44`; others as they are."""
    merged: list[str] = []
    for value in sorted(values) if all(_RANGE.match(value) for value in values) else values:
        before, now = _RANGE.match(merged[-1]) if merged else None, _RANGE.match(value)
        if before and now and int(before.group(2)) + 1 == int(now.group(1)):
            merged[-1] = f"{before.group(1)}-{now.group(2)}"
        else:
            merged.append(value)
    return merged


def _measure(mean: MeasureMean, measure: CardMeasure, currency: str) -> list[Label]:
    said = []
    if measure.value is not None:
        said.append(_filled(measure.value, value=f"{mean.mean:,.{measure.decimals}f}", currency=currency))
    ratio = mean.mean / mean.population if mean.population > 0 else 1.0
    if measure.high is not None and ratio >= measure.far:
        said.append(_filled(measure.high, ratio=f"{ratio:.1f}".removesuffix(".0")))
    if measure.low is not None and 0 <= ratio * measure.far <= 1:
        said.append(_filled(measure.low, percent=f"{100 * ratio:.0f}"))
    return said


def _word(value: str, cards: SegmentCards) -> Label:
    plain = value.replace("_", " ")
    return cards.words.get(value, Label(en=plain, zh=plain))


def _said(label: Label, value: str, cards: SegmentCards) -> Label:
    word = _word(value, cards)
    return Label(en=label.en.replace("{value}", word.en), zh=label.zh.replace("{value}", word.zh))


def _filled(label: Label, **values: object) -> Label:
    """The label with each `{name}` replaced; other braces stay."""
    english, chinese = label.en, label.zh
    for name, value in values.items():
        english, chinese = english.replace(f"{{{name}}}", str(value)), chinese.replace(f"{{{name}}}", str(value))
    return Label(en=english, zh=chinese)


def _joined(labels: Iterable[Label]) -> Label:
    parts = list(labels)
    return Label(en=", ".join(part.en for part in parts), zh="，".join(part.zh for part in parts))
