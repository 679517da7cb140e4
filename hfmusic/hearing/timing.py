"""How a reading fits the recording in time: notes on their onsets, and measures that are full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hfmusic.symbolic.score import MultiRest, Note, Rest, TimeSignature
from hfmusic.symbolic.semantic import element_of

_SKIP = 0.5  # what a note without onset, or an onset without note, costs; 1 is the worst fit of a pair
_LOOSE = 0.3  # relative error of an interval that is as bad as none
_REACH = 3  # notes and onsets that may be passed over at once


@dataclass(frozen=True)
class ReadNotes:
    """Notes of a reading that begin to sound: their `tokens` (places) and `quarters` (float, where each begins)."""

    tokens: list[int]
    quarters: np.ndarray


def read_notes(tokens: Sequence[str]) -> ReadNotes:
    """Where the notes of semantic tokens begin; what a tie leads to and grace notes do not.

    >>> read_notes(["clef-G2", "note-C4_quarter", "tie", "note-C4_half", "note-D4_half"])
    ReadNotes(tokens=[1, 4], quarters=array([0., 3.]))
    """
    places, quarters = [], []
    now, measure, tied_from = Fraction(0), Fraction(4), None
    last: int | None = None
    for place, token in enumerate(tokens):
        element = element_of(token)
        if token == "tie":
            tied_from = last
        elif isinstance(element, TimeSignature):
            measure = element.quarters
        elif isinstance(element, MultiRest):
            now += measure * element.measures
            tied_from = last = None
        elif isinstance(element, Rest):
            now += element.quarters
            tied_from = last = None
        elif isinstance(element, Note) and not element.grace:
            if tied_from != element.pitch.midi:
                places.append(place)
                quarters.append(float(now))
            now += element.quarters
            last, tied_from = element.pitch.midi, None
    return ReadNotes(places, np.array(quarters))


def full_measures(tokens: Sequence[str]) -> float | None:
    """Share of the measures between two bar lines that last as long as the meter says; None where there are none."""
    measure, filled, full, count = None, Fraction(0), 0, 0
    first = True
    for token in tokens:
        element = element_of(token)
        if isinstance(element, TimeSignature):
            measure = element.quarters
        elif isinstance(element, Note | Rest):
            filled += element.quarters
        elif token == "barline":
            if not first and measure is not None and filled:
                count += 1
                full += filled == measure
            first, filled = False, Fraction(0)
    return full / count if count else None


@dataclass(frozen=True)
class Fit:
    """How notes lie on onsets.

    Attributes:
        share: 1 where every note has its onset at its time and every onset its note, 0 where nothing fits.
        tempo: quarters a minute of the notes that fit.
        seconds: (notes,) the onset of each note, nan for those without one.
    """

    share: float
    tempo: float
    seconds: np.ndarray


def fit_onsets(quarters: np.ndarray, onsets: np.ndarray, tempo: float) -> Fit:
    """The cheapest monotone assignment of notes to onsets; intervals between neighbours should last as written.

    Args:
        quarters: (notes,) where notes begin, in quarters, increasing.
        onsets: (n,) seconds, increasing.
        tempo: quarters a minute.
    """
    notes, count = len(quarters), len(onsets)
    seconds = np.full(notes, np.nan)
    if not notes or not count:
        return Fit(0.0, tempo, seconds)
    cost, came = _assign(quarters * 60.0 / tempo, onsets)
    ends = cost + _SKIP * (np.arange(notes)[::-1, None] + np.arange(count)[::-1])
    note, onset = np.unravel_index(int(ends.argmin()), ends.shape)
    share = 1.0 - float(ends[note, onset]) / (_SKIP * (notes + count))
    path = [(int(note), int(onset))]
    while came[path[-1]][0] >= 0:
        path.append((int(came[path[-1]][0]), int(came[path[-1]][1])))
    for index, at in path:
        seconds[index] = onsets[at]
    return Fit(max(0.0, share), _tempo_of(path[::-1], quarters, onsets, tempo), seconds)


def _assign(expected: np.ndarray, onsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(notes, onsets) cost of the best path that ends there, and the (note, onset) before, (-1, -1) at the start."""
    notes, count = len(expected), len(onsets)
    cost = _SKIP * (np.arange(notes)[:, None] + np.arange(count)[None, :]).astype(float)
    came = np.full((notes, count, 2), -1)
    for note in range(1, notes):
        for back in range(1, min(_REACH, note) + 1):
            written = max(1e-3, expected[note] - expected[note - back])
            for step in range(1, min(_REACH, count - 1) + 1):
                played = onsets[step:] - onsets[:-step]
                wrong = np.minimum(1.0, np.abs(played / written - 1.0) / _LOOSE)
                total = cost[note - back, :-step] + wrong + _SKIP * (back + step - 2)
                better = np.flatnonzero(total < cost[note, step:])
                cost[note, step + better] = total[better]
                came[note, step + better] = np.stack([np.full(len(better), note - back), better], axis=1)
    return cost, came


def _tempo_of(path: list[tuple[int, int]], quarters: np.ndarray, onsets: np.ndarray, tempo: float) -> float:
    """Over the intervals that last as written, more or less."""
    written = played = 0.0
    for (a, start), (b, end) in zip(path, path[1:], strict=False):
        length, seconds = float(quarters[b] - quarters[a]), float(onsets[end] - onsets[start])
        if length > 0 and abs(seconds * tempo / 60.0 / length - 1.0) < 0.8 * _LOOSE:
            written, played = written + length, played + seconds
    return 60.0 * written / played if played > 0 else tempo
