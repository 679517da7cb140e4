"""Beams by meter, for music that came without them (semantic tokens, MIDI).

PrIMuS's semantic encoding says nothing of beams; its images and its agnostic encoding show them. `with_beams` beams by
the beat: of 1,769 beams in 1,410 RISM incipits, 69 % are just those. The rest are shorter (voice parts part syllables,
and half of the incipits with short notes have no beam at all) or span two beats (four eighths).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from .score import Barline, Beam, Element, MultiRest, Note, Rest, Score, TimeSignature

_QUARTER = Fraction(1)


def beat_of(meter: TimeSignature | None) -> Fraction:
    """Quarter notes that one beam spans: three units in compound meters of eighths or shorter, else one quarter.

    >>> beat_of(TimeSignature(6, 8)), beat_of(TimeSignature(3, 8)), beat_of(TimeSignature(3, 4)), beat_of(None)
    (Fraction(3, 2), Fraction(3, 2), Fraction(1, 1), Fraction(1, 1))
    """
    if meter is not None and meter.denominator >= 8 and meter.numerator % 3 == 0:
        return Fraction(12, meter.denominator)
    return _QUARTER


def with_beams(score: Score) -> Score:
    """A copy with eighths and shorter notes beamed by the beat; a score that has beams already comes back as it is.

    A beam joins two or more notes that begin in the same beat. Rests, barlines, other signs, notes of a quarter and
    longer, and the edge of a tuplet break it. A grace note inside is marked "middle", as in PrIMuS; other grace notes
    get no beam. A first measure shorter than the meter is an upbeat: its beats are counted from its end.

    >>> from .semantic import read_semantic
    >>> eighths = read_semantic("timeSignature-2/4 note-C4_eighth note-D4_eighth note-E4_eighth rest-eighth barline")
    >>> [note.beam for note in with_beams(eighths).notes]
    ['begin', 'end', None]
    """
    if any(note.beam for note in score.notes):
        return score
    elements: list[Element] = list(score.elements)
    group: list[int] = []
    group_beat = 0
    beat, position = _QUARTER, _upbeat_offset(score)
    for index, element in enumerate(score.elements):
        if isinstance(element, Note) and element.grace:
            continue
        if isinstance(element, Note) and element.duration.flags:
            place = int(position // beat)
            if group and (place != group_beat or element.tuplet != _tuplet(elements[group[-1]])):
                _beam(elements, group)
                group = []
            group_beat = place
            group.append(index)
        else:
            _beam(elements, group)
            group = []
        if isinstance(element, TimeSignature):
            beat = beat_of(element)
        elif isinstance(element, (Barline, MultiRest)):
            position = Fraction(0)
        elif isinstance(element, (Note, Rest)):
            position += element.quarters
    _beam(elements, group)
    return Score(tuple(elements))


def _tuplet(element: Element) -> tuple[int, int] | None:
    return element.tuplet if isinstance(element, Note) else None


def _upbeat_offset(score: Score) -> Fraction:
    """Where in the measure the music before the first barline begins, in quarters."""
    length, measure = Fraction(0), None
    for element in score.elements:
        if isinstance(element, TimeSignature):
            measure = element.quarters
        elif isinstance(element, (Note, Rest)):
            length += element.quarters
        elif isinstance(element, (Barline, MultiRest)) and length:
            return measure - length if measure and length < measure else Fraction(0)
    return Fraction(0)


def _beam(elements: list[Element], group: list[int]) -> None:
    """Marks the notes of `group`, and the grace notes between them, as one beam."""
    if len(group) < 2:
        return
    first, last = group[0], group[-1]
    for index in range(first, last + 1):
        note = elements[index]
        if isinstance(note, Note):
            beam: Beam = "begin" if index == first else "end" if index == last else "middle"
            elements[index] = replace(note, beam=beam)
