"""ABC 2.1: `write_abc` writes a score as a tune, `read_abc` reads a tune of one voice."""

from __future__ import annotations

from fractions import Fraction

from .abc_reader import read_abc
from .score import (
    MAJOR_KEYS,
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
from .spans import beam_spans, leading_signs, tuplet_spans

__all__ = ["read_abc", "write_abc"]

_BARLINES = {
    "single": "|",
    "double": "||",
    "final": "|]",
    "repeat-start": "|:",
    "repeat-end": ":|",
    "repeat-both": "::",
    "dashed": ".|",
    "invisible": "[|]",
}
_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_CLEFS = {Clef("G", 2): "treble", Clef("C", 3): "alto", Clef("C", 4): "tenor", Clef("F", 4): "bass"}
_BARS_A_LINE = 5


def write_abc(score: Score, *, title: str = "") -> str:
    """Writes a score as an ABC tune: lengths in eighths, notes of a beam together, five measures a line.

    A clef or meter that does not begin the score is written as none there. `KeySignature(0)` at the beginning is no
    sign, and is read as none.
    """
    elements = score.elements
    head = leading_signs(elements, 0)
    beams = beam_spans(elements)
    graces = [(first, last) for first, last in beams if getattr(elements[first], "grace", False)]
    glued = {index for span in beams if span not in graces for index in range(*span)}
    openings = {first for first, _ in graces}, {last for _, last in graces}
    within = {index for first, last in graces for index in range(first, last + 1)}
    tuplets = {
        first: _tuplet(ratio, elements[first : last + 1]) for first, last, ratio in tuplet_spans(elements, beams)
    }
    drawn = score.written_accidentals()
    body, bars = "", 0
    for index in range(len(head), len(elements)):
        element = elements[index]
        text = tuplets.get(index, "") + _write(element, drawn[index])
        if isinstance(element, Note) and element.grace:
            opens, closes = (index in edge or index not in within for edge in openings)
            body += f"{'{' if opens else ''}{text}{'}' if closes else ''}"
            continue
        bars += isinstance(element, Barline)
        ends_line = isinstance(element, Barline) and bars % _BARS_A_LINE == 0
        body += text + ("" if index in glued else "\n" if ends_line else " ")
    return f"{_header(head, title)}{body.rstrip()}\n"


def _header(head: tuple[Element, ...], title: str) -> str:
    clef, key, meter = "none", "C", "none"
    for sign in head:
        if isinstance(sign, Clef):
            clef = _clef(sign)
        elif isinstance(sign, KeySignature):
            key = MAJOR_KEYS[sign.fifths + 7]
        elif isinstance(sign, TimeSignature):
            meter = _meter(sign)
    name = " ".join(title.split())
    titled = f"T:{name}\n" if name else ""
    return f"X:1\n{titled}M:{meter}\nL:1/8\nI:propagate-accidentals octave\nK:{key} clef={clef}\n"


def _write(element: Element, drawn: int | None) -> str:
    if isinstance(element, Note):
        signs = f"{'!fermata!' if element.fermata else ''}{'!trill!' if element.trill else ''}"
        accidental = "" if drawn is None else _ACCIDENTALS[drawn]
        tie = "-" if element.tie else ""
        return f"{signs}{accidental}{_pitch(element.pitch)}{_length(element.duration)}{tie}"
    if isinstance(element, Rest):
        return f"{'!fermata!' if element.fermata else ''}z{_length(element.duration)}"
    if isinstance(element, MultiRest):
        return f"Z{element.measures}"
    if isinstance(element, Barline):
        return _BARLINES[element.kind]
    if isinstance(element, Clef):
        return f"[K:clef={_clef(element)}]"
    if isinstance(element, KeySignature):
        return f"[K:{MAJOR_KEYS[element.fifths + 7]}]"
    return f"[M:{_meter(element)}]"


def _tuplet(ratio: tuple[int, int], members: tuple[Element, ...]) -> str:
    count = sum(isinstance(e, Rest) or (isinstance(e, Note) and not e.grace) for e in members)
    return f"({ratio[0]}:{ratio[1]}:{count}"


def _pitch(pitch: Pitch) -> str:
    """C4 is C, C5 is c; further octaves by commas and apostrophes."""
    return pitch.step + "," * (4 - pitch.octave) if pitch.octave < 5 else pitch.step.lower() + "'" * (pitch.octave - 5)


def _length(duration: Duration) -> str:
    length = duration.quarters / Fraction(1, 2)
    above = "" if length.numerator == 1 else str(length.numerator)
    return above if length.denominator == 1 else f"{above}/{length.denominator}"


def _clef(clef: Clef) -> str:
    return _CLEFS.get(clef) or f"{ {'G': 'treble', 'C': 'alto', 'F': 'bass'}[clef.shape] }{clef.line}"


def _meter(meter: TimeSignature) -> str:
    return {"C": "C", "C/": "C|"}.get(meter.symbol or "") or f"{meter.numerator}/{meter.denominator}"
