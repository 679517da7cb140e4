"""A tune of one voice in ABC into a `Score`, without music21: thousands of tunes in seconds, their beams kept.

Source: the ABC standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1. What a `Score` has no place for (words,
chord names, slurs, ornaments) is passed over; what would change the notes (chords, voices) is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from .pae import beamed
from .score import (
    FIGURES,
    Barline,
    BarlineKind,
    Clef,
    Duration,
    Element,
    KeySignature,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"|![^!\s]*!|\+[^+\s]*\+)
    | \[(?P<inline>[A-Za-z]:[^\]]*)\]
    | (?P<nothing>\[\|\])
    | (?P<bar>\[\||[:|]*\|[:|\]]*(?:\s*\[?[1-9][0-9,.-]*)?|::|\[[1-9][0-9,.-]*)
    | (?P<tuplet>\([2-9](?::[2-9]?(?::[0-9]?)?)?)
    | (?P<grace>\{/?[^}]*\})
    | (?P<note>(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[',]*)(?P<length>[0-9]*(?:/+[0-9]*)?))
    | (?P<rest>z)(?P<rest_length>[0-9]*(?:/+[0-9]*)?)
    | (?P<broken>>{1,3}|<{1,3})
    | (?P<tie>-)
    | (?P<invisible>[xy][0-9]*(?:/+[0-9]*)?)
    | (?P<decoration>[.~H-Wh-w$*`\\()])
    | (?P<gap>\s+)
    | (?P<other>.)""",
    re.VERBOSE | re.ASCII,
)
_GRACE_NOTE = re.compile(r"(\^\^|\^|__|_|=)?([A-Ga-g])([',]*)", re.ASCII)
_FIELD = re.compile(r"([A-Za-z]):(.*)")
_ALTER = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_MODES = {
    "": 0,
    "maj": 0,
    "ion": 0,
    "mix": -1,
    "dor": -2,
    "m": -3,
    "min": -3,
    "aeo": -3,
    "phr": -4,
    "loc": -5,
    "lyd": 1,
}
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_BARS: dict[str, BarlineKind] = {
    "||": "double",
    "[|": "double",
    "|]": "final",
    "|:": "repeat-start",
    "||:": "repeat-start",
    "[|:": "repeat-start",
    ":|": "repeat-end",
    ":||": "repeat-end",
    ":|]": "repeat-end",
    "::": "repeat-both",
    ":|:": "repeat-both",
    ":||:": "repeat-both",
}
# Dotted figures first found wins: a length with fewer dots is preferred.
_WRITTEN = {Duration(figure, dots).quarters: Duration(figure, dots) for dots in (2, 1, 0) for figure in FIGURES}


def read_abc_tune(text: str, *, partial: bool = False, beams: bool = True) -> Score:
    """Reads one tune (`X:` to the next, or its `K:` field and body alone).

    Args:
        partial: stop at the last barline before what cannot be carried, if notes come before it.
        beams: join notes that stand together without a space, as ABC means it.

    Raises:
        NotationError: "key", "meter", "chord", "voices", "character", "duration", "tuplet", "octave", "empty".

    >>> [note.pitch.name for note in read_abc_tune("M:3/4\\nL:1/4\\nK:D\\nF2 _A|A3|").notes]
    ['F#4', 'Ab4', 'A4']
    """
    reader = _Reader(beams)
    try:
        reader.read(text)
    except NotationError:
        if not partial or not reader.keep_whole_measures():
            raise
    if not any(isinstance(element, (Note, Rest)) for element in reader.elements):
        raise NotationError("empty", f"no note and no rest in {text[:60]!r}")
    return Score(tuple(_checked_ties(reader.elements)))


def read_abc_key(text: str) -> KeySignature:
    """`G`, `Bb`, `Em`, `A dorian` -> its key signature; `none` and nothing -> no accidentals.

    >>> read_abc_key("Ador").fifths, read_abc_key("F# minor").fifths, read_abc_key("HP").fifths
    (1, 3, 2)
    """
    plain = re.sub(r"\b(?:clef|transpose|octave|middle|t|m|stafflines|staff)=\S+|treble|exp\b.*|%.*", "", text).strip()
    if plain in ("", "none", "C"):
        return KeySignature(0)
    if plain in ("HP", "Hp"):
        return KeySignature(2)
    match = re.fullmatch(r"([A-G])([#b]?)\s*([A-Za-z]*)", plain)
    mode = match[3].lower() if match else ""
    known = _MODES.get(mode if mode == "m" else mode[:3])
    if not match or known is None:
        raise NotationError("key", f"K:{text.strip()} is no tonic and mode")
    fifths = _FIFTHS[match[1]] + {"#": 7, "b": -7, "": 0}[match[2]] + known
    if not -7 <= fifths <= 7:
        raise NotationError("key", f"K:{text.strip()} has more than seven accidentals")
    return KeySignature(fifths)


