"""Hypothesis strategies of scores. `scores()` gives music that PrIMuS can write: its semantic round trip holds for all.

Options widen or narrow it for a notation: `tuplets`, `trills`, `double_accidentals`, `beams`, `graces`,
`courtesies`, `multirests`, `changes`.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

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
FIGURES_SHORT = ["half", "quarter", "eighth", "sixteenth", "thirty_second"]

clefs = st.sampled_from(CLEFS)
meters = st.sampled_from(METERS)
keys = st.builds(KeySignature, st.integers(-7, 7).filter(bool))
durations = st.builds(
    Duration, st.sampled_from(["whole", *FIGURES_SHORT, "sixty_fourth"]), st.sampled_from([0, 0, 0, 1, 2])
)


@st.composite
def pitches(draw: st.DrawFn, clef: Clef = CLEFS[0], *, double_accidentals: bool = False) -> Pitch:
    """A pitch from two ledger lines below the clef's staff to two above it."""
    diatonic = draw(st.integers(clef.bottom_line_diatonic - 4, clef.bottom_line_diatonic + 12))
    alter = draw(st.sampled_from([0, 0, 0, -1, 1, *([-2, 2] if double_accidentals else [])]))
    return Pitch.from_diatonic(diatonic, alter)


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
    from hfmusic.symbolic.beaming import with_beams

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
        if graces and draw(st.integers(0, 11)) == 0:
            figure = draw(st.sampled_from(["eighth", "sixteenth"]))
            music.append(Note(draw(pitch), Duration(figure), grace=True))
        if tuplets and left >= 1 and draw(st.integers(0, 5)) == 0:
            music += [Note(draw(pitch), Duration("eighth"), tuplet=(3, 2)) for _ in range(3)]
            left -= 1
            continue
        fitting = [
            Duration(figure, dots)
            for figure in FIGURES_SHORT
            for dots in (0, 0, 1, 2)
            if Duration(figure, dots).quarters <= left
            and (left - Duration(figure, dots).quarters) % Fraction(1, 8) == 0
        ]
        duration = draw(st.sampled_from(fitting))
        left -= duration.quarters
        fermata = draw(st.integers(0, 19)) == 0
        if draw(st.integers(0, 5)) == 0:
            music.append(Rest(duration, fermata=fermata))
        else:
            trill = trills and draw(st.integers(0, 9)) == 0
            courtesy = courtesies and draw(st.integers(0, 9)) == 0
            music.append(Note(draw(pitch), duration, fermata=fermata, trill=trill, courtesy=courtesy))
    return music


def _tied(draw: st.DrawFn, elements: list[Element]) -> list[Element]:
    """Ties some notes to the next, which then takes the first one's pitch."""
    from dataclasses import replace

    for index, element in enumerate(elements):
        if not isinstance(element, Note) or element.grace or draw(st.integers(0, 7)):
            continue
        later = Score(tuple(replace(e, tie=False) if isinstance(e, Note) else e for e in elements)).tied_note(index)
        between = elements[index + 1 : later] if later is not None else []
        if later is not None and not any(isinstance(e, (Note, Clef)) for e in between):
            elements[index] = replace(element, tie=True)
            elements[later] = replace(elements[later], pitch=element.pitch)  # type: ignore[type-var]
    return elements
