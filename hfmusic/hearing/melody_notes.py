"""The notes of a melody when they were played, for a table or a picture."""

from __future__ import annotations

import numpy as np

from hfmusic.hearing.timing import fit_onsets
from hfmusic.symbolic.midi import sounding_notes
from hfmusic.symbolic.performance import PerformedNote
from hfmusic.symbolic.score import Score


def melody_notes(score: Score, tempo: float, onsets: np.ndarray) -> tuple[PerformedNote, ...]:
    """The score's notes on the onsets of its recording; where a model tells a token is often a note later.

    Notes without an onset lie between those that have one as written, and so do the ends of notes.

    Args:
        tempo: quarters a minute.
        onsets: (n,) seconds, increasing, as `hfmusic.hearing.onsets` finds them.

    >>> from hfmusic.symbolic.semantic import read_semantic
    >>> tune = read_semantic("note-C4_quarter tie note-C4_quarter rest-quarter note-D4_quarter")
    >>> [tuple(note)[:3] for note in melody_notes(tune, 120.0, np.array([0.5, 2.0]))]
    [(0.5, 1.5, 60), (2.0, 2.5, 62)]
    """
    notes = sounding_notes(score)
    if not notes:
        return ()
    begins, ends = (np.array([float(note[side]) for note in notes]) for side in (0, 1))
    fit = fit_onsets(begins, onsets, tempo)
    known = ~np.isnan(fit.seconds)
    quarters, seconds = (begins[known], fit.seconds[known]) if known.any() else (begins[:1], np.zeros(1))
    starts, stops = (_played(places, quarters, seconds, 60.0 / fit.tempo) for places in (begins, ends))
    rows = zip(starts.tolist(), stops.tolist(), notes, strict=True)
    return tuple(PerformedNote(max(0.0, start), max(0.0, stop), note[2]) for start, stop, note in rows)


def _played(places: np.ndarray, quarters: np.ndarray, seconds: np.ndarray, pace: float) -> np.ndarray:
    """When places of the score are played: between known ones, and beyond them at `pace` seconds a quarter."""
    before, after = np.minimum(places - quarters[0], 0.0), np.maximum(places - quarters[-1], 0.0)
    return np.asarray(np.interp(places, quarters, seconds) + pace * (before + after))
