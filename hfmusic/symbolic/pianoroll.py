"""Piano rolls: which of the 128 MIDI pitches sounds at each tick."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from .midi import sounding_notes
from .midi_notation import score_of_events
from .score import Score

SOUNDING, BEGINNING = 1, 2


def write_pianoroll(score: Score, ticks_per_quarter: int = 24) -> npt.NDArray[np.uint8]:
    """A piano roll, uint8 (128, T): 2 where a note begins, 1 while it sounds on, else 0 (`roll > 0` is the plain roll).

    Ties are merged and grace notes left out, as in MIDI. T is the score's length; times are rounded to ticks, and a
    note takes one tick at least: 24 a quarter hold 32nd notes and triplet 16ths exactly.

    >>> from .semantic import read_semantic
    >>> write_pianoroll(read_semantic("note-C4_quarter note-C4_eighth rest-eighth"), 2)[60].tolist()
    [2, 1, 2, 0]
    """
    if ticks_per_quarter < 1:
        raise ValueError(f"ticks_per_quarter must be 1 or more, got {ticks_per_quarter}")
    spans = []
    for onset, offset, pitch in sounding_notes(score):
        start = round(onset * ticks_per_quarter)
        spans.append((start, max(start + 1, round(offset * ticks_per_quarter)), pitch))
    length = max([round(score.quarters * ticks_per_quarter), *(end for _, end, _ in spans)])
    roll = np.zeros((128, length), dtype=np.uint8)
    for start, end, pitch in spans:
        roll[pitch, start] = BEGINNING
        roll[pitch, start + 1 : end] = SOUNDING
    return roll


def read_pianoroll(roll: npt.ArrayLike, ticks_per_quarter: int = 24) -> Score:
    """A score of a roll of one voice, in C major without a meter. See `midi.read_midi` for how it is notated.

    A plain roll (0 and 1) reads as well: there a note repeated without a gap is one note.

    Args:
        roll: integers (128, T), as `write_pianoroll` gives.

    Raises:
        ValueError: an array of another shape or other values.
        NotationError: "chord" where two pitches sound at once, "rhythm" for a time that is no multiple of a 128th note.
    """
    cells = np.asarray(roll)
    if cells.ndim != 2 or cells.shape[0] != 128:
        raise ValueError(f"a piano roll of shape (128, T) wanted, got {cells.shape}")
    if cells.size and (cells.min() < 0 or cells.max() > BEGINNING):
        raise ValueError(f"a piano roll holds 0, 1 and 2, got {cells.min()} to {cells.max()}")
    before = np.pad(cells, ((0, 0), (1, 0)))[:, :-1]
    after = np.pad(cells, ((0, 0), (0, 1)))[:, 1:]
    begins = (cells == BEGINNING) | ((cells == SOUNDING) & (before == 0))
    ends = (cells > 0) & ((after == 0) | (after == BEGINNING))
    spans = []
    for pitch in np.flatnonzero(begins.any(axis=1)):
        starts, stops = np.flatnonzero(begins[pitch]), np.flatnonzero(ends[pitch]) + 1
        spans += [(int(start), int(stop), int(pitch)) for start, stop in zip(starts, stops, strict=True)]
    events = [
        (Fraction(start, ticks_per_quarter), Fraction(stop, ticks_per_quarter), pitch)
        for start, stop, pitch in sorted(spans)
    ]
    return score_of_events(events, end=Fraction(cells.shape[1], ticks_per_quarter))
