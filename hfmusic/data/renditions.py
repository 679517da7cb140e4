"""Notes as somebody else would play them: tempo, key, loudness, an instrument's compass, and pieces cut of them.

All of it works on notes in seconds, before they sound, so that labels stay what is heard. Both of a note's ends go
through it: that of the sound says what is cut and joined, and `PlayedNote.labelled` keeps that of the key within it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from hfmusic.data.note_files import SHORTEST_SECONDS, PlayedNote, by_time

PARTS = ("tempo", "transpose", "velocity", "humanise")
_TEMPO, _STEPS, _LOUDNESS = (0.75, 1.35), 6, (0.6, 1.4)
_SAME_SECONDS = 0.01  # two notes of a key that begin closer are one
_FLAT = 3  # distinct velocities, at most, of labels that nobody played
_LAST_SECONDS = 0.5  # of an excerpt: for its notes to die away
_LEAD_SECONDS = 0.5  # of silence before the first note of an excerpt, at most


@dataclass(frozen=True)
class Rendition:
    """How a whole piece departs from its labels.

    Attributes:
        tempo: factor of the speed.
        transposition: semitones.
        velocity_scale: factor of the velocities.
        humanise: labels of one velocity (scores) are given a player's timing, dynamics, articulation and pedal.
    """

    tempo: float = 1.0
    transposition: int = 0
    velocity_scale: float = 1.0
    humanise: bool = False

    @classmethod
    def sample(cls, rng: np.random.Generator, parts: Collection[str]) -> Self:
        """Draw one; `parts` among `PARTS` vary. What is drawn does not depend on the other parts."""
        tempo, step, loudness = rng.uniform(size=3)
        return cls(
            tempo=round(_between(*_TEMPO, tempo), 4) if "tempo" in parts else 1.0,
            transposition=int(step * (2 * _STEPS + 1)) - _STEPS if "transpose" in parts else 0,
            velocity_scale=round(_between(*_LOUDNESS, loudness), 4) if "velocity" in parts else 1.0,
            humanise="humanise" in parts,
        )

    def of(self, notes: Sequence[PlayedNote], rng: np.random.Generator) -> list[PlayedNote]:
        """The notes of a piece so played; those that leave MIDI's pitches are left out."""
        if self.humanise and len({note.velocity for note in notes}) <= _FLAT:
            notes = humanised(notes, rng)
        played = (
            PlayedNote(
                note.onset_seconds / self.tempo,
                note.offset_seconds / self.tempo,
                note.pitch_midi + self.transposition,
                int(np.clip(round(note.velocity * self.velocity_scale), 1, 127)),
                note.key_seconds / self.tempo,
            )
            for note in notes
        )
        return one_key_at_a_time(note for note in played if 0 <= note.pitch_midi <= 127)


def _between(low: float, high: float, share: float) -> float:
    return float(low * (high / low) ** share)


def one_key_at_a_time(notes: Iterable[PlayedNote]) -> list[PlayedNote]:
    """Notes as one keyboard can play them: a key that is struck again while it sounds is let go first.

    Notes of a key that begin within 10 ms of each other become one, with the louder velocity and the later ends. No
    note is shorter than 10 ms, but for a repetition.

    >>> one_key_at_a_time([PlayedNote(0.0, 2.0, 60, 50, 0.5), PlayedNote(1.0, 1.5, 60, 70, 1.5)])[0].offset_seconds
    1.0
    """
    keys = defaultdict[int, list[PlayedNote]](list)
    for note in by_time(notes):
        note = note._replace(offset_seconds=max(note.offset_seconds, note.onset_seconds + SHORTEST_SECONDS))
        played = keys[note.pitch_midi]
        if played and note.onset_seconds - played[-1].onset_seconds < _SAME_SECONDS:
            played[-1] = _joined(played[-1], note)
            continue
        if played and played[-1].offset_seconds > note.onset_seconds:
            played[-1] = played[-1]._replace(offset_seconds=note.onset_seconds)
        played.append(note)
    return by_time(note for played in keys.values() for note in played)


def _joined(first: PlayedNote, second: PlayedNote) -> PlayedNote:
    return first._replace(
        offset_seconds=max(first.offset_seconds, second.offset_seconds),
        velocity=max(first.velocity, second.velocity),
        key_seconds=max(first.key_seconds, second.key_seconds),
    )


