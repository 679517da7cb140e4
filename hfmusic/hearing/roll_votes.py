"""Piano rolls of overlapping windows, put together: each says what it takes each key to do, and counts by weight.

Used by both ways of transcribing through the space of audio and rolls: rolls that were looked up, and decoded ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hfmusic.models.note_decoding import KEYS, LOWEST, DecodingOptions, decode_notes
from hfmusic.symbolic.performance import PerformedNote, untangled

_TRIANGLE = (0.5, 1.0, 0.5)  # of an onset over its neighbours, as `decode_notes` has them
_NO_OFFSETS = 1.5  # threshold: rolls say where a key is silent, not where a note ends


class RollVotes:
    """What windows say of each of `steps` steps.

    Args:
        steps: how many the grid has.
    """

    def __init__(self, steps: int) -> None:
        self._frame, self._onset, self._loud = (np.zeros((steps, KEYS), np.float32) for _ in range(3))
        self._weight = np.zeros(steps, np.float32)

    def add(
        self,
        start: int,
        frame: np.ndarray,
        onset: np.ndarray,
        velocity: np.ndarray,
        weight: float | np.ndarray = 1.0,
    ) -> None:
        """What a window says that begins at step `start`, which may lie before the grid.

        Args:
            frame, onset: (128, steps) in 0..1, that a key sounds, and that its note begins.
            velocity: (128, steps) in 0..127, of notes that begin there.
            weight: how much it counts, or (steps,) how much each of its steps does.
        """
        first, last = max(0, -start), min(frame.shape[1], len(self._weight) - start)
        if first >= last:
            return
        keys, here, there = slice(LOWEST, LOWEST + KEYS), slice(first, last), slice(start + first, start + last)
        counts = np.broadcast_to(np.asarray(weight, np.float32), frame.shape[1:])[here]
        began = counts[:, None] * onset[keys, here].T
        self._frame[there] += counts[:, None] * frame[keys, here].T
        self._onset[there] += began
        self._loud[there] += began * velocity[keys, here].T
        self._weight[there] += counts

    def maps(self) -> dict[str, np.ndarray]:
        """The means, each (steps, 88), as `decode_notes` takes them; 0 where no window counts."""
        weight = np.maximum(self._weight, 1e-12)[:, None]
        onset = self._onset / weight
        around = np.pad(onset, ((1, 1), (0, 0)))
        parts = [share * around[place : place + len(onset)] for place, share in enumerate(_TRIANGLE)]
        spread = np.sum(parts, axis=0)
        begun = np.pad(self._onset, ((1, 1), (0, 0)))
        loud = np.pad(self._loud, ((1, 1), (0, 0)))
        near = [sum(values[place : place + len(onset)] for place in range(3)) for values in (loud, begun)]
        velocity = near[0] / np.maximum(near[1], 1e-12) / 127
        return {"frame": self._frame / weight, "onset": spread, "offset": np.zeros_like(onset), "velocity": velocity}

    def notes(self, step_seconds: np.ndarray, **thresholds: float) -> list[PerformedNote]:
        """The notes that the windows agree on, by onset and pitch.

        Args:
            step_seconds: (steps + 1,), when each step begins; notes before 0 s begin there.
            thresholds: `onset_threshold`, `frame_threshold` and `minimum_seconds` of `DecodingOptions`.
        """
        shortest = thresholds.pop("minimum_seconds", 0.0)
        known: dict[str, Any] = {"onset_threshold": 0.5, "frame_threshold": 0.5, "offset_threshold": _NO_OFFSETS}
        options = DecodingOptions(**{**known, "minimum_seconds": 0.0, **thresholds})
        found = decode_notes(self.maps(), 1.0, options)  # in steps
        steps = np.array([note[:2] for note in found]).reshape(-1, 2) + (0.0, 0.5)  # what sounds fills its step
        times = np.maximum(np.interp(steps, np.arange(len(step_seconds)), step_seconds), 0).tolist()
        timed = [PerformedNote(on, off, *note[2:]) for note, (on, off) in zip(found, times, strict=True)]
        return [note for note in untangled(timed) if note.offset_seconds - note.onset_seconds > shortest]
