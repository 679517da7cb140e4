"""Generated staves for training: most like RISM incipits, some spread evenly over the whole PrIMuS vocabulary.

Training material only, never a test of anything. Each tune depends on nothing but (seed, index), so any slice can
be made alone. The tables of frequencies are of RISM incipits in the train split and of common knowledge.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from hfmusic.symbolic.semantic import in_vocabulary, read_semantic, write_semantic
from hfmusic.symbolic.vocabulary import load_vocabulary

from .rhythms import TICKS, Pulse, durations_of, fill, measure_ticks, pulse_of

if TYPE_CHECKING:
    from .corpora import Tune

FLAT_SHARE = 0.3
_CLEFS = {
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
_FIFTHS = {0: 22, 1: 17, -1: 17, 2: 15, -2: 12, 3: 7, -3: 7, 4: 2, -4: 1.6, 5: 0.4, -5: 0.5, 6: 0.2, -6: 0.2}
_METERS: dict[TimeSignature | None, float] = {
    TimeSignature(4, 4, "C"): 30,
    TimeSignature(2, 2, "C/"): 14,
    TimeSignature(3, 4): 18,
    TimeSignature(2, 4): 13,
    TimeSignature(6, 8): 7,
    TimeSignature(3, 8): 6,
    TimeSignature(3, 2): 3,
    TimeSignature(4, 4): 2,
    TimeSignature(2, 2): 0.7,
    TimeSignature(12, 8): 0.7,
    TimeSignature(9, 8): 0.3,
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


def generated_tunes(n: int, seed: int, *, start: int = 0, flat_share: float = FLAT_SHARE) -> Iterator[Tune]:
    """Yields tunes `start` to `start + n - 1` of the endless list that `seed` names.

    >>> [tune.id for tune in generated_tunes(2, seed=7)]
    ['generated-7-0', 'generated-7-1']
    """
    for index in range(start, start + n):
        yield generated_tune(seed, index, flat_share=flat_share)


def generated_tune(seed: int, index: int, *, flat_share: float = FLAT_SHARE) -> Tune:
    """Tune number `index` of `seed`: writable as PrIMuS semantic and in its vocabulary."""
    from .corpora import Tune

    name = f"generated-{seed}-{index}"
    attempt = 0
    while True:
        rng = random.Random(f"{name}-{attempt}")
        elements = _flat(rng) if rng.random() < flat_share else _Composer(rng).compose()
        score = _beamed(_writable(elements), rng)
        if score.notes and in_vocabulary(write_semantic(score)):
            return Tune(id=name, work=name, score=score, source="generated")
        attempt += 1


def _drawn(table: dict, rng: random.Random):  # type: ignore[type-arg,no-untyped-def]
    return rng.choices(list(table), list(table.values()))[0]


class _Composer:
    """One RISM-like tune: a melody walking over the staff, in rhythms that come back."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clef: Clef = _drawn(_CLEFS, rng)
        self.key = KeySignature(_drawn(_FIFTHS, rng))
        self.meter: TimeSignature | None = _drawn(_METERS, rng)
        self.speed = rng.choices((0, 1, 2), (0.27, 0.43, 0.3))[0]
        self.minor = rng.random() < 0.3
        self.chromatic = rng.choice((0.0, 0.01, 0.02, 0.05, 0.1))
        self.ties = rng.choice((0.0, 0.0, 0.0, 0.05, 0.3))
        self.graces = rng.choice((0.05, 0.1, 0.25)) if rng.random() < 0.09 else 0.0
        self.fermatas = 0.06 if rng.random() < 0.05 else 0.0
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
        goal = min(60, max(7, round(rng.gammavariate(6.0, 4.1))))
        if rng.random() < 0.13:
            self._multirest(bars)
        first, measures = True, 0
        seen: list[list[int]] = []
        pulse = pulse_of(inner, rng)
        while len(elements) < goal or measures < 2 and rng.random() < 0.7:
            length = measure_ticks(inner)
            if first and rng.random() < 0.22 and length > pulse.beat:
                length = pulse.beat * rng.randint(1, max(1, length // pulse.beat - 1))
                if rng.random() < 0.4:
                    length = pulse.unit // 2 if not pulse.compound else pulse.unit
            self._measure(self._rhythm(length, pulse, seen))
            measures, first = measures + 1, False
            if bars:
                self._barline()
            if rng.random() < 0.012:
                inner, pulse, seen = self._change(inner, pulse, seen)
            elif rng.random() < 0.015:
                self._multirest(bars)
        return self._ended(bars)

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
        if length <= TICKS // 4:
            kind = rng.choices(("run", "turn", "triad", "same", "leap"), (52, 16, 14, 12, 6))[0]
        else:
            kind = rng.choices(("run", "turn", "triad", "same", "leap"), (38, 15, 17, 17, 13))[0]
        match kind:
            case "run":
                return rng.randint(1, 6), toward
            case "turn":
                return 1, -toward
            case "triad":
                return rng.randint(1, 3), 2 * toward
            case "same":
                return rng.choice((1, 1, 2, 3)), 0
            case _:
                return 1, toward * rng.choice((3, 3, 4, 4, 5, 7))

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
        elif self.minor and self._degree(diatonic) == 6 and self.rng.random() < 0.6:
            alter += 1
        elif self.rng.random() < self.chromatic:
            alter += 1 if self.rng.random() < 0.65 else -1
        alter = max(-1, min(1, alter))
        self.altered[diatonic] = alter
        return Pitch(pitch.step, alter, pitch.octave)

    def _degree(self, diatonic: int) -> int:
        """Degree 0 to 6 above the tonic of the key's minor (its seventh, 6, is the one raised)."""
        return (diatonic - 5 - 4 * self.key.fifths) % 7

    def _grace(self) -> None:
        figure = self.rng.choices(("eighth", "sixteenth", "quarter", "thirty_second"), (50, 25, 15, 5))[0]
        place = self.place + self.rng.choice((1, 1, 1, -1, 2))
        self.elements.append(Note(self._pitch(place), Duration(figure), grace=True))
        if self.rng.random() < 0.1:
            self.elements.append(Note(self._pitch(place - 1), Duration(figure), grace=True))

    def _multirest(self, bars: bool) -> None:
        measures = min(60, max(1, round(self.rng.lognormvariate(1.7, 1.0))))
        self.elements.append(MultiRest(measures))
        if bars:
            self.elements.append(Barline())

    def _barline(self) -> None:
        kind = self.rng.choices(("single", "double", "repeat-end", "dashed"), (985, 7, 6, 0))[0]
        self.elements.append(Barline(kind))

    def _change(
        self, inner: TimeSignature, pulse: Pulse, seen: list[list[int]]
    ) -> tuple[TimeSignature, Pulse, list[list[int]]]:
        """A new meter, key or clef in the middle."""
        match self.rng.choices(("meter", "key", "clef"), (60, 25, 15))[0]:
            case "meter":
                meter = _drawn(_METERS, self.rng) or TimeSignature(3, 4)
                self.elements.append(meter)
                return meter, pulse_of(meter, self.rng), []
            case "key":
                self.key = KeySignature(_drawn(_FIFTHS, self.rng))
                self.elements.append(self.key)
            case _:
                old = self.clef.bottom_line_diatonic
                self.clef = _drawn(_CLEFS, self.rng)
                self.place = min(self.high, max(self.low, self.place + old - self.clef.bottom_line_diatonic))
                self.elements.append(self.clef)
        return inner, pulse, seen

    def _ended(self, bars: bool) -> list[Element]:
        """The tune as an incipit leaves off: often at a barline, else before it or within the measure."""
        elements = self.elements
        chance = self.rng.random()
        if bars and chance < 0.4 and isinstance(elements[-1], Barline):
            elements.pop()
        if chance < 0.2 and len(elements) > 14:
            del elements[-self.rng.randint(1, 5) :]
        elif chance > 0.96 and isinstance(elements[-1], Barline):
            elements[-1] = Barline(self.rng.choice(("double", "final", "repeat-end")))
        return elements


def _writable(elements: list[Element]) -> Score:
    """A score of the elements, ties that join nothing dropped."""
    for index in range(len(elements) - 1, -1, -1):
        element = elements[index]
        if isinstance(element, Note) and element.tie and not _joins(elements, index):
            elements[index] = replace(element, tie=False)
    return Score(tuple(elements))


def _joins(elements: list[Element], index: int) -> bool:
    for later in elements[index + 1 :]:
        if isinstance(later, (Rest, MultiRest)):
            return False
        if isinstance(later, Note) and not later.grace:
            return True
    return False


@cache
def _tokens_by_kind() -> dict[str, tuple[str, ...]]:
    kinds: dict[str, list[str]] = {}
    for token in load_vocabulary("semantic").tokens:
        kinds.setdefault(token.split("-")[0], []).append(token)
    return {kind: tuple(tokens) for kind, tokens in kinds.items()}


@cache
def _element(token: str) -> Element:
    return read_semantic([token]).elements[0]


@cache
def _fitting(kind: str, clef: Clef, margin: int) -> tuple[Note, ...]:
    """Notes of the vocabulary that stand within `margin` places of the staff under a clef."""
    notes = [_element(token) for token in _tokens_by_kind()[kind]]
    low = clef.bottom_line_diatonic - margin
    return tuple(n for n in notes if isinstance(n, Note) and low <= n.pitch.diatonic <= low + 8 + 2 * margin)


@cache
def _homes() -> dict[Note, tuple[Clef, ...]]:
    """For every note of the vocabulary, the clefs that write it with few ledger lines."""
    clefs = [c for c in map(_element, _tokens_by_kind()["clef"]) if isinstance(c, Clef)]
    homes = {}
    for kind in ("note", "gracenote"):
        for token in _tokens_by_kind()[kind]:
            note = _element(token)
            assert isinstance(note, Note)
            far = {clef: abs(note.pitch.diatonic - clef.bottom_line_diatonic - 4) for clef in clefs}
            near = [clef for clef in clefs if far[clef] <= 9]
            homes[note] = tuple(near or [min(clefs, key=far.__getitem__)])
    return homes


def _flat(rng: random.Random) -> list[Element]:
    """A staff that shows rare signs as often as common ones; its measures need not add up."""
    rare: Note = rng.choice(list(_homes()))
    clef = rng.choice(_homes()[rare])
    if rng.random() < 0.4 and Clef("G", 2) in _homes()[rare]:
        clef = Clef("G", 2)
    kinds = _tokens_by_kind()
    elements: list[Element] = [clef]
    if rng.random() < 0.85:
        elements.append(_element(rng.choice(kinds["keySignature"])))
    if rng.random() < 0.85:
        elements.append(_element(rng.choice(kinds["timeSignature"])))
    body: list[Element] = []
    goal = rng.randint(5, 24)
    margin = rng.choice((1, 3, 5, 6))
    notes, graces = _fitting("note", clef, margin), _fitting("gracenote", clef, margin)
    repeat = rng.choice((0.0, 0.2, 0.4))
    while len(body) < goal:
        chance = rng.random()
        if chance < 0.09:
            body.append(_element(rng.choice(kinds["rest"])))
        elif chance < 0.14 and graces:
            body.append(rng.choice(graces))
        elif chance < 0.17:
            body += [_element(rng.choice(kinds["multirest"])), Barline()]
        elif chance < 0.29 and body and not isinstance(body[-1], Barline):
            body.append(Barline())
        elif chance < 0.30 and body and isinstance(body[-1], Barline):
            body.append(_element(rng.choice(kinds[rng.choice(("keySignature", "timeSignature"))])))
        else:
            body += _flat_note(rng, notes, body, repeat)
    body.insert(rng.randrange(len(body) + 1), rare)
    return elements + body


def _flat_note(rng: random.Random, notes: tuple[Note, ...], body: list[Element], repeat: float) -> list[Element]:
    """One or two notes of the vocabulary; now and then an earlier pitch again, or a tie."""
    note = rng.choice(notes)
    before = [e for e in body[-6:] if isinstance(e, Note)]
    if before and rng.random() < repeat:
        again = replace(note, pitch=rng.choice(before).pitch)
        note = again if again in _homes() else replace(rng.choice(before), tie=False)
    if rng.random() < 0.06 and not note.grace:
        return [replace(note, tie=True), note]
    return [note]


def _beamed(score: Score, rng: random.Random) -> Score:
    """Beams by the meter, or none as in vocal music, or by some other grouping."""
    chance = rng.random()
    if chance < 0.15:
        return score
    if chance < 0.85:
        try:
            from hfmusic.symbolic.beaming import with_beams
        except ImportError:
            return _grouped(score, TICKS)
        return with_beams(score)
    return _grouped(score, rng.choice((TICKS // 2, TICKS, 3 * TICKS // 2, 2 * TICKS, 4 * TICKS)))


def _grouped(score: Score, group: int) -> Score:
    """Beams over notes that start within the same `group` ticks of the measure."""
    elements = list(score.elements)
    run: list[int] = []
    place, window = 0, -1
    for index, element in enumerate([*elements, Barline()]):
        beamable = isinstance(element, Note) and element.duration.flags > 0 and not element.grace
        if isinstance(element, Note) and element.grace:
            continue
        if not beamable or place // group != window:
            _beam(elements, run)
            run, window = [], place // group
        if beamable:
            run.append(index)
        place = 0 if isinstance(element, (Barline, MultiRest)) else place
        if isinstance(element, (Note, Rest)):
            place += int(element.quarters * TICKS)
    return Score(tuple(elements))


def _beam(elements: list[Element], run: list[int]) -> None:
    for index in run if len(run) > 1 else ():
        note = elements[index]
        if isinstance(note, Note):
            elements[index] = replace(
                note, beam="begin" if index == run[0] else "end" if index == run[-1] else "middle"
            )
