"""Plaine & Easie code, in which RISM keeps its incipits and from which PrIMuS was rendered, into a `Score`.

Source: IAML, Plaine & Easie Code, https://www.iaml.info/plaine-easie-code. What a `Score` cannot carry is refused by
name, never guessed: see `REASONS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from .pae_signs import ALTER, BARLINES, FIGURE_OF_DIGIT, Token, read_clef, read_key, read_meter, tokens
from .score import (
    Barline,
    Beam,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
)

REASONS = {
    "accidental": "an accidental before something that is no note, or two of them",
    "barline": "a barline sign the code does not have, such as ///",
    "beam": "beam braces that do not match",
    "character": "a character the code does not have",
    "chord": "two notes sounding together",
    "clef": "a clef other than G, F, C on a line 1 to 5: octave and mensural clefs",
    "duration": "a dotted length a score cannot hold",
    "empty": "no note and no rest",
    "field": "a text without @clef or @data",
    "grace": "a grace sign before something that is no note, or a group without end",
    "key": "a key signature that is no row of fifths",
    "meter": "a meter other than c, c/ and n/d: mensural and combined ones",
    "multirest": "rests of no measures, or under a fermata",
    "neume": "notes without rhythm (7.)",
    "octave": "a pitch no score holds",
    "parenthesis": "fermata or tuplet parentheses that do not match",
    "repetition": "a repeat of nothing",
    "slur": "a + between notes of different pitch: no tie",
    "tie": "a + that no note follows",
    "trill": "a t that follows no note",
}

_FIELD = re.compile(r"@(clef|keysig|timesig|data):[^\S\n]*([^\n]*)")


def read_pae(*, clef: str, keysig: str = "", timesig: str = "", data: str) -> Score:
    """Reads an incipit from its four Plaine & Easie fields, as RISM writes them.

    Beams are those of the braces. Repeats (`i`, `!...!f`) are written out. A key signature of no accidentals and a
    missing meter leave no element at the start. Accidentals hold for their octave up to the barline.

    Raises:
        NotationError: `reason` is one of `REASONS`.

    >>> read_pae(clef="G-2", keysig="xF", timesig="c", data="'4F").notes[0].pitch.name
    'F#4'
    """
    reader = _Reader()
    reader.elements.append(read_clef(clef.strip()))
    reader.set_key(read_key(keysig.strip(), KeySignature(0)), quiet=True)
    if timesig.strip():
        reader.elements.append(read_meter(timesig.strip()))
    return reader.read(data)


def read_pae_text(text: str) -> Score:
    """Reads the `@clef: @keysig: @timesig: @data:` text form that Verovio and RISM exchange.

    >>> read_pae_text("@clef:G-2\\n@keysig:\\n@timesig:3/4\\n@data:'2.C").quarters
    Fraction(3, 1)
    """
    fields = dict(_FIELD.findall(text))
    for wanted in ("clef", "data"):
        if wanted not in fields:
            raise NotationError("field", f"no @{wanted}: line in {text[:60]!r}")
    return read_pae(
        clef=fields["clef"], keysig=fields.get("keysig", ""), timesig=fields.get("timesig", ""), data=fields["data"]
    )


class _Reader:
    """The state of reading: what holds for the next note, and where the open groups began."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.key = KeySignature(0)
        self.octave = 4
        self.values = [Duration("quarter")]
        self.value_place = 0
        self.accidental: int | None = None
        self.measure_alters: dict[tuple[str, int], int] = {}
        self.grace: str | None = None
        self.brace: int | None = None
        self.parens: list[int] = []
        self.figure_start: int | None = None
        self.figure: list[Element] = []

    def set_key(self, key: KeySignature, *, quiet: bool = False) -> None:
        """`quiet`: at the start, where no accidentals are no sign."""
        self.key, self.measure_alters = key, {}
        if key.fifths or not quiet:
            self.elements.append(key)

    def read(self, data: str) -> Score:
        for token in tokens(data):
            handle: Callable[[Token], None] = getattr(self, f"_read_{token.kind}")
            handle(token)
        self._check_closed(data)
        if not any(isinstance(element, (Note, Rest, MultiRest)) for element in self.elements):
            raise NotationError("empty", f"no note and no rest in {data!r}")
        return Score(tuple(_checked_ties(self.elements)))

    def _check_closed(self, data: str) -> None:
        for reason, is_open in (
            ("accidental", self.accidental is not None),
            ("grace", self.grace is not None),
            ("beam", self.brace is not None),
            ("parenthesis", bool(self.parens)),
            ("repetition", self.figure_start is not None),
        ):
            if is_open:
                raise NotationError(reason, f"still open at the end of {data!r}")

    # What holds for the notes to come

    def _read_octave(self, token: Token) -> None:
        count = len(token.text)
        self.octave = 3 + count if token.text[0] == "'" else 4 - count

    def _read_values(self, token: Token) -> None:
        self.values, self.value_place = [], 0
        for digit, dots in re.findall(r"(\d)(\.*)", token.text):
            if digit == "7" and dots:
                raise NotationError("neume", f"notes without rhythm (7.) at {token.place}")
            if len(dots) > 3:
                raise NotationError("duration", f"{digit}{dots} at {token.place} has more than three dots")
            self.values.append(Duration(FIGURE_OF_DIGIT[digit], len(dots)))

    def _read_accidental(self, token: Token) -> None:
        if token.text not in ALTER or self.accidental is not None:
            raise NotationError("accidental", f"{token.text!r} at {token.place}")
        self.accidental = ALTER[token.text]

    def _read_grace(self, token: Token) -> None:
        if self.grace is not None:
            raise NotationError("grace", f"{token.text!r} at {token.place} inside another grace")
        self.grace = token.text

    _read_grace_group = _read_grace

    def _read_grace_end(self, token: Token) -> None:
        if self.grace != "qq":
            raise NotationError("grace", f"r at {token.place} ends no qq group")
        self.grace = None

    # Notes and rests

    def _next_value(self) -> Duration:
        value = self.values[self.value_place % len(self.values)]
        if self.grace is None:
            self.value_place += 1
        return value

    def _read_note(self, token: Token) -> None:
        if not -1 <= self.octave <= 9:
            raise NotationError("octave", f"octave {self.octave} of the note at {token.place}")
        explicit, self.accidental = self.accidental, None
        alter = self._alter(token.text)
        pitch = Pitch(token.text, alter if explicit is None else explicit, self.octave)
        if explicit is not None:
            self.measure_alters[token.text, self.octave] = explicit
        # An acciaccatura (g) has no length of its own in the code; it is drawn as an eighth.
        duration = Duration("eighth") if self.grace == "g" else self._next_value()
        self.elements.append(Note(pitch, duration, grace=self.grace is not None, courtesy=explicit == alter))
        if self.grace != "qq":
            self.grace = None

    def _alter(self, step: str) -> int:
        """The alteration that holds where no accidental is written."""
        place = (step, self.octave)
        before = self._last_measured_note()
        if before is not None and before.tie and self.grace is None:
            if (before.pitch.step, before.pitch.octave) == place:
                return before.pitch.alter
        return self.measure_alters.get(place, self.key.alter_of(step))

    def _last_measured_note(self) -> Note | None:
        for element in reversed(self.elements):
            if isinstance(element, (Rest, MultiRest)):
                return None
            if isinstance(element, Note) and not element.grace:
                return element
        return None

    def _read_rest(self, token: Token) -> None:
        self._nothing_waits(token)
        self.elements.append(Rest(self._next_value()))

    def _nothing_waits(self, token: Token) -> None:
        for reason, waits in (("accidental", self.accidental is not None), ("grace", self.grace is not None)):
            if waits:
                raise NotationError(reason, f"before {token.text!r} at {token.place}")

    def _read_multirest(self, token: Token) -> None:
        self._nothing_waits(token)
        # Four digits: PrIMuS's longest rest is 1,111 measures.
        measures = int(token.text[1:5] or 1)
        if measures < 1 or len(token.text) > 5 or self.parens:
            raise NotationError("multirest", f"{token.text[:8]} at {token.place}")
        self.elements.append(MultiRest(measures))

    def _read_chord(self, token: Token) -> None:
        raise NotationError("chord", f"^ at {token.place}")

    def _read_tie(self, token: Token) -> None:
        self._change_last_note(token, "tie", tie=True)

    def _read_trill(self, token: Token) -> None:
        self._change_last_note(token, "trill", trill=True)

    def _change_last_note(self, token: Token, reason: str, **change: bool) -> None:
        last = self.elements[-1]
        if not isinstance(last, Note):
            raise NotationError(reason, f"{token.text!r} at {token.place} follows no note")
        self.elements[-1] = replace(last, **change)  # type: ignore[arg-type]

    # Signs between notes

    def _read_barline(self, token: Token) -> None:
        self._nothing_waits(token)
        if token.text not in BARLINES:
            raise NotationError("barline", f"{token.text!r} at {token.place}")
        self.elements.append(Barline(BARLINES[token.text]))
        self.measure_alters = {}

    def _read_clef(self, token: Token) -> None:
        self.elements.append(read_clef(token.text[1:]))

    def _read_key(self, token: Token) -> None:
        self.set_key(read_key(token.text[1:], self.key))

    def _read_meter(self, token: Token) -> None:
        self.elements.append(read_meter(token.text[1:]))

    # Groups

    def _read_brace(self, token: Token) -> None:
        if (token.text == "{") != (self.brace is None):
            raise NotationError("beam", f"{token.text!r} at {token.place} matches nothing")
        if self.brace is None:
            self.brace = len(self.elements)
            return
        self.elements[self.brace :] = beamed(self.elements[self.brace :])
        self.brace = None

    def _read_open(self, token: Token) -> None:
        self.parens.append(len(self.elements))

    def _read_close(self, token: Token) -> None:
        if not self.parens:
            raise NotationError("parenthesis", f"{token.text!r} at {token.place} matches nothing")
        start = self.parens.pop()
        count = int(token.text[1:-1][:4]) if token.text[0] == ";" else None
        self.elements[start:] = _grouped(self.elements[start:], count, token)

    def _read_figure(self, token: Token) -> None:
        self._nothing_waits(token)
        if self.figure_start is None:
            self.figure_start = len(self.elements)
        else:
            self.figure, self.figure_start = self._sounding(self.elements[self.figure_start :]), None

    def _read_again(self, token: Token) -> None:
        self._repeat(self.figure, token)

    def _read_measure_again(self, token: Token) -> None:
        bars = [index for index, element in enumerate(self.elements) if isinstance(element, Barline)]
        if not bars or self._sounding(self.elements[bars[-1] + 1 :]):
            raise NotationError("repetition", f"i at {token.place} does not begin a measure")
        start = bars[-2] + 1 if len(bars) > 1 else 0
        measure = self._sounding(self.elements[start : bars[-1]])
        if any(isinstance(element, MultiRest) for element in measure):
            raise NotationError("repetition", f"i at {token.place} repeats rests of several measures")
        self._repeat(measure, token)

    def _repeat(self, elements: list[Element], token: Token) -> None:
        self._nothing_waits(token)
        if not elements:
            raise NotationError("repetition", f"{token.text!r} at {token.place} repeats nothing")
        self.elements.extend(elements)

    @staticmethod
    def _sounding(elements: list[Element]) -> list[Element]:
        return [element for element in elements if isinstance(element, (Note, Rest, MultiRest, Barline))]


