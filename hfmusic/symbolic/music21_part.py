"""A music21 part into a `Score`: one voice on one staff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .score import (
    Barline,
    BarlineKind,
    Beam,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)

_FIGURES = {
    "longa": "quadruple_whole",
    "breve": "double_whole",
    "whole": "whole",
    "half": "half",
    "quarter": "quarter",
    "eighth": "eighth",
    "16th": "sixteenth",
    "32nd": "thirty_second",
    "64th": "sixty_fourth",
    "128th": "hundred_twenty_eighth",
}
_BARLINES: dict[str, BarlineKind] = {
    "regular": "single",
    "double": "double",
    "final": "final",
    "heavy-light": "double",
    "heavy-heavy": "double",
    "dashed": "dashed",
    "dotted": "dashed",
    "none": "invisible",
}
_BEAMS: dict[str, Beam] = {"start": "begin", "continue": "middle", "stop": "end"}


def part_to_score(part: Any, *, partial: bool = False) -> Score:
    """Reads a `music21.stream.Part` of measures, or a stream that `makeMeasures` can cut into them.

    Beams, ties, graces, fermatas, trills, tuplets, barlines and whole measures of rest (as `MultiRest`) are kept;
    articulations, slurs, dynamics and words are left out. A tie between different pitches is a slur and left out too.

    Args:
        partial: stop before the first measure that cannot be carried, if notes come before it.

    Raises:
        NotationError: "voices", "chord", "clef" (octave clefs too), "key", "meter", "duration", "tuplet", "accidental",
            "octave", "empty".
    """
    measures = list(part.getElementsByClass("Measure")) or list(part.makeMeasures().getElementsByClass("Measure"))
    elements: list[Element] = []
    for measure in measures:
        try:
            content = _measure_content(measure)
        except NotationError:
            if partial and any(isinstance(element, Note) for element in elements):
                break
            raise
        _open_bar(elements, measure)
        elements += [*content, Barline(_closing_bar(measure))]
    if not any(isinstance(element, (Note, Rest, MultiRest)) for element in elements):
        raise NotationError("empty", "no note and no rest")
    return Score(tuple(_checked_ties(_joined_rests(elements))))


def _measure_content(measure: Any) -> list[Element]:
    if measure.hasVoices():
        raise NotationError("voices", f"measure {measure.number} has several voices")
    content: list[Element] = list(_measure_elements(measure))
    if _is_whole_rest(content, measure):
        return [*(element for element in content if not isinstance(element, Rest)), MultiRest(1)]
    return content


def _open_bar(elements: list[Element], measure: Any) -> None:
    bar = measure.leftBarline
    if bar is None or getattr(bar, "direction", None) != "start":
        return
    before = elements[-1] if elements else None
    if isinstance(before, Barline):
        elements[-1] = Barline("repeat-both" if before.kind == "repeat-end" else "repeat-start")
    else:
        elements.append(Barline("repeat-start"))


def _closing_bar(measure: Any) -> BarlineKind:
    bar = measure.rightBarline
    if bar is None:
        return "single"
    if getattr(bar, "direction", None) == "end":
        return "repeat-end"
    return _BARLINES.get(bar.type, "single")


def _measure_elements(measure: Any) -> Iterator[Element]:
    for item in measure.elements:
        classes = item.classes
        if "Clef" in classes:
            yield _clef(item)
        elif "KeySignature" in classes:
            yield _key(item)
        elif "TimeSignature" in classes:
            yield _meter(item)
        elif "ChordSymbol" in classes or "NoChord" in classes:
            continue
        elif "Chord" in classes or "Unpitched" in classes:
            raise NotationError("chord", f"measure {measure.number}: {item}")
        elif "Note" in classes:
            yield from _note(item)
        elif "Rest" in classes:
            yield from _rest(item)


def _clef(item: Any) -> Clef:
    if item.sign not in ("G", "F", "C") or item.line not in (1, 2, 3, 4, 5) or item.octaveChange:
        raise NotationError("clef", f"{item} is not G, F or C on a line")
    return Clef(item.sign, item.line)


def _key(item: Any) -> KeySignature:
    if item.sharps is None or not -7 <= item.sharps <= 7 or getattr(item, "isNonTraditional", False):
        raise NotationError("key", f"{item} is no row of fifths")
    return KeySignature(item.sharps)


def _meter(item: Any) -> TimeSignature:
    if not item.numerator or not item.denominator or "+" in item.ratioString:
        raise NotationError("meter", f"{item} is not beats/figure")
    symbol = {"common": "C", "cut": "C/"}.get(item.symbol)
    written = (item.numerator, item.denominator)
    symbol = symbol if written == {"C": (4, 4), "C/": (2, 2)}.get(symbol or "") else None
    return TimeSignature(*written, symbol)


def _durations(item: Any) -> list[tuple[Duration, tuple[int, int] | None]]:
    """Written lengths: more than one where no single figure has that length (five eighths)."""
    result = []
    if len(item.duration.tuplets) > 1:
        raise NotationError("tuplet", f"a tuplet inside a tuplet: {item}")
    ratio = None
    for tuplet in item.duration.tuplets:
        ratio = (int(tuplet.numberNotesActual), int(tuplet.numberNotesNormal))
    for part in item.duration.components:
        if part.type not in _FIGURES or not 0 <= part.dots <= 3:
            raise NotationError("duration", f"no figure for {item.duration}")
        result.append((Duration(_FIGURES[part.type], part.dots), ratio))
    if not result:
        raise NotationError("duration", f"no figure for {item.duration}")
    return result


def _note(item: Any) -> Iterator[Note]:
    alter = item.pitch.alter
    if alter not in (-2, -1, 0, 1, 2):
        raise NotationError("accidental", f"{item.pitch} is no written pitch")
    octave = item.pitch.implicitOctave
    if not -1 <= octave <= 9:
        raise NotationError("octave", f"{item.pitch} is beyond any score")
    pitch = Pitch(item.pitch.step, int(alter), octave)
    names = {cls for expression in item.expressions for cls in expression.classes}
    tied = item.tie is not None and item.tie.type in ("start", "continue")
    grace = bool(item.duration.isGrace)
    beams = [_BEAMS.get(beam.type) for beam in item.beams.beamsList[:1]] if item.beams else []
    lengths = _durations(item)
    for number, (duration, ratio) in enumerate(lengths):
        last = number + 1 == len(lengths)
        yield Note(
            pitch,
            duration,
            tie=tied or not last,
            grace=grace,
            fermata="Fermata" in names and last,
            trill="Trill" in names and number == 0,
            beam=beams[0] if beams and len(lengths) == 1 and not grace else None,
            tuplet=None if grace else ratio,
        )


def _rest(item: Any) -> Iterator[Rest]:
    fermata = any("Fermata" in expression.classes for expression in item.expressions)
    for duration, ratio in _durations(item):
        yield Rest(duration, fermata=fermata, tuplet=ratio)


def _is_whole_rest(content: list[Element], measure: Any) -> bool:
    """Whether the measure is one rest from barline to barline."""
    sounding = [element for element in content if isinstance(element, (Note, Rest))]
    if len(sounding) != 1 or not isinstance(sounding[0], Rest) or sounding[0].fermata:
        return False
    return bool(sounding[0].quarters >= measure.barDuration.quarterLength)


def _joined_rests(elements: list[Element]) -> list[Element]:
    """Successive whole measures of rest as one sign."""
    joined: list[Element] = []
    for element in elements:
        if (
            isinstance(element, MultiRest)
            and len(joined) > 1
            and isinstance(joined[-2], MultiRest)
            and joined[-1] == Barline()
        ):
            joined[-2:] = [MultiRest(joined[-2].measures + element.measures)]
        else:
            joined.append(element)
    return joined


def _checked_ties(elements: list[Element]) -> list[Element]:
    untied = Score(tuple(replace(e, tie=False) if isinstance(e, Note) else e for e in elements))
    result = list(elements)
    for index, element in enumerate(elements):
        if isinstance(element, Note) and element.tie:
            following = untied.tied_note(index)
            later = None if following is None else elements[following]
            if not isinstance(later, Note) or later.pitch != element.pitch:
                result[index] = replace(element, tie=False)
    return result