def read_abc_meter(text: str) -> TimeSignature | None:
    """`3/4`, `C`, `C|`; None for no meter."""
    plain = text.partition("%")[0].strip()
    if plain.lower() in ("", "none", "free"):
        return None
    if plain in ("C", "C|"):
        return TimeSignature(4, 4, "C") if plain == "C" else TimeSignature(2, 2, "C/")
    match = re.fullmatch(r"([1-9][0-9]?)/(1|2|4|8|16|32)", plain)
    if not match:
        raise NotationError("meter", f"M:{plain} is not beats/figure, C or C|")
    return TimeSignature(int(match[1]), int(match[2]))


class _Reader:
    """The state of reading."""

    def __init__(self, beams: bool) -> None:
        self.elements: list[Element] = [Clef("G", 2)]
        self.beams = beams
        self.key = KeySignature(0)
        self.meter: TimeSignature | None = None
        self.unit: Fraction | None = None
        self.in_body = False
        self.alters: dict[str, int] = {}
        self.group_start: int | None = None
        self.tuplet: tuple[int, int] | None = None
        self.tuplet_left = 0
        self.scale = Fraction(1)
        self.last: int | None = None
        self.fermata = self.trill = False
        self.measure_length = Fraction(0)

    def read(self, text: str) -> None:
        for line in text.splitlines():
            if line.startswith("%"):
                continue
            field = _FIELD.match(line)
            if field:
                self.read_field(field[1], field[2])
            elif self.in_body:
                self.read_music(line.partition("%")[0])
                self.end_line()

    def keep_whole_measures(self) -> bool:
        """Drops what comes after the last barline; whether notes are left."""
        while self.elements and not isinstance(self.elements[-1], Barline):
            self.elements.pop()
        return any(isinstance(element, Note) for element in self.elements)

    def read_field(self, name: str, value: str) -> None:
        if name == "L":
            match = re.fullmatch(r"\s*1/(1|2|4|8|16|32|64)\s*", value.partition("%")[0])
            if not match:
                raise NotationError("duration", f"L:{value.strip()} is no note length")
            self.unit = Fraction(4, int(match[1]))
        elif name == "M":
            self.meter = read_abc_meter(value)
            if self.in_body and self.meter:
                self.elements.append(self.meter)
        elif name == "K":
            self.key, self.alters = read_abc_key(value), {}
            if self.in_body or self.key.fifths:
                self.elements.append(self.key)
            if not self.in_body and self.meter:
                self.elements.append(self.meter)
            self.in_body = True
        elif name == "V":
            raise NotationError("voices", f"V:{value.strip()}: a Score is one voice")

    def read_music(self, line: str) -> None:
        for match in _TOKEN.finditer(line):
            kind = match.lastgroup
            if kind in ("length", "octave", "letter", "accidental", "note"):
                self.read_note(match)
            elif kind in ("rest", "rest_length"):
                self.end_group()
                self.read_rest(match["rest_length"])
            elif kind == "bar":
                self.read_bar(match["bar"])
            elif kind == "gap":
                self.end_group()
            elif kind == "inline":
                self.read_field(match["inline"][0], match["inline"][2:])
            elif kind == "grace":
                self.read_graces(match["grace"])
            elif kind == "tuplet":
                self.read_tuplet(match["tuplet"])
            elif kind == "broken":
                self.read_broken(match["broken"])
            elif kind == "tie":
                self.read_tie()
            elif kind in ("decoration", "quoted", "invisible", "nothing"):
                self.fermata |= match[0] in ("H", "!fermata!")
                self.trill |= match[0] in ("T", "!trill!")
            else:
                reason = "chord" if match[0] == "[" else "voices" if match[0] == "&" else "character"
                raise NotationError(reason, f"{match[0]!r} in {line.strip()[:60]!r}")

    def read_note(self, match: re.Match[str]) -> None:
        pitch = self.pitch(match["accidental"], match["letter"], match["octave"])
        first = len(self.elements)
        if self.group_start is None:
            self.group_start = first
        parts = self.lengths(match["length"])
        for number, (duration, ratio) in enumerate(parts):
            last = number + 1 == len(parts)
            note = Note(pitch, duration, tie=not last, tuplet=ratio, trill=self.trill and not number)
            self.elements.append(replace(note, fermata=self.fermata and last))
        self.fermata = self.trill = False
        self.last = first if len(parts) == 1 else None

    def pitch(self, accidental: str | None, letter: str, marks: str) -> Pitch:
        step = letter.upper()
        octave = 4 + letter.islower() + marks.count("'") - marks.count(",")
        if not -1 <= octave <= 9:
            raise NotationError("octave", f"{letter}{marks[:12]} is beyond any score")
        if accidental:
            self.alters[step] = _ALTER[accidental]
        alter = self.alters.get(step, self.key.alter_of(step))
        before = self.elements[-1]
        if isinstance(before, Barline) and len(self.elements) > 1:
            before = self.elements[-2]
        if not accidental and isinstance(before, Note) and before.tie:
            if (before.pitch.step, before.pitch.octave) == (step, octave):
                alter = before.pitch.alter
        return Pitch(step, alter, octave)

    def read_rest(self, length: str) -> None:
        for duration, ratio in self.lengths(length):
            self.elements.append(Rest(duration, fermata=self.fermata, tuplet=ratio))
        self.fermata = self.trill = False
        self.last = len(self.elements) - 1

    def lengths(self, text: str) -> list[tuple[Duration, tuple[int, int] | None]]:
        """Figures, tied where there are several, of an ABC length such as 3, /2, 3/4."""
        match = re.fullmatch(r"([0-9]*)((/+)([0-9]*))?", text)
        assert match is not None
        number = int(match[1][:5] or 1)
        below = int(match[4][:5]) if match[4] else 2 ** min(len(match[3] or ""), 9)
        if self.unit is None:
            small = self.meter is not None and Fraction(self.meter.numerator, self.meter.denominator) < Fraction(3, 4)
            self.unit = Fraction(1, 4) if small else Fraction(1, 2)
        quarters = self.unit * number / (below or 1) * self.scale
        self.scale = Fraction(1)
        ratio = self.tuplet if self.tuplet_left else None
        self.tuplet_left = max(0, self.tuplet_left - 1)
        self.measure_length += quarters * (Fraction(ratio[1], ratio[0]) if ratio else 1)
        return [(duration, ratio) for duration in _figures(quarters)]

    def read_graces(self, text: str) -> None:
        notes = _GRACE_NOTE.findall(text)
        # Drawn as copyists do: one is an eighth, several are sixteenths.
        duration = Duration("eighth" if len(notes) == 1 else "sixteenth")
        for accidental, letter, marks in notes:
            self.elements.append(Note(self.pitch(accidental, letter, marks), duration, grace=True))

    def read_tuplet(self, text: str) -> None:
        numbers = [int(part) if part else 0 for part in text[1:].split(":")] + [0, 0]
        compound = self.meter is not None and self.meter.denominator >= 8 and self.meter.numerator % 3 == 0
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(numbers[0], 3 if compound else 2)
        self.tuplet = (numbers[0], numbers[1] or usual)
        self.tuplet_left = numbers[2] or numbers[0]

    def read_broken(self, text: str) -> None:
        """`a>b`: the one before longer by half, the next half as long; `<` the other way round."""
        short = Fraction(1, 2 ** len(text))
        before, after = (2 - short, short) if text[0] == ">" else (short, 2 - short)
        if self.last is None:
            raise NotationError("duration", f"{text} follows no note of one figure")
        element = self.elements[self.last]
        assert isinstance(element, (Note, Rest))
        figures = _figures(element.duration.quarters * before)
        if len(figures) > 1:
            raise NotationError("duration", f"{text} after {element.duration}")
        self.measure_length += element.quarters * (before - 1)
        self.elements[self.last] = replace(element, duration=figures[0])
        self.scale = after

    def read_tie(self) -> None:
        last = self.elements[-1]
        if isinstance(last, Note) and not last.grace:
            self.elements[-1] = replace(last, tie=True)

    def read_bar(self, text: str) -> None:
        sign = re.sub(r"\s*\[?[1-9][0-9,.-]*$", "", text)
        self.end_group()
        if sign:
            self.add_bar(_BARS.get(sign, "single"))

    def add_bar(self, kind: BarlineKind) -> None:
        self.measure_length, self.alters = Fraction(0), {}
        before = self.elements[-1]
        if isinstance(before, Barline):
            both = (before.kind, kind) == ("repeat-end", "repeat-start")
            self.elements[-1] = Barline("repeat-both" if both else before.kind if kind == "single" else kind)
        elif kind == "repeat-start" or any(isinstance(element, (Note, Rest)) for element in self.elements):
            self.elements.append(Barline(kind))

    def end_group(self) -> None:
        if self.group_start is not None and self.beams:
            self.elements[self.group_start :] = beamed(self.elements[self.group_start :])
        self.group_start = None

    def end_line(self) -> None:
        """A line may end without the barline that is due (Essen's phrases)."""
        self.end_group()
        if self.meter and self.measure_length >= self.meter.quarters:
            self.add_bar("single")


def _figures(quarters: Fraction) -> list[Duration]:
    """The figures that make up a length, longest first."""
    if quarters in _WRITTEN:
        return [_WRITTEN[quarters]]
    figures, left = [], quarters
    for name, length in FIGURES.items():
        if length <= left:
            figures.append(Duration(name))
            left -= length
    if left or not figures:
        raise NotationError("duration", f"no figures make up {quarters} quarters")
    return figures


def _checked_ties(elements: list[Element]) -> list[Element]:
    """A `-` between different pitches, or before a rest, is a slur in many collections: no tie."""
    untied = Score(tuple(replace(e, tie=False) if isinstance(e, Note) else e for e in elements))
    result = list(elements)
    for index, element in enumerate(elements):
        if isinstance(element, Note) and element.tie:
            following = untied.tied_note(index)
            later = None if following is None else elements[following]
            if not isinstance(later, Note) or later.pitch != element.pitch:
                result[index] = replace(element, tie=False)
    return result
