"""PrIMuS agnostic encoding: what is drawn and where on the staff, sign by sign from left to right.

Every token but one of a note's beam follows from the semantic ones (papers facts 2.3); beams come from the score (see
`beaming.with_beams`). Positions are `L1` (bottom line) and `S1` (the space above it), below that `S0 L0 S-1 L-1`.
A note is `[slur.end] [fermata.above-S6] [accidental.*] note.* [dot]* [slur.start]`; a rest of n measures shows the
digits of n in S5, then `multirest-L3`, as PrIMuS's first converter and its published files do.
"""

from __future__ import annotations

from .agnostic_reader import read_agnostic
from .score import (
    FIGURES,
    Barline,
    Beam,
    Clef,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from .staff_positions import key_positions, position_name

__all__ = ["read_agnostic", "write_agnostic"]

_ACCIDENTALS = {-1: "flat", 0: "natural", 1: "sharp"}
_BEAMED: dict[Beam, str] = {"begin": "beamedRight", "middle": "beamedBoth", "end": "beamedLeft"}
_FIGURES = tuple(FIGURES)
_QUARTER = _FIGURES.index("quarter")
_DEFAULT_CLEF = Clef("G", 2)


def write_agnostic(score: Score) -> list[str]:
    """PrIMuS agnostic tokens of a score. A return to no sharps and flats is drawn as naturals.

    Raises:
        NotationError: what the encoding lacks, by name: "tuplet", "trill", "double-accidental", "beam" (of a note
            longer than a quarter), and "tie" between alterations of one step that no drawn accidental tells apart.

    >>> from .semantic import read_semantic
    >>> write_agnostic(read_semantic("clef-G2 keySignature-FM note-Bb4_quarter."))
    ['clef.G-L2', 'accidental.flat-L3', 'note.quarter-L3', 'dot-S3']
    """
    tokens: list[str] = []
    clef, key = _DEFAULT_CLEF, KeySignature(0)
    tied_to: dict[int, Note] = {}
    drawn = score.written_accidentals()
    for index, element in enumerate(score.elements):
        match element:
            case Note():
                if element.tie and (later := score.tied_note(index)) is not None:
                    tied_to[later] = element
                tokens += _note_tokens(element, clef, drawn[index], tied_to.get(index), index)
            case Rest():
                tokens += _rest_tokens(element, index)
            case Clef():
                clef = element
                tokens.append(f"clef.{clef.shape}-L{clef.line}")
            case KeySignature():
                tokens += _key_tokens(element, key, clef)
                key = element
            case TimeSignature():
                tokens += _meter_tokens(element)
            case MultiRest():
                tokens += [*(f"digit.{digit}-S5" for digit in str(element.measures)), "multirest-L3"]
            case Barline() if element.kind != "invisible":
                tokens.append("barline-L1")
    return tokens


def _note_tokens(note: Note, clef: Clef, drawn: int | None, tied_from: Note | None, index: int) -> list[str]:
    _refuse(note, index)
    if drawn is not None and abs(drawn) > 1:
        raise NotationError("double-accidental", f"PrIMuS has no {note.pitch.name}: element {index}")
    steps = note.pitch.diatonic - clef.bottom_line_diatonic
    place = position_name(steps)
    tokens = []
    if tied_from is not None:
        if drawn is None and _differ_in_alteration_only(note.pitch, tied_from.pitch):
            raise NotationError("tie", f"a tie from {tied_from.pitch.name} to {note.pitch.name}: element {index}")
        tokens.append(f"slur.end-{place}")
    if note.fermata:
        tokens.append("fermata.above-S6")
    if drawn is not None:
        tokens.append(f"accidental.{_ACCIDENTALS[drawn]}-{place}")
    tokens.append(f"{'gracenote' if note.grace else 'note'}.{_figure_name(note, index)}-{place}")
    tokens += [f"dot-{position_name(steps | 1)}"] * note.duration.dots
    if note.tie:
        tokens.append(f"slur.start-{place}")
    return tokens


def _differ_in_alteration_only(pitch: Pitch, other: Pitch) -> bool:
    return pitch.diatonic == other.diatonic and pitch.alter != other.alter


def _refuse(element: Note | Rest, index: int) -> None:
    if element.tuplet is not None:
        actual, normal = element.tuplet
        detail = f"PrIMuS has no tuplets: element {index} is one of {actual} in the time of {normal}"
        raise NotationError("tuplet", detail)
    if isinstance(element, Note) and element.trill:
        raise NotationError("trill", f"PrIMuS has no trill: element {index}, {element.pitch.name}")


def _figure_name(note: Note, index: int) -> str:
    figure = note.duration.figure
    if note.beam is None:
        return figure
    if _FIGURES.index(figure) < _QUARTER:
        raise NotationError("beam", f"a beamed {figure} note has no agnostic token: element {index}")
    return f"{_BEAMED[note.beam]}{note.duration.flags}"


def _rest_tokens(rest: Rest, index: int) -> list[str]:
    _refuse(rest, index)
    figure = rest.duration.figure
    sign = f"rest.{figure}-{'L4' if figure == 'whole' else 'L3'}"
    return [*(["fermata.above-S6"] if rest.fermata else []), sign, *["dot-S3"] * rest.duration.dots]


def _key_tokens(key: KeySignature, before: KeySignature, clef: Clef) -> list[str]:
    shown = key if key.fifths else before
    name = _ACCIDENTALS[(key.fifths > 0) - (key.fifths < 0)]
    return [f"accidental.{name}-{position_name(steps)}" for steps in key_positions(shown, clef)]


def _meter_tokens(meter: TimeSignature) -> list[str]:
    if meter.symbol:
        return [f"metersign.{meter.symbol}-L3"]
    return [f"digit.{meter.numerator}-L4", f"digit.{meter.denominator}-L2"]