def beamed(group: list[Element]) -> list[Element]:
    """The elements of one beam group with their beams: a note without flags or a barline parts the group."""
    result, run = list(group), list[int]()
    for index, element in enumerate([*group, Barline()]):
        if isinstance(element, Note) and element.grace:
            continue
        if isinstance(element, Note) and element.duration.flags:
            run.append(index)
        elif isinstance(element, (Note, Barline)):
            _join(result, run)
            run = []
    return result


def _join(elements: list[Element], run: list[int]) -> None:
    if len(run) < 2:
        return
    beams: list[Beam] = ["begin", *["middle"] * (len(run) - 2), "end"]  # type: ignore[list-item]
    for index, beam in zip(run, beams, strict=True):
        note = elements[index]
        assert isinstance(note, Note)
        elements[index] = replace(note, beam=beam)


def _grouped(group: list[Element], count: int | None, token: Token) -> list[Element]:
    """The elements between parentheses: one note or rest has a fermata, more are a tuplet of `count` (3 if unsaid)."""
    members = [i for i, e in enumerate(group) if isinstance(e, Rest) or (isinstance(e, Note) and not e.grace)]
    if not members or (count is not None and not 2 <= count <= 99):
        raise NotationError("parenthesis", f"{token.text[:8]!r} at {token.place} ends no tuplet and no fermata")
    result = list(group)
    for index in members:
        member = result[index]
        assert isinstance(member, (Note, Rest))
        if len(members) == 1 and count is None:
            result[index] = replace(member, fermata=True)
        elif member.tuplet is not None:
            raise NotationError("parenthesis", f"a tuplet inside a tuplet ends at {token.place}")
        else:
            result[index] = replace(member, tuplet=_tuplet_ratio(count or 3))
    return result


def _tuplet_ratio(count: int) -> tuple[int, int]:
    """Three in the time of two, two in the time of three, else in that of the next power of two below."""
    return (2, 3) if count == 2 else (count, 1 << ((count - 1).bit_length() - 1))


def _checked_ties(elements: list[Element]) -> list[Element]:
    score = Score(tuple(replace(e, tie=False) if isinstance(e, Note) else e for e in elements))
    for index, element in enumerate(elements):
        if not isinstance(element, Note) or not element.tie:
            continue
        following = score.tied_note(index)
        if following is None:
            raise NotationError("tie", f"no note follows the + after {element.pitch.name}, element {index}")
        later = elements[following]
        assert isinstance(later, Note)
        if later.pitch != element.pitch:
            raise NotationError("slur", f"element {index}: + between {element.pitch.name} and {later.pitch.name}")
    return elements
