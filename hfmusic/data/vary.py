"""Variations of a tune for training: other keys, clefs, figures, beams, ornaments; never another `work`.

A variation looks and mostly sounds different from its tune, so it is new training material, but it belongs to the same
work and thus to the same split.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hfmusic.symbolic.score import (
    FIGURES,
    Barline,
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
from hfmusic.symbolic.semantic import in_vocabulary, write_semantic

from .corpora import Tune
from .generate import joined, rebeamed
from .melody import CLEF_WEIGHTS, FIFTHS_WEIGHTS, drawn

ATTEMPTS = 8
_FIFTHS_OF_STEP = {step: index - 1 for index, step in enumerate("FCGDAEB")}
_FIGURE_NAMES = tuple(FIGURES)
# How far a varied note may stand from the middle line, in staff places: four ledger lines.
_FARTHEST = 12
# Notes that a run of faster ones may stand for.
_BREAKABLE = ("quarter", "eighth", "sixteenth")
_Change = Callable[[Score, random.Random], Score]


def vary(tune: Tune, rng: np.random.Generator) -> Tune:
    """A variation of `tune`, its id marked with a suffix; `work` stays. The same rng state gives the same variation.

    The result is writable as PrIMuS semantic and in the official vocabulary; where no such one is found, the tune
    itself comes back.
    """
    seed = int(rng.integers(2**63))
    for attempt in range(ATTEMPTS):
        chooser = random.Random(f"{seed}-{attempt}")
        try:
            score = _varied(tune.score, chooser)
            if score.notes and _fits(score, tune.score) and in_vocabulary(write_semantic(score)):
                return replace(tune, id=f"{tune.id}~{seed % 16**8:08x}", score=score, files={})
        except NotationError:
            continue
        except ValueError:  # a pitch, key or figure beyond what a Score can hold
            continue
    return tune


def _varied(score: Score, rng: random.Random) -> Score:
    changes: list[tuple[float, _Change]] = [
        (0.15, _cut),
        (0.75, _transposed),
        (0.18, _rescaled),
        (0.12, _renamed_meter),
        (0.2, _ornamented),
        (0.15, lambda s, r: rebeamed(s.without("beam"), r)),
        (0.15, _with_runs),
    ]
    kept = [change for share, change in changes if rng.random() < share]
    for change in kept or [_transposed]:
        score = change(score, rng)
    return score


def transpose(score: Score, fifths: int, octaves: int = 0) -> Score:
    """The score with its keys `fifths` sharper (flatter if negative) and every pitch spelled as that demands.

    Each pitch moves by the same interval: 4 * `fifths` staff places modulo 7, upwards, and `octaves` octaves.

    Raises:
        ValueError: a key beyond seven signs or a pitch beyond double accidentals.

    >>> a = Score((Clef("G", 2), Note(Pitch("E", -1, 4), Duration("half"))))
    >>> [getattr(e, "fifths", None) or e.pitch.name for e in transpose(a, 2).elements[1:]]
    [2, 'F4']
    """
    steps = (4 * fifths) % 7 + 7 * octaves
    elements: list[Element] = []
    if fifths and not _opening_key(score):
        elements.append(KeySignature(fifths))
    for element in score.elements:
        if isinstance(element, KeySignature):
            element = KeySignature(element.fifths + fifths)
        elif isinstance(element, Note):
            element = replace(element, pitch=_moved(element.pitch, fifths, steps))
        elements.append(element)
    return Score(tuple(_without_empty_key(_after_clef(elements))))


def _moved(pitch: Pitch, fifths: int, steps: int) -> Pitch:
    line = _FIFTHS_OF_STEP[pitch.step] + 7 * pitch.alter + fifths
    return Pitch.from_diatonic(pitch.diatonic + steps, (line + 1) // 7)


def _opening_key(score: Score) -> bool:
    """Whether a key signature stands before the first note, rest or barline."""
    for element in score.elements:
        if isinstance(element, KeySignature):
            return True
        if isinstance(element, (Note, Rest, MultiRest, Barline)):
            return False
    return False


def _after_clef(elements: list[Element]) -> list[Element]:
    """The elements with an opening key put after the clef that follows it."""
    if len(elements) > 1 and isinstance(elements[0], KeySignature) and isinstance(elements[1], Clef):
        elements[:2] = elements[1], elements[0]
    return elements


def _without_empty_key(elements: list[Element]) -> list[Element]:
    """The elements without an opening key of no signs: nothing would be drawn."""
    for index, element in enumerate(elements):
        if isinstance(element, (Note, Rest, MultiRest, Barline)):
            break
        if element == KeySignature(0):
            return elements[:index] + elements[index + 1 :]
    return elements


def _transposed(score: Score, rng: random.Random) -> Score:
    """Another key, and now and then another clef; on about the same places of the staff."""
    clefs = [element for element in score.elements if isinstance(element, Clef)]
    keys = [element.fifths for element in score.elements if isinstance(element, KeySignature)]
    old_key = keys[0] if keys and _opening_key(score) else 0
    fifths = drawn(FIFTHS_WEIGHTS, rng) - old_key
    lift = rng.choice((-4, -3, -2, -1, 0, 0, 1, 2, 3, 4))
    if len(clefs) == 1 and rng.random() < 0.35:
        clef = drawn(CLEF_WEIGHTS, rng) if rng.random() < 0.6 else rng.choice(list(CLEF_WEIGHTS))
        lift += clef.bottom_line_diatonic - clefs[0].bottom_line_diatonic
        score = Score(tuple(clef if isinstance(e, Clef) else e for e in score.elements))
    octaves = round((lift - (4 * fifths) % 7) / 7)
    return transpose(score, fifths, octaves)


def rescale(score: Score, power: int) -> Score:
    """Every figure `power` steps longer (1: an eighth becomes a quarter) or shorter (-1), the meter changed alike.

    Raises:
        ValueError: a figure or meter beyond the longest or shortest.

    >>> rescale(Score((TimeSignature(3, 4), Rest(Duration("half", 1)))), -1).elements
    (TimeSignature(numerator=3, denominator=8, symbol=None), Rest(duration=Duration(figure='quarter', dots=1), \
fermata=False, tuplet=None))
    """
    elements: list[Element] = []
    for element in score.elements:
        if isinstance(element, TimeSignature):
            denominator = element.denominator * 2 ** max(0, -power) // 2 ** max(0, power)
            element = TimeSignature(element.numerator, denominator)
        elif isinstance(element, (Note, Rest)) and not (isinstance(element, Note) and element.grace):
            place = _FIGURE_NAMES.index(element.duration.figure) - power
            if not 0 <= place < len(_FIGURE_NAMES):
                raise ValueError(f"no figure is {power} steps longer than {element.duration.figure}")
            element = replace(element, duration=Duration(_FIGURE_NAMES[place], element.duration.dots))
        elements.append(element)
    return Score(tuple(elements))


def _rescaled(score: Score, rng: random.Random) -> Score:
    """Notes twice or half as long, beamed anew; 2/2 and 4/4 then now and then as their signs."""
    return rebeamed(_renamed_meter(rescale(score, rng.choice((1, -1))).without("beam"), rng), rng)


def _renamed_meter(score: Score, rng: random.Random) -> Score:
    names = {(4, 4): "C", (2, 2): "C/"}
    elements: list[Element] = []
    for element in score.elements:
        if isinstance(element, TimeSignature) and (element.numerator, element.denominator) in names:
            symbol = names[element.numerator, element.denominator] if rng.random() < 0.6 else None
            element = TimeSignature(element.numerator, element.denominator, symbol)
        elements.append(element)
    return Score(tuple(elements))


def _cut(score: Score, rng: random.Random) -> Score:
    """The tune to some barline, or from one on with the signs then in force."""
    bars = [i for i, element in enumerate(score.elements[:-1]) if isinstance(element, Barline)]
    if not bars:
        return score
    bar = rng.choice(bars)
    if rng.random() < 0.5:
        return joined(list(score.elements[: bar + rng.choice((0, 1, 1))]))
    in_force: dict[type, Element] = {}
    for element in score.elements[:bar]:
        if isinstance(element, (Clef, KeySignature, TimeSignature)):
            in_force[type(element)] = element
    signs = [in_force[kind] for kind in (Clef, KeySignature, TimeSignature) if kind in in_force]
    rest = list(score.elements[bar + 1 :])
    while rest and isinstance(rest[0], (Clef, KeySignature, TimeSignature)):
        signs = [sign for sign in signs if not isinstance(sign, type(rest[0]))] + [rest.pop(0)]
    order = (Clef, KeySignature, TimeSignature)
    signs.sort(key=lambda sign: next(place for place, kind in enumerate(order) if isinstance(sign, kind)))
    return joined(_without_empty_key([*signs, *rest]))


def _ornamented(score: Score, rng: random.Random) -> Score:
    """A few grace notes, fermatas, ties, rests or measures of rest put in."""
    elements = list(score.elements)
    kind = rng.choices(("grace", "fermata", "tie", "rest", "multirest"), (30, 10, 25, 20, 15))[0]
    places = [i for i, e in enumerate(elements) if isinstance(e, Note) and not e.grace]
    if not places:
        return score
    if kind == "multirest":
        return _with_multirest(elements, rng)
    for index in sorted(rng.sample(places, min(len(places), rng.choice((1, 1, 2, 3)))), reverse=True):
        note = elements[index]
        assert isinstance(note, Note)
        if kind == "grace":
            elements.insert(index, _grace_before(note, elements[:index], rng))
        elif kind == "fermata":
            elements[index] = replace(note, fermata=True)
        elif kind == "rest":
            elements[index] = Rest(note.duration)
        elif note.beam in (None, "end"):
            elements[index] = replace(note, tie=True)
    changed = _ties_level(joined(elements))
    return rebeamed(changed.without("beam"), rng) if kind == "rest" else changed


def _grace_before(note: Note, before: list[Element], rng: random.Random) -> Note:
    keys = [element for element in before if isinstance(element, KeySignature)] or [KeySignature(0)]
    diatonic = note.pitch.diatonic + rng.choice((1, 1, 1, -1, 2))
    pitch = Pitch.from_diatonic(diatonic, keys[-1].alter_of(Pitch.from_diatonic(diatonic).step))
    figure = rng.choices(("eighth", "sixteenth", "quarter", "thirty_second"), (50, 25, 15, 5))[0]
    inside = note.beam in ("middle", "end")
    return Note(pitch, Duration(figure), grace=True, beam="middle" if inside else None)


def _with_runs(score: Score, rng: random.Random) -> Score:
    """A few plain notes broken into fast scales of the same length: incipits have hardly any 32nds, 64ths or 128ths."""
    key, places, elements = KeySignature(0), {}, list(score.elements)
    for index, element in enumerate(elements):
        if isinstance(element, KeySignature):
            key = element
        elif isinstance(element, Note) and element.duration.dots == 0 and element.duration.figure in _BREAKABLE:
            if not (element.grace or element.tie or element.fermata or element.tuplet):
                places[index] = key
    for index in sorted(rng.sample(sorted(places), min(len(places), rng.choice((1, 1, 2, 3)))), reverse=True):
        note = elements[index]
        assert isinstance(note, Note)
        elements[index : index + 1] = _run(note, places[index], rng)
    return rebeamed(joined(elements).without("beam"), rng)


def _run(note: Note, key: KeySignature, rng: random.Random) -> list[Element]:
    """2, 4 or 8 notes in the time of one, along the scale with turns now and then."""
    place = _FIGURE_NAMES.index(note.duration.figure)
    halvings = min(rng.choice((1, 2, 2, 3)), len(_FIGURE_NAMES) - 1 - place)
    duration, direction = Duration(_FIGURE_NAMES[place + halvings]), rng.choice((1, -1))
    run: list[Element] = [replace(note, duration=duration)]
    diatonic = note.pitch.diatonic
    for _ in range(2**halvings - 1):
        direction = -direction if rng.random() < 0.2 else direction
        diatonic += direction
        pitch = Pitch.from_diatonic(diatonic, key.alter_of(Pitch.from_diatonic(diatonic).step))
        run.append(Note(pitch, duration))
    return run


def _ties_level(score: Score) -> Score:
    """The score with each tied-to note on the pitch it is tied from."""
    elements = list(score.elements)
    for index in range(len(elements)):
        note = elements[index]
        later = score.tied_note(index) if isinstance(note, Note) and note.tie else None
        if isinstance(note, Note) and later is not None:
            target = elements[later]
            assert isinstance(target, Note)
            elements[later] = replace(target, pitch=note.pitch)
    return Score(tuple(elements))


def _with_multirest(elements: list[Element], rng: random.Random) -> Score:
    """Measures of rest put in after a barline, or first of all."""
    places = [i + 1 for i, e in enumerate(elements[:-1]) if isinstance(e, Barline)]
    first = next(i for i, e in enumerate(elements) if not isinstance(e, (Clef, KeySignature, TimeSignature)))
    place = rng.choice([first, *places])
    measures = min(126, max(1, round(rng.lognormvariate(1.8, 1.1))))
    return joined([*elements[:place], MultiRest(measures), Barline(), *elements[place:]])


def _fits(score: Score, before: Score) -> bool:
    """Whether the notes stand near the staff, or at least no farther from it than those of the tune they vary."""
    return _reach(score) <= max(_FARTHEST, _reach(before))


def _reach(score: Score) -> int:
    """Largest distance of a note from the middle line, in staff places."""
    clef, reach = Clef("G", 2), 0
    for element in score.elements:
        if isinstance(element, Clef):
            clef = element
        elif isinstance(element, Note):
            reach = max(reach, abs(element.pitch.diatonic - clef.bottom_line_diatonic - 4))
    return reach
