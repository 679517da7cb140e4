"""Precision, recall and F1 of transcribed notes, by frames and by notes, as mir_eval 0.8 defines them.

- frame: the pitches that sound in each frame (`mir_eval.multipitch`). A note sounds in the frames round(onset / frame)
  to round(offset / frame) without the last, and in one at least, as in paper 001's labels.
- note: a pitch with its onset within 50 ms (`mir_eval.transcription`, `offset_ratio=None`).
- note_offset: its offset also within 50 ms or a fifth of the reference's duration, whichever is more.
- note_velocity, note_offset_velocity: the same notes, their velocities also within 0.1 of the reference's range, after
  the line that fits the matched velocities best (`mir_eval.transcription_velocity`; Hawthorne et al. 2018). Where the
  reference has one velocity throughout, as labels without velocities have, these equal the scores without it.

Deviations from mir_eval, each tested:

- Nothing to find and nothing found is 1.0 (mir_eval: 0.0, with a warning); one of the two empty is 0.0 in both.
- Notes of no length count as notes (mir_eval refuses them).
- Pitches are whole MIDI numbers, two of which are never within 50 cents. So notes are matched pitch by pitch and frames
  counted in an array: the same numbers in a small part of the memory and time, and for every MIDI pitch (mir_eval's
  frames take 20 to 5,000 Hz).

A note that occurs twice counts twice; its pitch sounds once.
This file stands alone: it travels with the metric's Space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import mir_eval
import numpy as np

MEASURES = ("precision", "recall", "f1")
LEVELS = ("frame", "note", "note_velocity", "note_offset", "note_offset_velocity")
PITCHES = 128
LATEST = 30000.0  # seconds, mir_eval's own limit: beyond it are samples or milliseconds
_VELOCITY_TOLERANCE = 0.1
_SHORTEST = 1e-6  # seconds: mir_eval refuses notes of no length, and rounds to 1e-4

Pairs = list[tuple[int, int]]  # places of a reference and of an estimate that match


class NoteLike(Protocol):
    """Anything with the four fields of a note: times in seconds, a MIDI pitch 0..127, a velocity 0..127."""

    @property
    def onset_seconds(self) -> float: ...
    @property
    def offset_seconds(self) -> float: ...
    @property
    def pitch_midi(self) -> int: ...
    @property
    def velocity(self) -> int: ...


def note_scores(
    references: Sequence[NoteLike], estimates: Sequence[NoteLike], *, frame_seconds: float = 0.032
) -> dict[str, float]:
    """Scores of one recording: LEVEL_precision, LEVEL_recall and LEVEL_f1 of each of `LEVELS`, 0..1.

    Args:
        references, estimates: notes in any order.
        frame_seconds: of the frames; 32 ms in paper 001.

    Raises:
        ValueError: a note that ends before it begins, is no MIDI note, or is later than `LATEST`; or no frame length.

    >>> from collections import namedtuple
    >>> Note = namedtuple("Note", "onset_seconds offset_seconds pitch_midi velocity")
    >>> scores = note_scores([Note(0, 1, 60, 64), Note(1, 2, 62, 64)], [Note(0.04, 0.5, 60, 80)])
    >>> scores["note_precision"], scores["note_recall"], scores["note_offset_f1"]
    (1.0, 0.5, 0.0)
    """
    if not 0 < frame_seconds < LATEST:
        raise ValueError(f"frame_seconds must be positive, got {frame_seconds}")
    reference, estimate = _table(references, "reference"), _table(estimates, "estimate")
    scores = _measures("frame", *_frame_counts(reference, estimate, frame_seconds))
    for level, offset_ratio in (("note", None), ("note_offset", 0.2)):
        pairs = _matched(reference, estimate, offset_ratio)
        loud = _of_like_velocity(pairs, reference, estimate)
        scores |= _measures(level, len(pairs), len(reference), len(estimate))
        scores |= _measures(f"{level}_velocity", loud, len(reference), len(estimate))
    return scores


def mean_scores(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean over recordings of each score, every recording counting alike (as paper 001 does).

    Raises:
        ValueError: no recordings, or scores of other names.
    """
    if not scores:
        raise ValueError("a mean needs the scores of at least one recording, got none")
    if any(one.keys() != scores[0].keys() for one in scores):
        raise ValueError("a mean needs the same scores of each recording")
    return {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}


