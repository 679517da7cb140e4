from __future__ import annotations

import numpy as np
import pytest

from hfmusic.render.engrave import engrave
from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Duration,
    KeySignature,
    MultiRest,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)


def random_score(rng: np.random.Generator, bars: int = 4) -> Score:
    """A staff in 4/4 with notes inside and outside the lines, beams, rests, ties, accidentals and fermatas."""
    elements: list = [Clef("GCF"[rng.integers(3)], 3), KeySignature(int(rng.integers(-4, 5))), TimeSignature(4, 4, "C")]
    middle = elements[0].bottom_line_diatonic + 4
    if rng.random() < 0.3:
        elements += [MultiRest(int(rng.integers(2, 30))), Barline()]
    for _ in range(bars):
        for _ in range(4):
            pitch = Pitch.from_diatonic(middle + int(rng.integers(-7, 8)), int(rng.integers(-1, 2)))
            draw = rng.random()
            if draw < 0.15:
                elements.append(Rest(Duration("quarter")))
            elif draw < 0.5:
                eighth = Duration("eighth")
                elements += [Note(pitch, eighth, beam="begin"), Note(pitch, eighth, beam="end")]
            else:
                elements.append(Note(pitch, Duration("quarter"), fermata=bool(draw > 0.95)))
        elements.append(Barline())
    return Score(tuple(elements))


@pytest.fixture(scope="session")
def staves() -> list[np.ndarray]:
    """Twenty clean staves in PrIMuS's geometry."""
    rng = np.random.default_rng(7)
    return [engrave(random_score(rng)) for _ in range(20)]
