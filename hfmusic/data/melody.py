"""Melodies like RISM's incipits, for training: a walk over the staff in rhythms that come back.

The tables of frequencies are of RISM incipits in the train split and of common knowledge.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from hfmusic.symbolic.score import (
    Barline,
    BarlineKind,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Pitch,
    Rest,
    TimeSignature,
)

from .rhythms import TICKS, Pulse, durations_of, fill, measure_ticks, pulse_of

_Kind = TypeVar("_Kind")
CLEF_WEIGHTS = {
    Clef("G", 2): 68.0,
    Clef("C", 1): 20.0,
    Clef("F", 4): 5.0,
    Clef("C", 3): 3.0,
    Clef("C", 4): 2.5,
    Clef("G", 1): 0.5,
    Clef("C", 2): 0.5,
    Clef("F", 3): 0.3,
    Clef("F", 5): 0.1,
    Clef("C", 5): 0.1,
}
FIFTHS_WEIGHTS = {
    0: 18,
    1: 15.5,
    -1: 16,
    2: 12.5,
    -2: 13,
    3: 7.5,
    -3: 10,
    4: 2.4,
    -4: 3.2,
    5: 0.5,
    -5: 0.9,
    6: 0.2,
    -6: 0.3,
    7: 0.05,
}
METER_WEIGHTS: dict[TimeSignature | None, float] = {
    TimeSignature(4, 4, "C"): 30,
    TimeSignature(2, 2, "C/"): 11,
    TimeSignature(3, 4): 22,
    TimeSignature(2, 4): 12,
    TimeSignature(6, 8): 9,
    TimeSignature(3, 8): 4.5,
    TimeSignature(3, 2): 2.5,
    TimeSignature(4, 4): 2,
    TimeSignature(2, 2): 0.7,
    TimeSignature(12, 8): 0.9,
    TimeSignature(9, 8): 0.8,
    TimeSignature(4, 2): 0.5,
    TimeSignature(6, 4): 0.6,
    TimeSignature(3, 1): 0.4,
    TimeSignature(2, 1): 0.2,
    TimeSignature(4, 8): 0.2,
    TimeSignature(9, 4): 0.1,
    TimeSignature(6, 2): 0.1,
    TimeSignature(5, 4): 0.1,
    TimeSignature(6, 16): 0.1,
    None: 3,
}


def drawn(table: Mapping[_Kind, float], rng: random.Random) -> _Kind:
    return rng.choices(list(table), list(table.values()))[0]


class Composer:
    """One RISM-like tune: a melody walking over the staff, in rhythms that come back."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clef: Clef = drawn(CLEF_WEIGHTS, rng)
        self.key = KeySignature(drawn(FIFTHS_WEIGHTS, rng))
        self.meter: TimeSignature | None = drawn(METER_WEIGHTS, rng)
        self.speed = rng.choices((0, 1, 2), (0.46, 0.39, 0.15))[0]
        self.minor, self.dominant = rng.random() < 0.28, rng.random() < 0.2
        self.chromatic = rng.choice((0.0, 0.0, 0.01, 0.02, 0.06))
        self.ties = rng.choices((0.0, 0.06, 0.3), (0.75, 0.15, 0.1))[0]
        self.graces = rng.choice((0.05, 0.1, 0.25)) if rng.random() < 0.09 else 0.0
        self.fermatas = 0.1 if rng.random() < 0.09 else 0.0
        instrumental = self.clef.shape == "G" and rng.random() < 0.7
        low, high = (
            (rng.randint(-3, 1), rng.randint(8, 12)) if instrumental else (rng.randint(-1, 2), rng.randint(6, 9))
        )
        self.low, self.high = low, high
        self.place = rng.randint(low + 2, high - 2)
        self.goal = rng.randint(low, high)
        self.altered: dict[int, int] = {}
        self.elements: list[Element] = [self.clef]

    def compose(self) -> list[Element]:
        rng, elements = self.rng, self.elements
        if self.key.fifths:
            elements.append(self.key)
        if self.meter:
            elements.append(self.meter)
        inner = self.meter or rng.choice((TimeSignature(4, 4), TimeSignature(3, 4), TimeSignature(4, 2)))
        bars = self.meter is not None or rng.random() < 0.5
        goal = min(60, max(7, round(rng.gammavariate(5.0, 4.0))))
        if rng.random() < 0.16:
            self._multirest(bars)
        first, measures = True, 0
        seen: list[list[int]] = []
        pulse = pulse_of(inner, rng)
        while len(elements) < goal or measures < 2 and rng.random() < 0.7:
            length = measure_ticks(inner)
            if first and rng.random() < 0.38:
                length = self._pickup(length, pulse)
            self._measure(self._rhythm(length, pulse, seen))
            measures, first = measures + 1, False
            if bars:
                self._barline()
            if rng.random() < 0.005:
                inner, pulse, seen = self._change(inner, pulse, seen)
            elif rng.random() < 0.02:
                self._multirest(bars)
        return self._ended(bars)

    def _pickup(self, length: int, pulse: Pulse) -> int:
        """Ticks of an incomplete first measure: part of a beat, a beat, or more of them."""
        if length <= pulse.beat or self.rng.random() < 0.4:
            return pulse.unit if pulse.compound else pulse.unit // 2 if length < 4 * pulse.beat else pulse.unit
        return pulse.beat * self.rng.randint(1, length // pulse.beat - 1)

    def _rhythm(self, length: int, pulse: Pulse, seen: list[list[int]]) -> list[int]:
        rng = self.rng
        known = [lengths for lengths in seen if sum(map(abs, lengths)) == length]
        if known and rng.random() < 0.35:
            return rng.choice(known)
        lengths = fill(length, pulse, self.speed, rng)
        seen.append(lengths)
        return lengths

    def _measure(self, lengths: list[int]) -> None:
        rng = self.rng
        self.altered = {}
        run, direction = 0, 1
        for number, length in enumerate(lengths):
            figures = durations_of(abs(length))
            if length < 0:
                fermata = rng.random() < 0.4 * self.fermatas
                self.elements += [Rest(figure, fermata=fermata and len(figures) == 1) for figure in reversed(figures)]
                continue
            tied = self._tie_in(number)
            if not tied:
                if run <= 0:
                    run, direction = self._phrase(length)
                run -= 1
                self._move(direction)
                if self.graces and length >= TICKS // 4 and rng.random() < self.graces:
                    self._grace()
            pitch = tied or self._pitch()
            notes = [Note(pitch, figure, tie=i + 1 < len(figures)) for i, figure in enumerate(figures)]
            if self.fermatas and length >= TICKS and rng.random() < self.fermatas:
                notes[-1] = replace(notes[-1], fermata=True)
            self.elements += notes

    def _tie_in(self, number: int) -> Pitch | None:
        """Ties the note before to the one to come, across a barline more often than within a measure; its pitch."""
        share = self.ties if number == 0 else 0.25 * self.ties
        if not share or self.rng.random() >= share:
            return None
        for index in range(len(self.elements) - 1, max(0, len(self.elements) - 3), -1):
            before = self.elements[index]
            if isinstance(before, Note) and not before.grace:
                self.elements[index] = replace(before, tie=True)
                return before.pitch
            if not isinstance(before, Barline):
                return None
        return None

    def _phrase(self, length: int) -> tuple[int, int]:
        """How the melody goes on: (notes, diatonic step of each)."""
        rng = self.rng
        self.goal = rng.randint(self.low, self.high) if rng.random() < 0.25 else self.goal
        toward = 1 if self.goal > self.place else -1
        if rng.random() < 0.3:
            toward = -toward
        kinds = (44, 14, 13, 18, 11) if length <= TICKS // 4 else (30, 10, 13, 22, 25)
        match rng.choices(("run", "turn", "triad", "same", "leap"), kinds)[0]:
            case "run":
                return rng.randint(1, 5), -1 if rng.random() < 0.12 else toward
            case "turn":
                return 1, -toward
            case "triad":
                return rng.randint(1, 3), 2 * toward
            case "same":
                return rng.choice((1, 1, 2, 3)), 0
            case _:
                upward = 1 if rng.random() < 0.3 else toward
                return 1, upward * rng.choices((2, 3, 4, 5, 7), (10, 56, 13, 15, 6))[0]

    def _move(self, by: int) -> None:
        place = self.place + by
        if not self.low - 1 <= place <= self.high + 1:
            place = self.place - by
        self.place = min(self.high + 1, max(self.low - 1, place))

    def _pitch(self, place: int | None = None) -> Pitch:
        """The pitch at a staff place (0 = bottom line): the key's own, or as the measure and mode alter it."""
        place = self.place if place is None else place
        diatonic = self.clef.bottom_line_diatonic + place
        pitch = Pitch.from_diatonic(diatonic)
        alter = self.key.alter_of(pitch.step)
        if diatonic in self.altered and self.rng.random() < 0.85:
            alter = self.altered[diatonic]
        elif self.minor and self._degree(diatonic) == 6 and self.rng.random() < 0.5:
            alter += 1
        elif self.dominant and self._degree(diatonic) == 5 and self.rng.random() < 0.4:
            alter += 1
        elif self.rng.random() < self.chromatic:
            alter += 1 if self.rng.random() < 0.65 else -1
        alter = max(-1, min(1, alter))
        self.altered[diatonic] = alter
        return Pitch(pitch.step, alter, pitch.octave)

    def _degree(self, diatonic: int) -> int:
        """Degree 0 to 6 above the tonic of the key's minor (6 is raised in minor, 5 towards the major's dominant)."""
        return (diatonic - 5 - 4 * self.key.fifths) % 7

    def _grace(self) -> None:
        figure = self.rng.choices(("eighth", "sixteenth", "quarter", "thirty_second"), (50, 25, 15, 5))[0]
        place = self.place + self.rng.choice((1, 1, 1, -1, 2))
        self.elements.append(Note(self._pitch(place), Duration(figure), grace=True))
        if self.rng.random() < 0.1:
            self.elements.append(Note(self._pitch(place - 1), Duration(figure), grace=True))

    def _multirest(self, bars: bool) -> None:
        one = len(self.elements) > 4 and self.rng.random() < 0.5
        measures = 1 if one else min(60, max(1, round(self.rng.lognormvariate(1.35, 1.0))))
        self.elements.append(MultiRest(measures))
        if bars:
            self.elements.append(Barline())

    def _barline(self) -> None:
        kinds: tuple[BarlineKind, ...] = ("single", "double", "repeat-end")
        self.elements.append(Barline(self.rng.choices(kinds, (985, 7, 6))[0]))

    def _change(
        self, inner: TimeSignature, pulse: Pulse, seen: list[list[int]]
    ) -> tuple[TimeSignature, Pulse, list[list[int]]]:
        """A new meter, key or clef in the middle."""
        match self.rng.choices(("meter", "key", "clef"), (60, 25, 15))[0]:
            case "meter":
                meter = drawn(METER_WEIGHTS, self.rng) or TimeSignature(3, 4)
                self.elements.append(meter)
                return meter, pulse_of(meter, self.rng), []
            case "key":
                self.key = KeySignature(drawn(FIFTHS_WEIGHTS, self.rng))
                self.elements.append(self.key)
            case _:
                old = self.clef.bottom_line_diatonic
                self.clef = drawn(CLEF_WEIGHTS, self.rng)
                self.place = min(self.high, max(self.low, self.place + old - self.clef.bottom_line_diatonic))
                self.elements.append(self.clef)
        return inner, pulse, seen

    def _ended(self, bars: bool) -> list[Element]:
        """The tune as an incipit leaves off: often at a barline, else before it or within the measure."""
        elements = self.elements
        chance = self.rng.random()
        if bars and chance < 0.52 and isinstance(elements[-1], Barline):
            elements.pop()
        if chance < 0.2 and len(elements) > 14:
            del elements[-self.rng.randint(1, 5) :]
        while isinstance(elements[-1], (Clef, KeySignature, TimeSignature)):
            elements.pop()
        if chance > 0.96 and isinstance(elements[-1], Barline):
            elements[-1] = Barline(self.rng.choice(("double", "final", "repeat-end")))
        return elements