def humanised(notes: Sequence[PlayedNote], rng: np.random.Generator) -> list[PlayedNote]:
    """The notes of a score as a person might play them, drawn.

    Tempo and loudness swell, chords are not quite together, notes are more or less detached, and in half of the pieces
    a pedal is down and changed every second or so: sounds go on until then, keys do not.
    """
    if not notes:
        return []
    times = np.array([(note.onset_seconds, note.offset_seconds, note.key_seconds) for note in notes])
    times = times + _waves(times, rng, slope=0.1)
    onsets = np.maximum(times[:, 0] + rng.normal(0, 0.01, len(notes)), 0)
    shares = rng.uniform(rng.uniform(0.6, 0.9), 1.0, len(notes))
    offsets, keys = (onsets + np.maximum((times[:, end] - times[:, 0]) * shares, 0.03) for end in (1, 2))
    if rng.random() < 0.5:
        lifts = np.cumsum(rng.uniform(0.6, 2.4, int(offsets.max() / 0.6) + 2))
        offsets = lifts[np.searchsorted(lifts, offsets)]
    loudness = rng.uniform(45, 85) + _waves(onsets, rng, height=15.0) + rng.normal(0, 6, len(notes))
    velocities = np.clip(np.round(loudness), 8, 120).astype(int)
    return [
        PlayedNote(float(onset), float(offset), note.pitch_midi, int(velocity), float(key), note.string)
        for note, onset, offset, velocity, key in zip(notes, onsets, offsets, velocities, keys, strict=True)
    ]


def _waves(times: np.ndarray, rng: np.random.Generator, *, height: float = 0.0, slope: float = 0.0) -> np.ndarray:
    """Two slow waves at some times, each drawn up to a height, or up to a slope."""
    waves = np.zeros_like(times)
    for _ in range(2):
        period, phase = rng.uniform(4, 16), rng.uniform(0, 2 * np.pi)
        tallest = height + slope * period / (2 * np.pi)
        waves += rng.uniform(0, tallest) * np.sin(2 * np.pi * times / period + phase)
    return waves


def within(
    notes: Sequence[PlayedNote], compass: tuple[int, int], keys: Collection[int]
) -> tuple[list[PlayedNote], int]:
    """The notes that an instrument has, and the semitones that all were moved by.

    The piece moves by the octaves (three at most, the fewest) that keep most of its notes; the others are left out.

    Args:
        compass: its lowest and highest pitch.
        keys: the pitches at which it sounds.
    """
    pitches = np.array([note.pitch_midi for note in notes], int)
    there = np.zeros(128 + 2 * 36, bool)
    there[[key + 36 for key in keys if compass[0] <= key <= compass[1]]] = True
    kept = {12 * octave: int(there[pitches + 12 * octave + 36].sum()) for octave in (0, -1, 1, -2, 2, -3, 3)}
    shift = max(kept, key=lambda step: kept[step])  # the first of equals: the fewest octaves
    moved = (note._replace(pitch_midi=note.pitch_midi + shift) for note in notes)
    return [note for note in moved if there[note.pitch_midi + 36]], shift


def excerpts(notes: Sequence[PlayedNote], seconds: float | None) -> Iterator[tuple[float, list[PlayedNote]]]:
    """A piece in parts of at most so many seconds: (where it begins in the piece, its notes, timed from there) each.

    Cuts are made where longest no note begins. Notes that sound across a cut end half a second before the part does at
    the latest, and are not in the next one. None: the piece as it is.
    """
    notes = by_time(notes)
    if seconds is None:
        if notes:
            yield 0.0, notes
        return
    onsets = np.array([note.onset_seconds for note in notes])
    end = max((note.offset_seconds for note in notes), default=0.0)
    first = 0
    while first < len(notes):
        before = float(onsets[first - 1]) if first else 0.0
        begin = max(0.0, float(onsets[first]) - min(_LEAD_SECONDS, max(onsets[first] - before, 0.0) / 2))
        limit = begin + seconds - _LAST_SECONDS
        last = len(notes) if end <= limit else _cut(onsets, first, begin + 0.6 * seconds, limit)
        part = notes[first:last]
        yield begin, [_moved(note, begin, limit) for note in part]
        first = last


def _cut(onsets: np.ndarray, first: int, earliest: float, latest: float) -> int:
    """The first note of the next part: after the longest time without a beginning, between two times."""
    after = int(np.searchsorted(onsets, latest))
    lowest = max(int(np.searchsorted(onsets, earliest)), first + 1)
    if after <= lowest:
        return max(after, first + 1)
    candidates = np.arange(lowest, min(after + 1, len(onsets)))
    if not len(candidates):
        return after
    return int(candidates[np.argmax(onsets[candidates] - onsets[candidates - 1])])


def _moved(note: PlayedNote, begin: float, limit: float) -> PlayedNote:
    onset = note.onset_seconds - begin
    offset = max(min(note.offset_seconds, limit) - begin, onset + SHORTEST_SECONDS)
    key = note.key_seconds - begin
    return note._replace(onset_seconds=round(onset, 6), offset_seconds=round(offset, 6), key_seconds=round(key, 6))
