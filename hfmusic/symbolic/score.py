"""Music as data: one staff, one voice, as PrIMuS and Plaine & Easie incipits are.

A `Score` is a validated sequence of elements in reading order. Every notation reads into it and writes from it.
Durations are `fractions.Fraction` of a quarter note; pitches sound as written (no transposition).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

STEPS = "CDEFGAB"
_SEMITONES = dict(zip(STEPS, (0, 2, 4, 5, 7, 9, 11), strict=True))
SHARP_ORDER = "FCGDAEB"
# From seven flats to seven sharps.
MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")

# Length of each figure in quarter notes, longest first. Names are PrIMuS's.
FIGURES: dict[str, Fraction] = {
    "quadruple_whole": Fraction(16),
    "double_whole": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "sixteenth": Fraction(1, 4),
    "thirty_second": Fraction(1, 8),
    "sixty_fourth": Fraction(1, 16),
    "hundred_twenty_eighth": Fraction(1, 32),
}

# Looked up, not computed: fractions are slow, and every builder asks for tens of thousands of staves.
_LENGTHS = {
    (figure, dots): length * (2 - Fraction(1, 2**dots)) for figure, length in FIGURES.items() for dots in range(4)
}
_FLAGS = {figure: max(0, place - 4) for place, figure in enumerate(FIGURES)}

ACCIDENTALS = {-2: "bb", -1: "b", 0: "", 1: "#", 2: "##"}

Beam = Literal["begin", "middle", "end"]
BarlineKind = Literal["single", "double", "final", "repeat-start", "repeat-end", "repeat-both", "dashed", "invisible"]


class NotationError(ValueError):
    """A notation that cannot be read, or music that one cannot write. `reason` is a short stable name of the cause.

    >>> str(NotationError("tuplet", "PrIMuS has no tuplets: element 4 is 3:2"))
    'tuplet: PrIMuS has no tuplets: element 4 is 3:2'
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Pitch:
    """A written and sounding pitch. `octave` is scientific (C4 = middle C), `alter` in semitones, -2 to 2.

    >>> Pitch("B", -1, 4).name, Pitch("B", -1, 4).midi
    ('Bb4', 70)
    """

    step: str
    alter: int
    octave: int

    def __post_init__(self) -> None:
        _require(self.step in SHARP_ORDER, f"pitch step must be one of C D E F G A B, got {self.step!r}")
        _require(self.alter in ACCIDENTALS, f"pitch alter must be -2 to 2 semitones, got {self.alter!r}")
        _require(
            isinstance(self.octave, int) and -1 <= self.octave <= 9, f"octave must be -1 to 9, got {self.octave!r}"
        )

    @property
    def name(self) -> str:
        return f"{self.step}{ACCIDENTALS[self.alter]}{self.octave}"

    @property
    def midi(self) -> int:
        """MIDI note number, C4 = 60."""
        return 12 * (self.octave + 1) + _SEMITONES[self.step] + self.alter

    @property
    def diatonic(self) -> int:
        """Position in white-key steps, C0 = 0 (C4 = 28): what a staff shows."""
        return 7 * self.octave + STEPS.index(self.step)

    @classmethod
    def from_diatonic(cls, diatonic: int, alter: int = 0) -> Pitch:
        return cls(STEPS[diatonic % 7], alter, diatonic // 7)


@dataclass(frozen=True, slots=True)
class Duration:
    """A figure with dots, e.g. `Duration("quarter", 1)` is a dotted quarter: 3/2 quarters."""

    figure: str
    dots: int = 0

    def __post_init__(self) -> None:
        _require(self.figure in FIGURES, f"figure must be one of {', '.join(FIGURES)}, got {self.figure!r}")
        _require(self.dots in (0, 1, 2, 3), f"dots must be 0 to 3, got {self.dots!r}")

    @property
    def quarters(self) -> Fraction:
        return _LENGTHS[self.figure, self.dots]

    @property
    def flags(self) -> int:
        """Number of flags or beams: 1 for an eighth, 0 for a quarter and longer."""
        return _FLAGS[self.figure]


@dataclass(frozen=True, slots=True)
class Clef:
    """A clef: shape G, F or C on a line, 1 (bottom) to 5."""

    shape: str
    line: int

    def __post_init__(self) -> None:
        _require(self.shape in ("G", "F", "C"), f"clef shape must be G, F or C, got {self.shape!r}")
        _require(self.line in (1, 2, 3, 4, 5), f"clef line must be 1 to 5, got {self.line!r}")

    @property
    def bottom_line_diatonic(self) -> int:
        """`Pitch.diatonic` of the staff's bottom line (G2: E4 = 30)."""
        anchor = {"G": 32, "C": 28, "F": 24}[self.shape]
        return anchor - 2 * (self.line - 1)


@dataclass(frozen=True, slots=True)
class KeySignature:
    """A conventional key signature: `fifths` sharps (positive) or flats (negative), -7 to 7."""

    fifths: int

    def __post_init__(self) -> None:
        _require(
            isinstance(self.fifths, int) and -7 <= self.fifths <= 7, f"fifths must be -7 to 7, got {self.fifths!r}"
        )

    def alter_of(self, step: str) -> int:
        """Semitones this signature adds to a step.

        >>> KeySignature(-2).alter_of("E"), KeySignature(1).alter_of("F"), KeySignature(1).alter_of("C")
        (-1, 1, 0)
        """
        if self.fifths > 0:
            return int(step in SHARP_ORDER[: self.fifths])
        return -int(step in SHARP_ORDER[::-1][: -self.fifths])


@dataclass(frozen=True, slots=True)
class TimeSignature:
    """A meter; `symbol` is "C" or "C/" where that sign is drawn (then 4/4 and 2/2)."""

    numerator: int
    denominator: int
    symbol: str | None = None

    def __post_init__(self) -> None:
        _require(
            isinstance(self.numerator, int)
            and isinstance(self.denominator, int)
            and self.numerator > 0
            and self.denominator > 0,
            f"time signature must be two positive integers, got {self.numerator!r}/{self.denominator!r}",
        )
        _require(self.symbol in (None, "C", "C/"), f"time signature symbol must be C or C/, got {self.symbol!r}")

    @property
    def quarters(self) -> Fraction:
        """Length of a measure in quarter notes."""
        return Fraction(4 * self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class Note:
    """A note. `tie`: tied to the next. `grace`: takes no measured time. `tuplet`: (3, 2) = three in the time of two.

    `beam` says how the note is beamed to its neighbours (None: flagged or not beamable). `courtesy`: its accidental is
    drawn though key and measure do not ask for it.
    """

    pitch: Pitch
    duration: Duration
    tie: bool = False
    grace: bool = False
    fermata: bool = False
    trill: bool = False
    beam: Beam | None = None
    tuplet: tuple[int, int] | None = None
    courtesy: bool = False

    def __post_init__(self) -> None:
        _require(isinstance(self.pitch, Pitch), f"note pitch must be a Pitch, got {self.pitch!r}")
        _require(isinstance(self.duration, Duration), f"note duration must be a Duration, got {self.duration!r}")
        _require(
            self.beam in (None, "begin", "middle", "end"), f"beam must be begin, middle, end or None, got {self.beam!r}"
        )
        _validate_tuplet(self.tuplet)

    @property
    def quarters(self) -> Fraction:
        """Measured length in quarter notes; 0 for a grace note."""
        return Fraction(0) if self.grace else _scaled(self.duration, self.tuplet)


@dataclass(frozen=True, slots=True)
class Rest:
    """A rest of a written duration."""

    duration: Duration
    fermata: bool = False
    tuplet: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _require(isinstance(self.duration, Duration), f"rest duration must be a Duration, got {self.duration!r}")
        _validate_tuplet(self.tuplet)

    @property
    def quarters(self) -> Fraction:
        return _scaled(self.duration, self.tuplet)


@dataclass(frozen=True, slots=True)
class MultiRest:
    """Rests of `measures` whole measures, drawn as one sign."""

    measures: int

    def __post_init__(self) -> None:
        _require(
            isinstance(self.measures, int) and self.measures >= 1,
            f"multirest needs 1 measure or more, got {self.measures!r}",
        )


@dataclass(frozen=True, slots=True)
class Barline:
    kind: BarlineKind = "single"


Element = Clef | KeySignature | TimeSignature | Note | Rest | MultiRest | Barline


def _validate_tuplet(tuplet: tuple[int, int] | None) -> None:
    _require(
        tuplet is None or (len(tuplet) == 2 and all(isinstance(n, int) and n > 0 for n in tuplet)),
        f"tuplet must be (actual, normal) counts such as (3, 2), got {tuplet!r}",
    )


def _scaled(duration: Duration, tuplet: tuple[int, int] | None) -> Fraction:
    return duration.quarters * Fraction(tuplet[1], tuplet[0]) if tuplet else duration.quarters


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """A sounding note: times in quarter notes (from a Score) or seconds (from a recording); `velocity` 1 to 127."""

    onset: float
    offset: float
    pitch_midi: int
    velocity: int = 64


@dataclass(frozen=True)
class Score:
    """A validated staff: `elements` in reading order.

    Raises:
        ValueError: an element of another type, or a tie that no note follows.

    >>> Score((Clef("G", 2), Note(Pitch("G", 0, 4), Duration("quarter")))).quarters
    Fraction(1, 1)
    """

    elements: tuple[Element, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        for element in self.elements:
            _require(isinstance(element, Element), f"not a score element: {element!r}")
        for index, element in enumerate(self.elements):
            if isinstance(element, Note) and element.tie:
                _require(
                    self.tied_note(index) is not None,
                    f"element {index}: a tie on {element.pitch.name} that no note follows",
                )

    def tied_note(self, index: int) -> int | None:
        """Index of the note that the one at `index` would be tied to: the next, only signs and grace notes between."""
        first = self.elements[index]
        of_grace = isinstance(first, Note) and first.grace
        for later in range(index + 1, len(self.elements)):
            element = self.elements[later]
            if isinstance(element, (Rest, MultiRest)):
                return None
            if isinstance(element, Note) and (of_grace or not element.grace):
                return later
        return None

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(e for e in self.elements if isinstance(e, Note))

    @property
    def quarters(self) -> Fraction:
        """Measured length in quarter notes."""
        return sum((length for _, _, length in self.timeline()), Fraction(0))

    def timeline(self) -> Iterator[tuple[int, Fraction, Fraction]]:
        """Yields (element index, onset, length) in quarters, in reading order; signs and grace notes have length 0."""
        onset, measure = Fraction(0), Fraction(4)
        for index, element in enumerate(self.elements):
            length = Fraction(0)
            if isinstance(element, TimeSignature):
                measure = element.quarters
            elif isinstance(element, (Note, Rest)):
                length = element.quarters
            elif isinstance(element, MultiRest):
                length = measure * element.measures
            yield index, onset, length
            onset += length

    def written_accidentals(self) -> list[int | None]:
        """Per element, the accidental drawn before a note (-2 to 2; 0 is a natural) or None where none is drawn.

        The rule is notation's own: an alteration other than the key signature's, or than an earlier one in the same
        measure and octave, is drawn; a note tied from one of the same pitch repeats nothing; a barline ends it. Notes
        marked `courtesy` draw theirs in any case.
        """
        key, tied_from = KeySignature(0), None
        state: dict[tuple[str, int], int] = {}
        written: list[int | None] = []
        for element in self.elements:
            drawn = None
            if isinstance(element, KeySignature):
                key, state = element, {}
            elif isinstance(element, (Barline, MultiRest)):
                state = {}
            elif isinstance(element, Note):
                pitch = element.pitch
                place = (pitch.step, pitch.octave)
                asked = pitch != tied_from and state.get(place, key.alter_of(pitch.step)) != pitch.alter
                if asked or element.courtesy:
                    drawn = state[place] = pitch.alter
                tied_from = pitch if element.tie else None
            written.append(drawn)
        return written

    def without(self, *fields: str) -> Score:
        """A copy whose notes and rests have the named fields (`beam`, `fermata`, `tie` ...) at their defaults."""
        defaults: dict[str, Any] = {"beam": None, "tuplet": None}
        changed: list[Element] = []
        for element in self.elements:
            if isinstance(element, (Note, Rest)):
                have = [f for f in fields if hasattr(element, f)]
                element = replace(element, **{f: defaults.get(f, False) for f in have})
            changed.append(element)
        return Score(tuple(changed))
