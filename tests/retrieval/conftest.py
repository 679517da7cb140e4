"""Sheets that are made by hand: their pictures tell a stand-in for a model which note is where."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.render.sheet import Measure, Sheet, SheetNote, System


def plain_sheet(pitches: list[int], *, seconds: float = 0.5, a_system: int = 16) -> Sheet:
    """A quarter a note, four a measure, `a_system` a line; below each notehead a bar as grey as its pitch class."""
    systems, notes, measures = [], [], []
    count = -(-len(pitches) // a_system)
    page = np.full((60 + 120 * count, 835), 255, np.uint8)
    for system in range(count):
        systems.append(System(0, 35, 40 + 120 * system, 800, 80 + 120 * system))
    step = 760 / a_system
    for number, pitch in enumerate(pitches):
        system, place = divmod(number, a_system)
        x, y = 40 + step * (place + 0.5), 60.0 + 120 * system
        onset = number * seconds
        notes.append(SheetNote(0, system, x, y, pitch, 1, float(number), onset, onset + seconds))
        page[int(y) - 20 : int(y) + 20, int(x - step / 2) : int(x + step / 2)] = 10 + 20 * (pitch % 12)
        if number % 4 == 0:
            measures.append(Measure(str(number // 4 + 1), 0, system, x - step / 2, float(number), onset, 4.0))
    return Sheet((page,), tuple(systems), tuple(notes), tuple(measures), "Plain", "Nobody")


@pytest.fixture
def melody() -> list[int]:
    """64 notes."""
    rng = np.random.default_rng(7)
    return rng.integers(60, 84, 64).tolist()