def _table(notes: Sequence[NoteLike], name: str) -> np.ndarray:
    """Float64 (n, 4): onset, offset, pitch, velocity."""
    rows = [(note.onset_seconds, note.offset_seconds, note.pitch_midi, note.velocity) for note in notes]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    onset, offset, pitch, velocity = table.T
    wrong = {
        "times must be finite, 0 or later and at most 30,000 seconds": ~(
            (onset >= 0) & (onset <= LATEST) & (np.abs(offset) <= LATEST)
        ),
        "a note must not end before it begins": offset < onset,
        "pitches must be whole MIDI numbers from 0 to 127": (pitch % 1 != 0) | (pitch < 0) | (pitch >= PITCHES),
        "velocities must be from 0 to 127": ~((velocity >= 0) & (velocity < 128)),
    }
    for rule, found in wrong.items():
        if found.any():
            place = int(np.argmax(found))
            raise ValueError(f"{name} note {place}: {rule}, got {tuple(float(value) for value in rows[place])}")
    table[:, 1] = np.maximum(offset, onset + _SHORTEST)
    return table


def _measures(level: str, hits: int, wanted: int, found: int) -> dict[str, float]:
    """Scores of counts: right ones, those of the reference, those of the estimate."""
    if not wanted and not found:
        values = (1.0, 1.0, 1.0)
    else:
        values = (hits / found if found else 0.0, hits / wanted if wanted else 0.0, 2 * hits / (wanted + found))
    return {f"{level}_{measure}": value for measure, value in zip(MEASURES, values, strict=True)}


def _frame_counts(reference: np.ndarray, estimate: np.ndarray, frame_seconds: float) -> tuple[int, int, int]:
    """Pitches in frames: in both, in the reference, in the estimate."""
    spans = [_frames(table, frame_seconds) for table in (reference, estimate)]
    length = max(int(last.max(initial=0)) for _, last in spans)
    rolls = []
    for table, (first, last) in zip((reference, estimate), spans, strict=True):
        roll = np.zeros((PITCHES, length), dtype=bool)
        for pitch, begin, end in zip(table[:, 2].astype(int), first, last, strict=True):
            roll[pitch, begin:end] = True
        rolls.append(roll)
    return int((rolls[0] & rolls[1]).sum()), int(rolls[0].sum()), int(rolls[1].sum())


def _frames(table: np.ndarray, frame_seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """First frame of each note, and the one after its last."""
    first = np.round(table[:, 0] / frame_seconds).astype(np.int64)
    return first, np.maximum(first + 1, np.round(table[:, 1] / frame_seconds).astype(np.int64))


def _matched(reference: np.ndarray, estimate: np.ndarray, offset_ratio: float | None) -> Pairs:
    """The most notes that match one to one."""
    pairs: Pairs = []
    for pitch in np.intersect1d(reference[:, 2], estimate[:, 2]):
        here, there = (np.flatnonzero(table[:, 2] == pitch) for table in (reference, estimate))
        hertz = [np.full(len(places), mir_eval.util.midi_to_hz(pitch)) for places in (here, there)]
        found = mir_eval.transcription.match_notes(
            reference[here, :2], hertz[0], estimate[there, :2], hertz[1], offset_ratio=offset_ratio
        )
        pairs += [(int(here[one]), int(there[other])) for one, other in found]
    return pairs


def _of_like_velocity(pairs: Pairs, reference: np.ndarray, estimate: np.ndarray) -> int:
    """How many matched notes have the reference's velocity, as `mir_eval.transcription_velocity.match_notes` has it."""
    if not pairs:
        return 0
    places = np.array(pairs)
    lowest, highest = reference[:, 3].min(), reference[:, 3].max()
    wanted = (reference[places[:, 0], 3] - lowest) / max(1.0, highest - lowest)
    found = np.stack([estimate[places[:, 1], 3], np.ones(len(places))], axis=1)
    line = np.linalg.lstsq(found, wanted, rcond=None)[0]
    return int((np.abs(found @ line - wanted) < _VELOCITY_TOLERANCE).sum())
