"""Piano rolls as pictures: the rows that an index of rolls keeps, and what their windows say of each key.

A row is uint8 (128, T), a column a step of the beat grid: the velocity of a key that sounds, 128 more where its note
begins, 0 where it is silent. As a picture it is small, and loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

BEGINS = 128  # added to the velocity of a note's first step
PITCHES = 128

Step = tuple[int, int, int, int]  # onset and offset in steps, MIDI pitch, velocity


def roll_row(notes: Iterable[Step], steps: int | None = None) -> np.ndarray:
    """Notes as a row, uint8 (128, T). A key that is struck again ends its note; a note takes one step at least.

    Args:
        notes: (onset step, offset step, pitch, velocity) each, in any order.
        steps: the row's length; what lies beyond is cut. None: to the end of the last note.

    >>> roll_row([(0, 2, 60, 80), (1, 3, 60, 90)])[60].tolist()
    [208, 218, 90]
    """
    listed = sorted((int(on), max(int(on) + 1, int(off)), int(pitch), int(loud)) for on, off, pitch, loud in notes)
    length = max((end for _, end, _, _ in listed), default=0) if steps is None else steps
    row = np.zeros((PITCHES, length), np.uint8)
    for begin, end, pitch, velocity in listed:
        if end <= 0 or begin >= length:
            continue
        row[pitch, max(0, begin) :] = 0
        row[pitch, max(0, begin) : end] = np.clip(velocity, 1, 127)
        if begin >= 0:
            row[pitch, begin] += BEGINS
    return row


def window_of(row: np.ndarray, start: int, steps: int) -> np.ndarray:
    """Columns `start` to `start + steps` of a row, (128, steps); silence beyond its ends."""
    first, last = max(0, start), min(row.shape[1], start + steps)
    window = np.zeros((PITCHES, steps), row.dtype)
    if first < last:
        window[:, first - start : last - start] = row[:, first:last]
    return window


def velocities(rows: np.ndarray) -> np.ndarray:
    """Of any rows, the velocity of each key at each step: 0 to 127, the same shape."""
    return rows & np.uint8(BEGINS - 1)


def beginnings(rows: np.ndarray) -> np.ndarray:
    """Of any rows, where notes begin: bool, the same shape."""
    return rows >= BEGINS
