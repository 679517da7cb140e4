"""Reads ABC 2.1: one tune of one voice."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from .abc_signs import BY_LENGTH, figures_of, read_clef, read_key, read_length
from .score import (
    Barline,
    BarlineKind,
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
from .spans import with_checked_ties, with_courtesies

_KINDS: dict[str, BarlineKind] = {
    "|": "single",
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
    ":|]|:": "repeat-both",
    ".|": "dashed",
    "[|]": "invisible",
}
_ALTERS = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
_FIELD = re.compile(r"([A-Za-z+]):(.*)")
_TOKEN = re.compile(
    r"""(?P<space>[ \t]+) | (?P<comment>%.*) | (?P<text>"[^"]*") | (?P<inline>\[[A-Za-z]:[^\]]*\])
    | (?P<bar>\|\] | :\|\]\|: | :\|\|?:? | :\|\] | :: | \[\|\] | \[?\|\|?:? | \.\|)(?P<ending>\[?[1-9][0-9,.-]*)?
    | (?P<volta>\[[1-9"][0-9,.-]*) | (?P<decoration>![^!\s]*! | \+[^+\s]+\+ | [.~H-Wh-w])
    | (?P<tuplet>\((?P<p>[2-9])(?::(?P<q>[0-9]*))?(?::(?P<r>[0-9]*))?)
    | (?P<note>(?P<accidental>\^\^?|__?|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>[0-9]*(?:/[0-9]*)*))
    | (?P<rest>z(?P<rest_length>[0-9]*(?:/[0-9]*)*)) | (?P<multirest>Z(?P<measures>[0-9]*))
    | (?P<tie>-) | (?P<grace>\{/?) | (?P<grace_end>\}) | (?P<broken><+|>+) | (?P<slur>[()]) | (?P<ignored>[`\\$!y*])
    | (?P<hidden>[xX]) | (?P<overlay>&) | (?P<chord>\[) """,
    re.VERBOSE,
)
_KINDS_OF_TOKEN = (
    *("space", "comment", "text", "inline", "bar", "volta", "decoration", "tuplet", "note", "rest", "multirest", "tie"),
    *("grace", "grace_end", "broken", "slur", "ignored", "hidden", "overlay", "chord"),
)
_REFUSED = {"hidden": "space", "overlay": "voices", "chord": "chord"}


def read_abc(text: str) -> Score:
    """Reads an ABC tune of one voice. Notes that stand together are beamed; where no clef is named it is a treble clef.

    Words, chord symbols, slurs, endings and decorations other than trill and fermata are passed over. A length that no
    figure has is read as tied notes. An accidental holds for its letter in all octaves up to the barline (ABC 2.1), or
    as `I:propagate-accidentals` says.

    Raises:
        NotationError: `reason` "abc" for text that is none; "tunes", "voices", "chord", "space" (a hidden rest),
            "clef", "key", "meter", "duration", "tie" or "tuplet" for what a Score cannot carry.
    """
    reader = _Reader()
    in_body = False
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        field = _FIELD.match(line)
        if line.startswith("%"):
            continue
        if field and not (in_body and field[1] in "|:"):
            reader.read_field(field[1], field[2].split("%")[0].strip(), in_body)
            in_body = in_body or field[1] == "K"
        elif in_body:
            reader.read_line(line, number)
        elif line.strip():
            raise NotationError("abc", f"line {number} comes before a field K: and is no field: {line[:40]!r}")
    if not in_body:
        raise NotationError("abc", "there is no field K:")
    return reader.finish()


class _Reader:
    """State between tokens, and the elements read so far."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.drawn: set[int] = set()
        self.names: dict[str, str] = {}
        self.key = KeySignature(0)
        self.meter: TimeSignature | None = None
        self.unit: Fraction | None = None
        self.by_octave = False
        self.altered: dict[tuple[str, int | None], int] = {}
        self.decorations: set[str] = set()
        self.broken = Fraction(1)
        self.tuplet: tuple[int, int] | None = None
        self.tuplet_left = 0
        self.group: list[int] = []
        self.graces: list[int] | None = None

    def read_field(self, name: str, value: str, in_body: bool) -> None:
        if name in ("X", "V") and self.names.setdefault(name, value.split(" ")[0]) != value.split(" ")[0]:
            reason = "tunes" if name == "X" else "voices"
            raise NotationError(reason, f"a Score is one tune of one voice, found a second {name}:{value}")
        if name == "K":
            self.read_key(value, in_body)
        elif name == "M":
            self.read_meter(value, in_body)
        elif name == "L":
            match = re.fullmatch(r"([1-9][0-9]*)\s*(?:/\s*([1-9][0-9]*))?", value)
            if match is None:
                raise NotationError("duration", f"L:{value} is no length")
            self.unit = 4 * Fraction(int(match[1]), int(match[2] or 1))
        elif name == "I" and value.startswith("propagate-accidentals"):
            self.by_octave = value.endswith("octave")

    def read_key(self, value: str, in_body: bool) -> None:
        """A key with clef: at the head the clef comes first and C major is no sign; the meter follows both."""
        words = value.split()
        clefs = [clef for clef in map(read_clef, words) if clef is not None]
        keys = [word for word in words if word[0] in "^_=" or not ("=" in word or read_clef(word))]
        if not in_body:
            self.elements += clefs or ([] if "clef=none" in words else [Clef("G", 2)])
        else:
            self.elements += clefs
        if any(word[0] in "^_=" for word in keys):
            raise NotationError("key", f"a Score has no key signature {value!r}")
        if keys and keys != ["none"]:
            self.key = read_key(" ".join(keys))
            if in_body or self.key.fifths:
                self.elements.append(self.key)
            self.altered = {}
        if not in_body and self.meter is not None:
            self.elements.append(self.meter)

    def read_meter(self, value: str, in_body: bool) -> None:
        if value in ("C", "C|"):
            self.meter = TimeSignature(4, 4, "C") if value == "C" else TimeSignature(2, 2, "C/")
        elif value.lower() in ("none", ""):
            self.meter = None
        else:
            match = re.fullmatch(r"([1-9][0-9]*)/([1-9][0-9]*)", value)
            if match is None:
                raise NotationError("meter", f"a Score has no meter {value!r}")
            self.meter = TimeSignature(int(match[1]), int(match[2]))
        if in_body and self.meter is not None:
            self.elements.append(self.meter)

    def read_line(self, line: str, number: int) -> None:
        place = 0
        while place < len(line):
            match = _TOKEN.match(line, place)
            if match is None:
                raise NotationError("abc", f"line {number}, column {place + 1}: {line[place : place + 20]!r}")
            place = match.end()
            kind = next(name for name in _KINDS_OF_TOKEN if match[name] is not None)
            if kind in _REFUSED:
                raise NotationError(_REFUSED[kind], f"a Score cannot carry {match[0]!r} in line {number}")
            if hasattr(self, f"read_{kind}"):
                getattr(self, f"read_{kind}")(match)
        self.end_group()
        self.end_line()

    def end_line(self) -> None:
        """Ends accidentals where the line ends with the measure, though its barline is left out (Essen's phrases)."""
        quarters = Fraction(0)
        for element in reversed(self.elements):
            if isinstance(element, Barline):
                break
            quarters += element.quarters if isinstance(element, (Note, Rest)) else 0
        if self.meter is not None and quarters and quarters % self.meter.quarters == 0:
            self.altered = {}

    def read_space(self, match: re.Match[str]) -> None:
        self.end_group()

    def read_inline(self, match: re.Match[str]) -> None:
        self.read_field(match[0][1], match[0][3:-1].strip(), True)

    def read_bar(self, match: re.Match[str]) -> None:
        """A barline; one right after another joins it, a repeat being the more of the two."""
        self.end_group()
        kind = _KINDS[match["bar"].replace("[||", "||")]
        before = self.elements[-1] if self.elements else None
        if isinstance(before, Barline) and (kind == before.kind or "repeat" in kind):
            kind = "repeat-both" if (before.kind, kind) == ("repeat-end", "repeat-start") else kind
            self.elements.pop()
        self.elements.append(Barline(kind))
        self.altered = {}

    def read_decoration(self, match: re.Match[str]) -> None:
        self.decorations.add({"H": "fermata", "T": "trill"}.get(match[0], match[0].strip("!+")))

    def read_tuplet(self, match: re.Match[str]) -> None:
        """(p:q:r is r notes, each p in the time of q; without q it depends on p and the meter, without r it is p."""
        number = int(match["p"])
        compound = self.meter is not None and self.meter.numerator in (6, 9, 12)
        normal = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(number, 3 if compound else 2)
        self.tuplet = number, int(match["q"] or normal)
        self.tuplet_left = int(match["r"] or number)
        if not self.tuplet[1] or not self.tuplet_left:
            raise NotationError("tuplet", f"{match[0]!r} is no tuplet")

    def read_note(self, match: re.Match[str]) -> None:
        octave = (5 if match["letter"].islower() else 4) + match["octave"].count("'") - match["octave"].count(",")
        if not 0 <= octave <= 9:
            raise NotationError("abc", f"{match[0]!r} is beyond every octave")
        pitch = self.read_pitch(match["letter"].upper(), octave, match["accidental"])
        graced = self.graces is not None
        note = Note(
            pitch,
            Duration("quarter"),
            grace=graced,
            fermata="fermata" in self.decorations,
            trill="trill" in self.decorations,
        )
        self.add(note, match["length"])

    def read_pitch(self, step: str, octave: int, accidental: str | None) -> Pitch:
        place = (step, octave if self.by_octave else None)
        if accidental is not None:
            self.altered[place] = _ALTERS[accidental]
            self.drawn.add(len(self.elements))
            return Pitch(step, _ALTERS[accidental], octave)
        last = next((e for e in reversed(self.elements) if isinstance(e, Note)), None)
        if last is not None and last.tie and (last.pitch.step, last.pitch.octave) == (step, octave):
            return last.pitch
        return Pitch(step, self.altered.get(place, self.key.alter_of(step)), octave)

    def read_rest(self, match: re.Match[str]) -> None:
        self.add(Rest(Duration("quarter"), fermata="fermata" in self.decorations), match["rest_length"])

    def read_multirest(self, match: re.Match[str]) -> None:
        self.elements.append(MultiRest(int(match["measures"] or 1)))
        self.altered = {}

    def add(self, element: Note | Rest, length: str) -> None:
        """Adds a note or rest of an ABC length, as several tied ones where no figure is as long."""
        quarters = self.unit_quarters() * read_length(length)
        grace = isinstance(element, Note) and element.grace
        if not grace:
            quarters *= self.broken
            self.broken = Fraction(1)
            element = replace(element, tuplet=self.tuplet if self.tuplet_left else None)
            self.tuplet_left -= 1 if self.tuplet_left else 0
        self.decorations = set()
        group = self.graces if self.graces is not None else self.group
        parts = figures_of(quarters)
        for count, duration in enumerate(parts, 1):
            if isinstance(element, Note):
                element = replace(element, tie=count < len(parts))
            if duration.flags == 0 and not grace:
                self.end_group()
            elif isinstance(element, Note):
                group.append(len(self.elements))
            self.elements.append(replace(element, duration=duration))

    def unit_quarters(self) -> Fraction:
        """L:, or by ABC's rule an eighth, a sixteenth in meters shorter than 3/4."""
        if self.unit is not None:
            return self.unit
        return Fraction(1, 4) if self.meter is not None and self.meter.quarters < 3 else Fraction(1, 2)

    def read_tie(self, match: re.Match[str]) -> None:
        if self.elements and isinstance(self.elements[-1], Note):
            self.elements[-1] = replace(self.elements[-1], tie=True)

    def read_broken(self, match: re.Match[str]) -> None:
        """a>b: the first half as long again, the second half as long; > after > halves again what is left."""
        index = next((i for i in range(len(self.elements) - 1, -1, -1) if _measured(self.elements[i])), None)
        if index is None:
            raise NotationError("duration", f"{match[0]!r} comes after no note")
        short = Fraction(1, 2 ** len(match[0]))
        first, self.broken = (2 - short, short) if match[0][0] == ">" else (short, 2 - short)
        element = self.elements[index]
        assert isinstance(element, (Note, Rest))
        quarters = element.duration.quarters * first
        if quarters not in BY_LENGTH:
            raise NotationError("duration", f"{match[0]!r} makes a note of {quarters} quarters")
        self.elements[index] = replace(element, duration=BY_LENGTH[quarters])
        if BY_LENGTH[quarters].flags and isinstance(element, Note) and index not in self.group:
            self.group.append(index)

    def read_grace(self, match: re.Match[str]) -> None:
        self.graces = []

    def read_grace_end(self, match: re.Match[str]) -> None:
        self.beam(self.graces or [])
        self.graces = None

    def end_group(self) -> None:
        """Beams the notes that stood together; grace notes among them are in the middle."""
        group = [i for i in self.group if getattr(self.elements[i], "duration", Duration("quarter")).flags]
        self.beam(group)
        for index in range(group[0], group[-1]) if len(group) > 1 else ():
            note = self.elements[index]
            if isinstance(note, Note) and note.grace and note.beam is None:
                self.elements[index] = replace(note, beam="middle")
        self.group = []

    def beam(self, group: list[int]) -> None:
        for place, index in enumerate(group if len(group) > 1 else ()):
            note = self.elements[index]
            assert isinstance(note, Note)
            beam = "begin" if place == 0 else "end" if place == len(group) - 1 else "middle"
            self.elements[index] = replace(note, beam=beam)  # type: ignore[arg-type]

    def finish(self) -> Score:
        return Score(with_courtesies(with_checked_ties(self.elements), self.drawn))


def _measured(element: Element) -> bool:
    return isinstance(element, Rest) or (isinstance(element, Note) and not element.grace)
