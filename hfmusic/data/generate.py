"""Generated staves for training: most like RISM incipits, some spread evenly over the whole PrIMuS vocabulary.

Training material only, never a test of anything. Each tune depends on nothing but (seed, index), so any slice can
be made alone. The tables of frequencies are of RISM incipits in the train split and of common knowledge.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.score import (
    Barline,
    Beam,
    Element,
    MultiRest,
    Note,
    Rest,
    Score,
)
from hfmusic.symbolic.semantic import in_vocabulary, write_semantic

from .corpora import Tune
from .coverage import flat_staff
from .melody import Composer
from .rhythms import TICKS

FLAT_SHARE = 0.3


def generated_tunes(n: int, seed: int, *, start: int = 0, flat_share: float = FLAT_SHARE) -> Iterator[Tune]:
    """Yields tunes `start` to `start + n - 1` of the endless list that `seed` names.

    >>> [tune.id for tune in generated_tunes(2, seed=7)]
    ['generated-7-0', 'generated-7-1']
    """
    for index in range(start, start + n):
        yield generated_tune(seed, index, flat_share=flat_share)


def generated_tune(seed: int, index: int, *, flat_share: float = FLAT_SHARE) -> Tune:
    """Tune number `index` of `seed`: writable as PrIMuS semantic and in its vocabulary."""
    name = f"generated-{seed}-{index}"
    attempt = 0
    while True:
        rng = random.Random(f"{name}-{attempt}")
        elements = flat_staff(rng) if rng.random() < flat_share else Composer(rng).compose()
        score = rebeamed(joined(elements), rng)
        if score.notes and in_vocabulary(write_semantic(score)):
            return Tune(id=name, work=name, score=score, source="generated")
        attempt += 1


def joined(elements: list[Element]) -> Score:
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


def rebeamed(score: Score, rng: random.Random) -> Score:
    """Beams as RISM's copyists set them: by the beat, by other groups, over melismas only, or not at all."""
    chance, shortest = rng.random(), max((note.duration.flags for note in score.notes if not note.grace), default=0)
    if chance < (0.32 if shortest < 3 else 0.05):
        return score
    if chance < 0.75:
        return _thinned(with_beams(score), rng) if chance > 0.57 else with_beams(score)
    half_beats = rng.choices((1, 2, 3, 4, 6, 8), (12, 25, 5, 42, 11, 5))[0]
    return grouped(score, half_beats * TICKS // 2)


def _thinned(score: Score, rng: random.Random) -> Score:
    """The score with some of its beams taken away, those of eighths above all: one syllable a note."""
    elements = list(score.elements)
    syllabic, melismatic, kept = rng.uniform(0, 0.6), rng.uniform(0.4, 1), True
    for index, element in enumerate(elements):
        if isinstance(element, Note) and element.beam:
            if element.beam == "begin":
                kept = rng.random() < (syllabic if element.duration.flags == 1 else melismatic)
            if not kept:
                elements[index] = replace(element, beam=None)
    return Score(tuple(elements))


def grouped(score: Score, group: int) -> Score:
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
    """Beams the notes at `run`; grace notes between them are within the beam."""
    for index in range(run[0], run[-1] + 1) if len(run) > 1 else ():
        note = elements[index]
        if isinstance(note, Note):
            place: Beam = "begin" if index == run[0] else "end" if index == run[-1] else "middle"
            elements[index] = replace(note, beam=place)
