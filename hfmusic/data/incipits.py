"""Whole melodies into incipits as RISM's are, and which melodies are one work."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.score import Barline, Clef, Element, KeySignature, MultiRest, Note, Rest, Score, TimeSignature

if TYPE_CHECKING:
    from .corpora import Tune

# RISM's and PrIMuS's incipits: 8 to 29 notes, median 16; 45 % end with a barline.
FEWEST, SHORTEST_AIM, LONGEST_AIM, MOST = 6, 9, 24, 34
ENDS_WITH_BARLINE = 0.45
# Two melodies with this many equal intervals from the start of one of their first measures are taken for one work.
SAME_INTERVALS, MEASURES_COMPARED = 12, 4


def incipits(score: Score, name: str, *, most: int = 3) -> list[Score]:
    """Cuts a melody into incipits: whole measures up to a number of notes that `name` draws, the signs in force first.

    Source beams that the cut leaves whole are kept; a melody without beams gets them by meter. Long rests between are
    left out, and trills, which PrIMuS has no token for. The same `name` always gives the same cuts.
    """
    signs: dict[type, Element] = {}
    result: list[Score] = []
    taken: list[Element] = []
    for measure in [*measures(score), None]:
        aim = SHORTEST_AIM + int(chance(f"{name}|{len(result)}|aim") * (LONGEST_AIM - SHORTEST_AIM + 1))
        if measure is not None and not (not taken and not _notes(measure)):
            if not taken:
                taken = [signs[kind] for kind in (Clef, KeySignature, TimeSignature) if kind in signs]
                taken = _without_repeated_signs(taken, measure)
            taken += measure
        if taken and (measure is None or _notes(taken) >= aim):
            if FEWEST <= _notes(taken) <= MOST:
                result.append(_finished(taken, f"{name}|{len(result)}"))
            taken = []
        for element in measure or ():
            if isinstance(element, (Clef, KeySignature, TimeSignature)):
                signs[type(element)] = element
        if len(result) == most:
            break
    return result


def measures(score: Score) -> Iterator[list[Element]]:
    """The elements of each measure with the barline that ends it."""
    measure: list[Element] = []
    for element in score.elements:
        measure.append(element)
        if isinstance(element, Barline):
            yield measure
            measure = []
    if measure:
        yield measure


def _notes(elements: Iterable[Element]) -> int:
    return sum(isinstance(element, Note) for element in elements)


def _without_repeated_signs(signs: list[Element], measure: list[Element]) -> list[Element]:
    """`signs` less those that the measure itself begins with anew; no sign stands for a key of no accidentals."""
    opening = []
    for element in measure:
        if not isinstance(element, (Clef, KeySignature, TimeSignature)):
            break
        opening.append(type(element))
    return [s for s in signs if type(s) not in opening and not (isinstance(s, KeySignature) and s.fifths == 0)]


def _finished(taken: list[Element], name: str) -> Score:
    elements = list(taken)
    last = elements[-1]
    plain_bar = isinstance(last, Barline) and last.kind == "single"
    if plain_bar and chance(f"{name}|end") >= ENDS_WITH_BARLINE:
        elements.pop()
    for index in range(len(elements) - 1, -1, -1):
        element = elements[index]
        if isinstance(element, (Rest, MultiRest)):
            break
        if isinstance(element, Note):
            elements[index] = replace(element, tie=False)
            break
    return with_beams(Score(tuple(elements)).without("trill"))


def chance(text: str) -> float:
    """A number in [0, 1) that `text` decides."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def melody_keys(score: Score) -> set[str]:
    """What tells a melody again in any key and rhythm: its intervals from the start of each of the first measures.

    Empty for a melody too short to be told.
    """
    pitches: list[int] = []
    starts: list[int] = []
    tied = False
    at_start = True
    for element in score.elements:
        if isinstance(element, (Barline, MultiRest)):
            at_start = True
        elif isinstance(element, Note) and not element.grace:
            if not tied:
                if at_start and len(starts) < MEASURES_COMPARED:
                    starts.append(len(pitches))
                pitches.append(element.pitch.midi)
            at_start, tied = False, element.tie
    steps = [later - earlier for earlier, later in zip(pitches, pitches[1:], strict=False)]
    runs = [tuple(steps[start : start + SAME_INTERVALS]) for start in starts]
    # A run of one repeated note, or of a single pattern, is no melody to be told by.
    return {",".join(map(str, run)) for run in runs if len(run) == SAME_INTERVALS and len(set(run)) > 3}


def with_shared_works(tunes: Iterable[Tune]) -> list[Tune]:
    """The tunes, those of one melody under one work: the name that sorts first. Order and everything else stay.

    Catalogues and songbooks hold a melody many times over; a split by source alone would test on what it trained on.
    """
    tunes = list(tunes)
    parent: dict[str, str] = {tune.work: tune.work for tune in tunes}

    def root(work: str) -> str:
        while parent[work] != work:
            parent[work] = parent[parent[work]]
            work = parent[work]
        return work

    owner: dict[str, str] = {}
    for tune in tunes:
        for key in sorted(melody_keys(tune.score)):
            first, second = sorted((root(owner.setdefault(key, tune.work)), root(tune.work)))
            parent[second] = first
    return [replace(tune, work=root(tune.work)) for tune in tunes]
