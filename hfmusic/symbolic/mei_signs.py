"""MEI's names of durations, accidentals and barlines, and its spellings of clef, key and meter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .score import SHARP_ORDER, Clef, Duration, KeySignature, NotationError, TimeSignature

if TYPE_CHECKING:
    from lxml.etree import _Element as Node

DURATIONS = {
    "quadruple_whole": "long",
    "double_whole": "breve",
    "whole": "1",
    "half": "2",
    "quarter": "4",
    "eighth": "8",
    "sixteenth": "16",
    "thirty_second": "32",
    "sixty_fourth": "64",
    "hundred_twenty_eighth": "128",
}
ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
BARLINES = {
    "single": "single",
    "double": "dbl",
    "final": "end",
    "repeat-start": "rptstart",
    "repeat-end": "rptend",
    "repeat-both": "rptboth",
    "dashed": "dashed",
    "invisible": "invis",
}
METER_SIGNS = {"C": "common", "C/": "cut"}
FIGURES = {code: figure for figure, code in DURATIONS.items()}
ALTERS = {code: alter for alter, code in ACCIDENTALS.items()} | {"ss": 2, "nf": -1, "ns": 1}
_SYMBOLS = {"common": (4, 4, "C"), "cut": (2, 2, "C/")}


def name_of(node: Node) -> str:
    """Name without its namespace; an entity left unresolved has none."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def read_clef(node: Node, prefix: str) -> Clef | None:
    """A clef of attributes `clef.shape` and `clef.line` (prefix "clef.") or of a <clef> (prefix "")."""
    shape, line = node.get(f"{prefix}shape"), node.get(f"{prefix}line", "")
    if shape is None:
        return None
    if shape not in ("G", "F", "C") or line not in list("12345") or node.get(f"{prefix}dis"):
        dis = node.get(f"{prefix}dis", "none")
        raise NotationError("clef", f"a Score has no clef {shape} on line {line!r} with octave displacement {dis}")
    return Clef(shape, int(line))


def read_key(node: Node, prefix: str) -> KeySignature | None:
    """A key signature: `key.sig`, `keysig`, or a <keySig>'s `sig`, or <keyAccid>s if they are a conventional key's."""
    signs = [node.get(name) for name in ((f"{prefix}.sig", f"{prefix}sig") if prefix else ("sig",))]
    code = next((sign for sign in signs if sign is not None), None)
    if code is None and not prefix and len(node):
        accidentals = {(child.get("pname", "").upper(), child.get("accid")) for child in node.findall("{*}keyAccid")}
        for fifths in range(-7, 8):
            key = KeySignature(fifths)
            if accidentals == {(step, ACCIDENTALS[key.alter_of(step)]) for step in SHARP_ORDER if key.alter_of(step)}:
                return key
    if code is None and (prefix or not len(node)):
        return None
    match = re.fullmatch(r"([0-7])([sf])|0", code or "mixed")
    if match is None:
        raise NotationError("key", f"a Score has no key signature {code or 'of other accidentals'!r}")
    return KeySignature(int(match[1]) * (1 if match[2] == "s" else -1) if match[1] else 0)


def read_meter(node: Node, prefix: str) -> TimeSignature | None:
    """A meter: `meter.count`, `meter.unit`, `meter.sym`, or the same of a <meterSig>; None if it is not drawn."""
    count, unit, sign = (node.get(f"{prefix}{name}") for name in ("count", "unit", "sym"))
    if node.get(f"{prefix}form") == "invis" or node.get(f"{prefix}visible") == "false" or not (count or unit or sign):
        return None
    if sign is not None and sign not in _SYMBOLS:
        raise NotationError("mensural", f"a Score has no meter sign {sign!r}")
    default = _SYMBOLS.get(sign or "", (0, 0, None))
    count, unit = count or str(default[0]), unit or str(default[1])
    if not re.fullmatch("[1-9][0-9]*", count) or not re.fullmatch("[1-9][0-9]*", unit):
        raise NotationError("meter", f"a Score has no meter {count}/{unit}")
    return TimeSignature(int(count), int(unit), default[2])


def read_duration(node: Node) -> Duration:
    code = node.get("dur", "")
    if code not in FIGURES:
        raise NotationError("duration", f"<{name_of(node)}> has dur {code!r}")
    dots = int(node.get("dots", "0")) or len(node.findall("{*}dot"))
    if dots > 3:
        raise NotationError("duration", f"<{name_of(node)}> has {dots} dots")
    return Duration(FIGURES[code], dots)


def read_accidental(node: Node, name: str) -> int | None:
    """Semitones of `accid` or `accid.ges`, on the note or on its <accid>."""
    codes = [node.get(name), *(child.get(name) for child in node.findall("{*}accid"))]
    for code in filter(None, codes):
        if code not in ALTERS:
            raise NotationError("accidental", f"a Score has no accidental {code!r}")
        return ALTERS[code]
    return None


def read_ratio(node: Node) -> tuple[int, int]:
    """A tuplet's numbers; without numbase, as many as the power of two below (three in the time of two)."""
    number, base = node.get("num", ""), node.get("numbase", "")
    if not re.fullmatch("[1-9][0-9]*", number) or not re.fullmatch("([1-9][0-9]*)?", base):
        raise NotationError("tuplet", f"<{name_of(node)}> has num {number!r} and numbase {base!r}")
    return int(number), int(base) if base else max(1, 2 ** ((int(number) - 1).bit_length() - 1))
