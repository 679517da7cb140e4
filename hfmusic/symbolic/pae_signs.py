"""The single signs of Plaine & Easie code: what a character run is, and clefs, keys and meters as fields write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .score import SHARP_ORDER, BarlineKind, Clef, KeySignature, NotationError, TimeSignature

FIGURE_OF_DIGIT = {
    "0": "quadruple_whole",
    "9": "double_whole",
    "1": "whole",
    "2": "half",
    "4": "quarter",
    "8": "eighth",
    "6": "sixteenth",
    "3": "thirty_second",
    "5": "sixty_fourth",
    "7": "hundred_twenty_eighth",
}
ALTER = {"xx": 2, "x": 1, "n": 0, "b": -1, "bb": -2}
BARLINES: dict[str, BarlineKind] = {
    "/": "single",
    "//": "double",
    "://": "repeat-end",
    "//:": "repeat-start",
    "://:": "repeat-both",
    # Not in the code, but catalogues have them, and they can mean nothing else.
    "/:": "repeat-start",
    ":/": "repeat-end",
    ":/:": "repeat-both",
}
_TOKEN = re.compile(
    r"""(?P<barline>[:/]+)
    | (?P<octave>'+|,+)
    | (?P<values>(?:[0-9]\.*)+)
    | (?P<accidental>[xbn]+)
    | (?P<note>[A-G])
    | (?P<rest>-)
    | (?P<multirest>=\d*)
    | (?P<clef>%[A-Za-z]?[-+]?\d?)
    | (?P<key>\$[xbn\[\]A-G]*)
    | (?P<meter>@(?:[co][./\d]*|\d+(?:/\d+)?)?(?:;\s*\d+(?:/\d+)?)*)
    | (?P<close>(?:;\d+)?\))
    | (?P<open>\()
    | (?P<brace>[{}])
    | (?P<tie>\+)
    | (?P<grace_group>qq)
    | (?P<grace>[gq])
    | (?P<grace_end>r)
    | (?P<trill>t)
    | (?P<figure>!)
    | (?P<again>f)
    | (?P<measure_again>i)
    | (?P<chord>\^)
    | (?P<space>\s+)""",
    re.VERBOSE | re.ASCII,
)


def read_clef(text: str) -> Clef:
    """`G-2` -> Clef("G", 2)."""
    match = re.fullmatch(r"([GCF])-([1-5])", text)
    if not match:
        raise NotationError("clef", f"{text!r} is not G, C or F on a line 1 to 5, such as G-2")
    return Clef(match[1], int(match[2]))


def read_key(text: str, current: KeySignature) -> KeySignature:
    """`xFC` -> two sharps, "" -> none; naturals (`nBE`) take those away from `current`. Brackets (optional) count.

    >>> read_key("bBE[A]", KeySignature(0)).fifths, read_key("nAD", KeySignature(-4)).fifths
    (-3, -2)
    """
    plain = text.replace("[", "").replace("]", "")
    if not re.fullmatch(r"(?:[xbn][A-G]+)*", plain):
        raise NotationError("key", f"{text!r} is not sharps xFC..., flats bBE... or naturals")
    alters = {step: ALTER[sign] for sign, steps in re.findall(r"([xbn])([A-G]+)", plain) for step in steps}
    if alters and not any(alters.values()):
        alters = {step: current.alter_of(step) for step in SHARP_ORDER} | alters
    for fifths in range(-7, 8):
        key = KeySignature(fifths)
        if all(key.alter_of(step) == alters.get(step, 0) for step in SHARP_ORDER):
            return key
    raise NotationError("key", f"{text!r} is no row of fifths")


def read_meter(text: str) -> TimeSignature:
    """`c`, `c/` or `3/4`.

    >>> read_meter("c/").symbol
    'C/'
    """
    signs = {"c": TimeSignature(4, 4, "C"), "c/": TimeSignature(2, 2, "C/")}
    if text in signs:
        return signs[text]
    match = re.fullmatch(r"([1-9]\d?)/(1|2|4|8|16|32)", text)
    if not match:
        raise NotationError("meter", f"{text!r} is not c, c/ or beats/figure")
    return TimeSignature(int(match[1]), int(match[2]))


class Token(NamedTuple):
    """A sign of the code; `place` is its character in the data, from 0."""

    kind: str
    text: str
    place: int


def tokens(data: str) -> Iterator[Token]:
    """The signs of an incipit, spaces left out.

    Raises:
        NotationError: "character" for one the code does not have.
    """
    place = 0
    while place < len(data):
        match = _TOKEN.match(data, place)
        if not match:
            raise NotationError("character", f"{data[place]!r} at {place} of {data!r}")
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match[0], place)
        place = match.end()
