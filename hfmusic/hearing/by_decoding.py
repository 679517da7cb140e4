"""Transcription by decoding (paper 004, section 6.2): rolls of a recording's windows are built, and joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hfmusic.data.rolls import STEPS_PER_BEAT, RollGeometry, window_seconds
from hfmusic.hearing.beat_grid import beat_times, step_times
from hfmusic.hearing.roll_space import on_grid
from hfmusic.hearing.roll_votes import RollVotes
from hfmusic.symbolic.performance import PerformedNote

HOP = 4  # steps from one window to the next
_BATCH = 64
_EDGE = 0.1  # how much a window's ends count, of its middle: there it hears a part of a note


class DecodingTranscriber:
    """Hears notes as a `TranscriberProcessor` does, on the grid of the beats, with a `RollDecoder`.

    Args:
        loaded: the decoder and its `AudioRollProcessor`.
        tempo: quarters a minute; None: the beats are tracked.

    Raises:
        ValueError: a model of another kind.
    """

    modalities = ("audio",)

    def __init__(self, loaded: Any, *, tempo: float | None = None) -> None:
        self._model, self._processor, self.tempo = loaded.model, loaded.processor, tempo
        self.name_or_path = str(getattr(self._model, "name_or_path", ""))
        if not hasattr(self._model, "decoder") or not hasattr(self._processor, "rolls"):
            raise ValueError(f"the model {self.name_or_path} decodes no rolls: train one by audio_roll_decoder")
        if self._processor.steps_per_beat != STEPS_PER_BEAT:
            raise ValueError(
                f"rolls of {STEPS_PER_BEAT} steps a beat are decoded, got {self._processor.steps_per_beat}"
            )
        self.sampling_rate = int(self._processor.sampling_rate)

    def transcribe(
        self,
        model: object,
        sound: np.ndarray,
        *,
        progress: Callable[[float], object] | None = None,
        **thresholds: float,
    ) -> list[PerformedNote]:
        """The notes of a recording (n,) at `sampling_rate`, by onset and pitch.

        Args:
            model: not asked; there for what calls all transcribers alike.
            progress: called with what is done, 0..1.
            thresholds: `onset_threshold`, `frame_threshold` and `minimum_seconds` of `DecodingOptions`.

        Raises:
            ValueError: a threshold or the tempo is out of range.
        """
        spectrogram = self._processor.spectrogram(sound)
        grid = on_grid(step_times(beat_times(sound, self.sampling_rate, self.tempo), STEPS_PER_BEAT))
        steps, width = len(grid.step_seconds) - 1, self._processor.score_size[1]
        votes, starts = RollVotes(steps), np.arange(HOP - width, steps, HOP)
        geometry = RollGeometry.of(self._processor)
        weight = np.maximum(_EDGE, 1 - np.abs(2 * (np.arange(width) + 0.5) / width - 1))
        for first in range(0, len(starts), _BATCH):
            some = starts[first : first + _BATCH]
            maps = self._decoded(self._processor.excerpts(spectrogram, window_seconds(grid, some, geometry)))
            for number, start in enumerate(some.tolist()):
                frame, onset, velocity = (maps[name][number] for name in ("frame", "onset", "velocity"))
                votes.add(start, frame, onset, 127 * velocity, weight)
            if progress is not None:
                progress((first + len(some)) / len(starts))
        return votes.notes(grid.step_seconds, **thresholds)

    def _decoded(self, windows: np.ndarray) -> dict[str, np.ndarray]:
        import torch

        with torch.inference_mode():
            output = self._model(torch.from_numpy(windows).to(self._model.device))
        return {name: values.cpu().numpy() for name, values in output.probabilities().items()}
