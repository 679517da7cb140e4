"""Notation of exact note times: figures, ties, barlines, spelling and a clef, for `read_midi`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .score import (
    FIGURES,
    SHARP_ORDER,
    Barline,
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

GRID = FIGURES["hundred_twenty_eighth"]
_F_FLAT, _B_SHARP = -8, 12  # ends of the line of fifths without double accidentals, C = 0
# Plain and once dotted figures, longest first: what a length is put together from.
_DURATIONS = sorted(
    (Duration(figure, dots) for figure in FIGURES for dots in (0, 1) if figure != "hundred_twenty_eighth" or not dots),
    key=lambda duration: -duration.quarters,
)


def durations_of(length: Fraction) -> list[Duration]:
    """Figures, longest first, that last `length` quarters together. Raises NotationError "rhythm" off the 128th grid.

    >>> [(d.figure, d.dots) for d in durations_of(Fraction(5, 2))]
    [('half', 0), ('eighth', 0)]
    """
    if length % GRID:
        raise NotationError("rhythm", f"{length} quarter notes is no multiple of a 128th note")
    figures = []
    for duration in _DURATIONS:
        while length >= duration.quarters:
            figures.append(duration)
            length -= duration.quarters
    return figures


def spelled(midi: int, key: KeySignature) -> Pitch:
    """The spelling nearest to a key on the line of fifths, of those without double accidentals.

    >>> spelled(70, KeySignature(-2)).name, spelled(70, KeySignature(3)).name
    ('Bb4', 'A#4')
    """
    fifths = (midi * 7 + 5) % 12 - 5  # one place of this pitch class on the line, C = 0
    centre = key.fifths + 2  # the middle of the seven steps of a major key
    fifths += 12 * round((centre - fifths) / 12)
    fifths += 12 * ((fifths < _F_FLAT) - (fifths > _B_SHARP))
    step, alter = SHARP_ORDER[(fifths + 1) % 7], (fifths + 1) // 7
    octave = (midi - alter) // 12 - 1
    return Pitch(step, alter, octave)


def score_of_events(
    events: Sequence[tuple[Fraction, Fraction, int]],
    signs: Sequence[tuple[Fraction, Element]] = (),
    end: Fraction = Fraction(0),
) -> Score:
    """A score of (onset, offset, MIDI pitch), ordered, and of signs at their times, all in quarters. See `read_midi`.

    Rests fill it up to `end`, if that lies on the grid.
    """
    writer = _Writer(sorted(signs, key=lambda sign: (sign[0], isinstance(sign[1], TimeSignature))))
    pitches = [pitch for _, _, pitch in events]
    low = pitches and sum(pitches) / len(pitches) < 60
    writer.elements.append(Clef("F", 4) if low else Clef("G", 2))
    for onset, offset, pitch in events:
        if onset < writer.now:
            raise NotationError("chord", f"a note begins at quarter {onset} before the last one ends at {writer.now}")
        writer.fill(onset, None)
        writer.fill(offset, pitch)
    if (end - writer.now) % GRID == 0:
        writer.fill(end, None)
    writer.pass_signs()
    return Score(tuple(writer.elements))


class _Writer:
    """Writes rests and notes from `now` on, putting signs in at their times and barlines by the meter."""

    def __init__(self, signs: list[tuple[Fraction, Element]]) -> None:
        self.elements: list[Element] = []
        self.now = Fraction(0)
        self._signs = signs
        self._key = KeySignature(0)
        self._measure: Fraction | None = None
        self._barline: Fraction | None = None  # where the next one stands

    def pass_signs(self) -> None:
        """The barline due now, then the signs."""
        if self._barline == self.now and self._measure:
            self.elements.append(Barline())
            self._barline += self._measure
        while self._signs and self._signs[0][0] <= self.now:
            sign = self._signs.pop(0)[1]
            self.elements.append(sign)
            if isinstance(sign, KeySignature):
                self._key = sign
            elif isinstance(sign, TimeSignature):
                self._measure, self._barline = sign.quarters, self.now + sign.quarters

    def fill(self, until: Fraction, pitch: int | None) -> None:
        """One note of MIDI pitch `pitch`, or rests for None, up to `until`: cut at barlines and signs, tied."""
        while self.now < until:
            self.pass_signs()
            edges = [until, *(edge for edge in (self._barline, *(at for at, _ in self._signs[:1])) if edge)]
            end = min(edges)
            for duration in durations_of(end - self.now):
                self.now += duration.quarters
                if pitch is None:
                    self.elements.append(Rest(duration))
                else:
                    self.elements.append(Note(spelled(pitch, self._key), duration, tie=self.now < until))
