"""Short labels of PrIMuS tokens, semantic and agnostic: a sign of music above a word or a pitch.

Signs are characters of SMuFL (https://w3c.github.io/smufl), which `signs` draws from Verovio's font Leipzig.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from hfmusic.symbolic.score import (
    ACCIDENTALS,
    MAJOR_KEYS,
    Barline,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Rest,
    TimeSignature,
)
from hfmusic.symbolic.semantic import element_of

_NOTES = {
    "double_whole": "\ue1d0", "whole": "\ue1d2", "half": "\ue1d3", "quarter": "\ue1d5", "eighth": "\ue1d7",
    "sixteenth": "\ue1d9", "thirty_second": "\ue1db", "sixty_fourth": "\ue1dd", "hundred_twenty_eighth": "\ue1df",
}  # fmt: skip
_RESTS = {
    "quadruple_whole": "\ue4e1", "double_whole": "\ue4e2", "whole": "\ue4e3", "half": "\ue4e4", "quarter": "\ue4e5",
    "eighth": "\ue4e6", "sixteenth": "\ue4e7", "thirty_second": "\ue4e8", "sixty_fourth": "\ue4e9",
    "hundred_twenty_eighth": "\ue4ea",
}  # fmt: skip
_CLEFS = {"G": "\ue050", "C": "\ue05c", "F": "\ue062"}
_METERS = {"C": "\ue08a", "C/": "\ue08b", "Ccut": "\ue08b"}
_ACCIDENTALS = {"flat": "\ue260", "natural": "\ue261", "sharp": "\ue262"}
_DOT, _FERMATA, _TRILL = "\ue1e7", "\ue4c0", "\ue566"
_FIGURE_OF_BEAMS = ("quarter", "eighth", "sixteenth", "thirty_second", "sixty_fourth", "hundred_twenty_eighth")
_AGNOSTIC = re.compile(r"(?P<name>[a-z]+)(?:\.(?P<kind>[\w/]+))?-(?P<place>[LS]-?\d+)")


class Label(NamedTuple):
    """`sign` is drawn above `text`; characters from U+E000 on are signs of music, others are letters."""

    sign: str
    text: str


@lru_cache(maxsize=4096)
def label_of(token: str) -> Label:
    """What a token says, in a few letters; a token of neither encoding stands for itself.

    >>> label_of("keySignature-DM"), label_of("barline"), label_of("note-C#5_eighth").text
    (Label(sign='key', text='D major'), Label(sign='', text='bar'), 'C#5')
    """
    element = element_of(token)
    if element is not None:
        return _of_element(element)
    match = _AGNOSTIC.fullmatch(token)
    return _of_drawn(match["name"], match["kind"] or "", match["place"]) if match else Label("", token)


def _of_element(element: Element) -> Label:
    match element:
        case Note():
            marks = _FERMATA * element.fermata + _TRILL * element.trill
            pitch = f"{element.pitch.step}{ACCIDENTALS[element.pitch.alter]}{element.pitch.octave}"
            return Label(_value(_NOTES, element.duration) + marks, f"{'grace ' * element.grace}{pitch}")
        case Rest():
            return Label(_value(_RESTS, element.duration) + _FERMATA * element.fermata, "rest")
        case Clef():
            return Label(_CLEFS[element.shape], f"{element.shape}{element.line}")
        case KeySignature():
            return Label("key", f"{MAJOR_KEYS[element.fifths + 7]} major")
        case TimeSignature():
            drawn = element.symbol
            return Label(_METERS[drawn] if drawn else "meter", drawn or f"{element.numerator}/{element.denominator}")
        case MultiRest():
            return Label("rest", f"{element.measures} bar{'s' * (element.measures > 1)}")
        case Barline():
            return Label("", "bar")


def _value(signs: dict[str, str], duration: Duration) -> str:
    """The sign of a figure with its dots; the font has none for a note of four whole ones."""
    return signs.get(duration.figure, "longa") + _DOT * duration.dots


def _of_drawn(name: str, kind: str, place: str) -> Label:
    """The label of an agnostic token: what is drawn, and on which line (L) or in which space (S) it is."""
    if name in ("note", "gracenote"):
        beamed = re.fullmatch(r"beamed(?:Left|Both|Right)([0-5])", kind)
        figure = _FIGURE_OF_BEAMS[int(beamed[1])] if beamed else kind
        return Label(_NOTES.get(figure, "longa"), f"{'grace ' * (name == 'gracenote')}{place}")
    if name == "barline":
        return Label("", "bar")
    signs = {"rest": _RESTS, "clef": _CLEFS, "accidental": _ACCIDENTALS, "metersign": _METERS}.get(name, {})
    plain = {"dot": "dot", "digit": kind, "multirest": "rest", "fermata": _FERMATA, "trill": _TRILL}
    ties = {"start": "tie (", "end": ") tie"}
    return Label(signs.get(kind) or plain.get(name) or ties.get(kind) or f"{name} {kind}".strip(), place)
