"""ABC's names of keys and clefs, and its lengths."""

from __future__ import annotations

import re
from fractions import Fraction

from .score import FIGURES, SHARP_ORDER, Clef, Duration, KeySignature, NotationError

_MODES = {
    "": 0,
    "maj": 0,
    "ion": 0,
    "m": -3,
    "min": -3,
    "aeo": -3,
    "dor": -2,
    "phr": -4,
    "lyd": 1,
    "mix": -1,
    "loc": -5,
}
_CLEF_NAMES = {
    "treble": Clef("G", 2),
    "soprano": Clef("C", 1),
    "mezzosoprano": Clef("C", 2),
    "alto": Clef("C", 3),
    "tenor": Clef("C", 4),
    "baritone": Clef("F", 3),
    "bass": Clef("F", 4),
}
_CLEF = re.compile(rf"(clef=)?({'|'.join(_CLEF_NAMES)})([1-5])?|clef=([GCF])([1-5])")
# Fifths of a tonic's major key, also of those whose major key has none (G# minor).
_FIFTHS = {
    f"{step}{sign}": SHARP_ORDER.index(step) - 1 + shift
    for step in SHARP_ORDER
    for sign, shift in (("", 0), ("#", 7), ("b", -7))
}
BY_LENGTH = {Duration(figure, dots).quarters: Duration(figure, dots) for dots in (3, 2, 1, 0) for figure in FIGURES}


def read_clef(word: str) -> Clef | None:
    """A clef of `clef=NAME` or a bare NAME, with its line; None for clef=none and words of another kind.

    Raises:
        NotationError: "clef" for one that a Score cannot carry.
    """
    match = _CLEF.fullmatch(word)
    if match is not None and match[4]:
        return Clef(match[4], int(match[5]))
    if match is not None:
        clef = _CLEF_NAMES[match[2]]
        return Clef(clef.shape, int(match[3])) if match[3] else clef
    if word.startswith(("clef=", "octave=", "middle=", *_CLEF_NAMES)) and word != "clef=none":
        raise NotationError("clef", f"a Score has no clef {word!r}")
    return None


def read_key(name: str) -> KeySignature:
    """A tonic and mode: G, Bb, F#m, D dor, E Phrygian; Hp is the Highland pipe's two sharps."""
    if name in ("Hp", "HP"):
        return KeySignature(2 if name == "Hp" else 0)
    match = re.fullmatch(r"([A-G][#b]?)\s*([A-Za-z]*)", name)
    if match is None or match[2][:3].lower() not in _MODES or match[1] not in _FIFTHS:
        raise NotationError("key", f"a Score has no key {name!r}")
    fifths = _FIFTHS[match[1]] + _MODES[match[2][:3].lower()]
    if not -7 <= fifths <= 7:
        raise NotationError("key", f"{name!r} has more than seven accidentals")
    return KeySignature(fifths)


def read_length(text: str) -> Fraction:
    """ABC's factor: 3, 3/2, /4, / for a half, // for a quarter."""
    above, _, below = text.partition("/")
    halves = below.count("/") + 1 if "/" in text and not below.strip("/") else 0
    divisor = 2**halves if halves else int(below.strip("/") or 1)
    if not divisor or above == "0":
        raise NotationError("duration", f"{text!r} is no length")
    return Fraction(int(above or 1), divisor)


def figures_of(quarters: Fraction) -> list[Duration]:
    """Figures that make up a length, the longest first."""
    figures: list[Duration] = []
    while quarters > 0:
        part = max((length for length in BY_LENGTH if length <= quarters), default=None)
        if part is None or len(figures) == 4:
            raise NotationError("duration", f"no figures make up {quarters} quarters")
        figures.append(BY_LENGTH[part])
        quarters -= part
    return figures
