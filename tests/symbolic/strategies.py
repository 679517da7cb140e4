"""Hypothesis strategies of scores. `scores()` gives music that PrIMuS can write: its semantic round trip holds for all.

Options widen or narrow it for a notation: `tuplets`, `trills`, `double_accidentals`, `beams`, `graces`,
`courtesies`, `multirests`, `changes`.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)

CLEFS = [
    Clef("G", 2),
    Clef("G", 1),
    *(Clef("C", line) for line in (1, 2, 3, 4, 5)),
    *(Clef("F", ln) for ln in (3, 4, 5)),
]
METERS = [
    TimeSignature(4, 4, "C"),
    TimeSignature(2, 2, "C/"),
    *(TimeSignature(n, d) for n, d in ((2, 4), (3, 4), (4, 4), (6, 8), (3, 8), (12, 8), (2, 2), (3, 2), (9, 8))),
]
_FIGURES = ["half", "quarter", "eighth", "sixteenth", "thirty_second"]

# A 32nd note divides them all: what is left of a measure can always be filled.
_ON_THE_GRID = [
    duration
    for duration in (Duration(figure, dots) for figure in _FIGURES for dots in (0, 0, 1, 2))
    if duration.quarters % Fraction(1, 8) == 0
]

clefs = st.sampled_from(CLEFS)
meters = st.sampled_from(METERS)
keys = st.builds(KeySignature, st.integers(-7, 7).filter(bool))
durations = st.builds(Duration, st.sampled_from(["whole", *_FIGURES, "sixty_fourth"]), st.sampled_from([0, 0, 0, 1, 2]))


def pitches(clef: Clef = CLEFS[0], *, double_accidentals: bool = False) -> st.SearchStrategy[Pitch]:
    """A pitch from two ledger lines below the clef's staff to two above it; three in five are natural."""
    alters = (0, 0, 0, -1, 1, -2, 2) if double_accidentals else (0, 0, 0, -1, 1)
    low = clef.bottom_line_diatonic - 4
    places = st.integers(0, 17 * len(alters) - 1)
    return places.map(lambda place: Pitch.from_diatonic(low + place // len(alters), alters[place % len(alters)]))


@st.composite
def scores(
    draw: st.DrawFn,
    *,
    tuplets: bool = False,
    trills: bool = False,
    double_accidentals: bool = False,
    beams: bool = False,
    graces: bool = True,
    courtesies: bool = False,
    multirests: bool = True,
    changes: bool = True,
    max_measures: int = 4,
) -> Score:
    """A clef, perhaps a key signature, a meter, and up to `max_measures` measures that the meter's length fills.

    Ties join notes of one pitch, also over barlines; the last measure may stop short and then has no barline.
    `beams` beams by the beat; `courtesies` marks notes whose accidental is drawn unasked (some may need theirs anyway).
    """
    clef, meter = draw(clefs), draw(meters)
    elements: list[Element] = [clef, *draw(st.lists(keys, max_size=1)), meter]
    for measure in range(draw(st.integers(1, max_measures))):
        if changes and measure and draw(st.integers(0, 9)) == 0:
            clef = draw(clefs.filter(lambda other, now=clef: other != now))
            elements.append(clef)
        if multirests and draw(st.integers(0, 9)) == 0:
            elements += [MultiRest(draw(st.integers(1, 120))), Barline()]
            continue
        music = draw(_measures(clef, meter.quarters, tuplets, trills, double_accidentals, graces, courtesies))
        elements += [*music, Barline()]
    if draw(st.booleans()) and isinstance(elements[-1], Barline):
        elements.pop()
    score = Score(tuple(_tied(draw, elements)))
    if not beams:
        return score
    return with_beams(score)


@st.composite
def _measures(
    draw: st.DrawFn,
    clef: Clef,
    length: Fraction,
    tuplets: bool,
    trills: bool,
    double_accidentals: bool,
    graces: bool,
    courtesies: bool,
) -> list[Element]:
    pitch = pitches(clef, double_accidentals=double_accidentals)
    music: list[Element] = []
    left = length
    while left > 0:
        chance = draw(st.integers(0, 359))  # one draw for all of a note's chances: draws are what takes time
        if graces and chance % 12 == 0:
            music.append(Note(draw(pitch), Duration("eighth" if chance < 180 else "sixteenth"), grace=True))
        if tuplets and left >= 1 and chance % 5 == 1:
            music += [Note(draw(pitch), Duration("eighth"), tuplet=(3, 2)) for _ in range(3)]
            left -= 1
            continue
        duration = draw(st.sampled_from([duration for duration in _ON_THE_GRID if duration.quarters <= left]))
        left -= duration.quarters
        fermata = chance % 20 == 3
        if chance % 6 == 5:
            music.append(Rest(duration, fermata=fermata))
        else:
            marks = {
                "fermata": fermata,
                "trill": trills and chance % 9 == 2,
                "courtesy": courtesies and chance % 8 == 2,
            }
            music.append(Note(draw(pitch), duration, **marks))
    return music


def _tied(draw: st.DrawFn, elements: list[Element]) -> list[Element]:
    """Ties some notes to the next, which then takes the first one's pitch. No clef and no grace note stands between."""
    notes = [index for index, element in enumerate(elements) if isinstance(element, (Note, Rest, MultiRest, Clef))]
    tied = draw(st.sets(st.integers(0, max(0, len(notes) - 2)), max_size=len(notes) // 4))
    for place in sorted(tied):
        index, later = notes[place], notes[min(place + 1, len(notes) - 1)]
        first, second = elements[index], elements[later]
        if index == later or not (isinstance(first, Note) and isinstance(second, Note)) or first.grace or second.grace:
            continue
        elements[index] = replace(first, tie=True)
        elements[later] = replace(second, pitch=first.pitch)
    return elements
