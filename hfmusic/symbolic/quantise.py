"""Played notes into written ones: on a grid of sixteenths or triplets of each beat, in hands, one chord after another.

A score of what was played must be read, so it says less than MIDI does: a hand's chord lasts until its next one at
most, as the pedal and the fingers hold notes for longer than anyone would write.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from .performance import Beats, NoteLike

_SIXTEENTHS, _TRIPLETS = 4, 3  # parts of a beat
_BETTER = 0.5  # triplets are written where they are this much nearer to what was played
_NEAR = 0.09  # beats from a third, for a note that tells of triplets
_SHORT_REST = Fraction(1, 2)  # beats; shorter ones are not written, the note before is held
_SPLIT = 60  # middle C parts the hands
_REACH = 14  # semitones that one hand holds
_HIGH, _LOW = 55, 65  # the lowest note of music for one treble staff, and the highest for one bass staff


class Chord(NamedTuple):
    """Notes of one staff that begin and end together: quarters from the first measure's beginning, MIDI pitches."""

    onset: Fraction
    offset: Fraction
    pitches: tuple[int, ...]


class Written(NamedTuple):
    """Music to engrave: the chords of each staff, high one first, `measure` quarters in a measure, its key.

    Attributes:
        fifths: sharps (or flats, below 0) of the key signature.
    """

    staves: tuple[tuple[Chord, ...], ...]
    measure: int
    fifths: int

    @property
    def end(self) -> Fraction:
        """Quarters, whole measures."""
        last = max([chord.offset for staff in self.staves for chord in staff], default=Fraction(0))
        return Fraction(max(1, -(-last // self.measure)) * self.measure)


def quantised(notes: Iterable[NoteLike], beats: Beats, *, staves: int | None = None) -> Written:
    """Notes as they may be written down.

    Args:
        notes: in seconds, in any order.
        beats: a measure begins with each `meter` of them; what comes before the first whole one is a pickup.
        staves: 1 or 2; None: two where the notes need two clefs.
    """
    played = sorted(notes, key=lambda note: (note.onset_seconds, note.pitch_midi))
    shift = (beats.meter - beats.upbeat) % beats.meter
    placed = _placed(played, beats, shift)
    pitches = [pitch for _, _, pitch in placed]
    two = staves == 2 if staves else bool(pitches) and min(pitches) < _HIGH and max(pitches) > _LOW
    hands = _hands(placed) if two else [placed]
    written = tuple(tuple(_chords(hand)) for hand in hands)
    return Written(_from_whole_measures(written, beats.meter), beats.meter, key_of(played))


def _placed(played: Sequence[NoteLike], beats: Beats, shift: int) -> list[tuple[Fraction, Fraction, int]]:
    """(onset, offset, pitch) in quarters on the grid, by onset; of notes in one place the longest."""
    begins = beats.quarters(np.array([note.onset_seconds for note in played], dtype=float)) + shift
    ends = beats.quarters(np.array([note.offset_seconds for note in played], dtype=float)) + shift
    parts = _parts_of_beats(begins)
    longest: dict[tuple[Fraction, int], Fraction] = {}
    for begin, end, note in zip(begins, ends, played, strict=True):
        onset = _on_grid(float(begin), parts)
        step = Fraction(1, parts.get(int(onset // 1), _SIXTEENTHS))
        offset = max(onset + step, _on_grid(float(end), parts))
        place = (onset, note.pitch_midi)
        longest[place] = max(longest.get(place, offset), offset)
    return sorted((onset, offset, pitch) for (onset, pitch), offset in longest.items())


def _parts_of_beats(begins: np.ndarray) -> dict[int, int]:
    """Beats that are written in triplets, and their three parts."""
    found: dict[int, int] = {}
    numbers = np.floor(begins + 1e-9).astype(int)
    for beat in np.unique(numbers).tolist():
        inside = begins[numbers == beat] - beat
        thirds = np.unique(np.round(inside[np.abs(inside * 3 - np.round(inside * 3)) < 3 * _NEAR] * 3))
        error = {parts: np.abs(inside * parts - np.round(inside * parts)).mean() / parts for parts in (3, 4)}
        if {1.0, 2.0} <= set(thirds.tolist()) and error[_TRIPLETS] < _BETTER * error[_SIXTEENTHS]:
            found[beat] = _TRIPLETS
    return found


def _on_grid(quarters: float, parts: dict[int, int]) -> Fraction:
    beat = int(np.floor(quarters + 1e-9))
    count = parts.get(beat, _SIXTEENTHS)
    return beat + Fraction(round((quarters - beat) * count), count)


def _hands(placed: Sequence[tuple[Fraction, Fraction, int]]) -> list[list[tuple[Fraction, Fraction, int]]]:
    """Right and left. Middle C parts them, but what one hand can hold is not torn where the other has nothing."""
    right, left = [], []
    groups: dict[Fraction, list[tuple[Fraction, Fraction, int]]] = {}
    for note in placed:
        groups.setdefault(note[0], []).append(note)
    for group in groups.values():
        pitches = [pitch for _, _, pitch in group]
        split = _SPLIT
        if len(pitches) > 1 and max(pitches) - min(pitches) <= _REACH and min(pitches) < _SPLIT <= max(pitches):
            split = 0 if sum(pitches) / len(pitches) >= _SPLIT else 128
        right += [note for note in group if note[2] >= split]
        left += [note for note in group if note[2] < split]
    return [right, left]


def _chords(notes: Sequence[tuple[Fraction, Fraction, int]]) -> list[Chord]:
    """One after another. Rests shorter than half a beat are given to the note before."""
    by_onset: dict[Fraction, list[tuple[Fraction, int]]] = {}
    for onset, offset, pitch in notes:
        by_onset.setdefault(onset, []).append((offset, pitch))
    onsets = sorted(by_onset)
    chords = []
    for onset, limit in zip_longest(onsets, onsets[1:]):
        end = _tidy_end(onset, max(offset for offset, _ in by_onset[onset]))
        if limit is not None and (end > limit or limit - end < _SHORT_REST):
            end = limit
        chords.append(Chord(onset, end, tuple(sorted(pitch for _, pitch in by_onset[onset]))))
    return chords


def _tidy_end(onset: Fraction, offset: Fraction) -> Fraction:
    """Half a beat that a note ends on: the nearest, for a short note the next. Among triplets it ends where it does."""
    if onset.denominator == _TRIPLETS or offset.denominator == _TRIPLETS:
        return offset
    return Fraction(round(offset * 2) if offset - onset >= 1 else math.ceil(offset * 2), 2)


def _from_whole_measures(staves: tuple[tuple[Chord, ...], ...], measure: int) -> tuple[tuple[Chord, ...], ...]:
    """Without the empty measures before the first note."""
    first = min([chord.onset for staff in staves for chord in staff], default=Fraction(0))
    shift = first // measure * measure
    return tuple(tuple(Chord(c.onset - shift, c.offset - shift, c.pitches) for c in staff) for staff in staves)


# Krumhansl and Kessler (1982): how well each semitone above the tonic fits a major and a minor key.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def key_of(notes: Iterable[NoteLike]) -> int:
    """Sharps of the key signature, -5 to 6, that fits the notes best, each by how long it lasts (up to a second).

    >>> from .performance import PerformedNote
    >>> key_of([PerformedNote(step, step + 1, 62 + pitch) for step, pitch in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 0))])
    2
    """
    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch_midi % 12] += 0.1 + min(1.0, max(0.0, note.offset_seconds - note.onset_seconds))
    if not weights.any():
        return 0
    fits: dict[int, float] = {}
    for tonic in range(12):
        for profile, relative in ((_MAJOR, tonic), (_MINOR, tonic + 3)):
            fifths = (relative * 7 + 5) % 12 - 5
            fit = float(np.corrcoef(weights, np.roll(profile, tonic))[0, 1]) if weights.std() else 0.0
            fits[fifths] = max(fits.get(fifths, -1.0), fit)
    return max(fits, key=lambda fifths: (fits[fifths], -abs(fifths)))


_STEPS = ("F", "C", "G", "D", "A", "E", "B")


def spelled(pitch_midi: int, fifths: int) -> str:
    """The name of a pitch in a key as music21 has it: sharps "#", flats "-".

    >>> spelled(70, -1), spelled(70, 5), spelled(60, 0), spelled(71, -7)
    ('B-4', 'A#4', 'C4', 'C-5')
    """
    place = (pitch_midi * 7) % 12  # on the line of fifths, C = 0
    lowest = fifths - 3
    place = lowest + (place - lowest) % 12
    step, alter = _STEPS[(place + 1) % 7], (place + 1) // 7
    octave = (pitch_midi - alter) // 12 - 1
    return f"{step}{'#' * alter if alter > 0 else '-' * -alter}{octave}"


def pieces(start: Fraction, end: Fraction, measure: int, *, rest: bool = False) -> list[Fraction]:
    """Lengths in quarters that a note from `start` to `end` is written with, tied: within measures, beats kept clear.

    A rest is no syncope.

    >>> [str(piece) for piece in pieces(Fraction(7, 2), Fraction(6), 4)]
    ['1/2', '2']
    """
    lengths = []
    while start < end:
        stop = min(end, Fraction((start // measure + 1) * measure))
        piece = _piece(start % 1, stop - start, rest)
        lengths.append(piece)
        start += piece
    return lengths


def _piece(inside: Fraction, left: Fraction, rest: bool) -> Fraction:
    """The first length that is written of `left` quarters, `inside` a beat."""
    if inside == 0:
        if left in (Fraction(3, 2), Fraction(7, 2)):
            return left if left < 2 else Fraction(3)
        return Fraction(min(4, left // 1)) if left >= 1 else left
    if not rest and inside == Fraction(1, 2) and left in (1, Fraction(3, 2)):
        return Fraction(1)  # a syncope
    return min(left, 1 - inside)
