"""A transcriber that keeps what its network heard: other thresholds need no second hearing."""

from __future__ import annotations

from typing import Any

import numpy as np

from hfmusic.hub import Loaded
from hfmusic.models.note_decoding import NoteEvent


class KeptMaps:
    """Stands for the `TranscriberProcessor` of one recording: the network hears it once, notes are decoded each time.

    >>> class Processor:
    ...     sampling_rate = 16000
    ...     def maps(self, model, sound, progress=None):
    ...         return {"frame": np.full((2, 88), model)}
    ...     def decode(self, maps, frame_threshold):
    ...         return float(maps["frame"].max()) > frame_threshold
    >>> kept = KeptMaps(Processor())
    >>> kept.transcribe(0.5, np.zeros(9), frame_threshold=0.4), kept.transcribe(0.0, np.zeros(9), frame_threshold=0.45)
    (True, True)
    """

    modalities = ("audio",)

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._maps: dict[str, np.ndarray] | None = None

    @classmethod
    def of(cls, loaded: Loaded) -> Loaded:
        """A transcriber for one recording, which `hfmusic.hearing.polyphonic.hear_notes` takes again and again."""
        return Loaded(loaded.model, cls(loaded.processor))  # type: ignore[arg-type]

    @property
    def sampling_rate(self) -> int:
        """Of the sounds that `transcribe` takes."""
        return int(self._processor.sampling_rate)

    def transcribe(self, model: Any, sound: np.ndarray, *, progress: Any = None, **overrides: Any) -> list[NoteEvent]:
        """The recording's notes; `overrides` of the thresholds. The sound is only listened to the first time."""
        if self._maps is None:
            self._maps = self._processor.maps(model, sound, progress=progress)
        notes: list[NoteEvent] = self._processor.decode(self._maps, **overrides)
        return notes
