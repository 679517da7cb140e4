"""Windows of piano rolls and of recordings as vectors in one space, on a grid of beats.

By an `AudioScoreModel` of rolls (paper 004), or by the energies of the keys where there is no model. Both have a name,
a fingerprint that tells their vectors from others', and the length of their windows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from hfmusic.data.rolls import NOTES, STEPS_PER_BEAT, RollGeometry, RollPiece, roll_of, window_seconds
from hfmusic.hub import load, model_fingerprint, shipped_models
from hfmusic.retrieval import chroma

DEFAULT_MODEL = "audio-midi-embedding"
KEYS = "keys"
_SILENT = {"decibels": 0.25, "magnitude": 1e-3}  # of the loudest value of a spectrogram: 60 dB below it


def on_grid(step_seconds: np.ndarray, notes: np.ndarray | None = None, name: str = "") -> RollPiece:
    """A piece without its sound: the seconds of its steps (T,), and its notes, of dtype `NOTES`; None: none."""
    about = dict.fromkeys(("work", "piece", "composer", "source", "font"), "")
    return RollPiece(
        id=name,
        **about,
        program=-1,
        transposition=0,
        audio=b"",
        seconds=float(step_seconds[-1]),
        steps_per_beat=STEPS_PER_BEAT,
        notes=np.zeros(0, NOTES) if notes is None else notes,
        step_seconds=step_seconds,
    )


class RollSpace(Protocol):
    """What makes vectors of windows, float32 (n, d) of length 1, or 0 where there is nothing to hear."""

    name: str
    sampling_rate: int
    steps: int  # of a window, of STEPS_PER_BEAT a beat

    @property
    def fingerprint(self) -> str:
        """What tells its vectors from others'."""

    def rolls(self, piece: RollPiece, starts: np.ndarray) -> np.ndarray:
        """Of the windows of a piece's roll that begin at steps (n,)."""

    def listen(self, sound: np.ndarray) -> Any:
        """What `excerpts` are cut from, of a recording (n,) at `sampling_rate`."""

    def excerpts(self, heard: Any, grid: RollPiece, starts: np.ndarray) -> np.ndarray:
        """Of the windows of a recording that begin at steps (n,) of a grid; silence beyond its ends."""


class KeysSpace:
    """No model: how loud each key of a piano is, and becomes, in the quarters of two beats.

    A baseline, and what there is before a model is trained. See `hfmusic.retrieval.chroma` for the energies.
    """

    name = KEYS
    fingerprint = "keys-1"
    sampling_rate = chroma.SAMPLING_RATE
    steps = 2 * STEPS_PER_BEAT
    _SPAN = 6  # steps
    _COMPRESSION, _RISING = 100.0, 2.0
    _SILENT = 0.05  # of the loudest window's length
    _BATCH = 512

    def rolls(self, piece: RollPiece, starts: np.ndarray) -> np.ndarray:
        """See `RollSpace`."""
        played = piece.notes[["onset_seconds", "offset_seconds", "pitch_midi"]].tolist()
        return self.excerpts(self._features(chroma.note_energies(played)), piece, starts)

    def listen(self, sound: np.ndarray) -> np.ndarray:
        """Features float32 (T, 72), 25 frames a second."""
        return self._features(chroma.sound_energies(np.asarray(sound, np.float32)))

    def _features(self, energies: np.ndarray) -> np.ndarray:
        loud = chroma.peaks(energies, self._COMPRESSION)
        around = np.pad(loud, ((1, 1), (0, 0)), mode="edge")
        return np.asarray(loud + self._RISING * np.maximum(around[2:] - around[:-2], 0), np.float32)

    def excerpts(self, heard: np.ndarray, grid: RollPiece, starts: np.ndarray) -> np.ndarray:
        """See `RollSpace`."""
        sums = np.cumsum(np.pad(heard, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
        inside = np.arange(0, self.steps + 1, self._SPAN)
        found = [
            self._means(sums, grid.seconds_at(starts[first : first + self._BATCH, None] + inside))
            for first in range(0, len(starts), self._BATCH)
        ]
        vectors = np.concatenate(found) if found else np.zeros((0, len(inside[1:]) * heard.shape[1]), np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        sounds = lengths > self._SILENT * lengths.max(initial=0.0)
        return np.asarray(vectors / np.maximum(lengths, 1e-9) * sounds, np.float32)

    def _means(self, sums: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """Mean features between moments (n, spans + 1), (n, spans * 72)."""
        frames = seconds * chroma.FRAME_RATE + 0.5  # frame t is centred on t
        places = np.clip(frames, 0, len(sums) - 1)
        below = np.minimum(places.astype(int), len(sums) - 2)
        share = (places - below)[..., None]
        totals = sums[below] * (1 - share) + sums[below + 1] * share
        means: np.ndarray = np.diff(totals, axis=1) / np.diff(frames, axis=1)[..., None]
        return means.reshape(len(seconds), -1).astype(np.float32)


class ModelSpace:
    """An `AudioScoreModel` of rolls and its `AudioRollProcessor`.

    Raises:
        ValueError: a model of another kind.
    """

    _BATCH = 128

    def __init__(self, loaded: Any, name: str = "") -> None:
        self.name = name or "model"
        self._model, self._processor = loaded.model, loaded.processor
        if not hasattr(self._processor, "rolls") or self._processor.steps_per_beat != STEPS_PER_BEAT:
            raise ValueError(
                f"the model {self.name} has no space for audio and rolls of {STEPS_PER_BEAT} steps a beat; "
                f"try {DEFAULT_MODEL} or {KEYS}"
            )
        self.sampling_rate = int(self._processor.sampling_rate)
        self.steps = int(self._processor.score_size[1])

    @cached_property
    def fingerprint(self) -> str:
        """Of its weights, and of how its inputs are made."""
        return f"{model_fingerprint(self._model, self._processor)}-{self._processor.roll}"

    def rolls(self, piece: RollPiece, starts: np.ndarray) -> np.ndarray:
        """See `RollSpace`."""
        kind = self._processor.roll
        return self._embed(
            self._model.get_score_features,
            lambda some: self._processor.rolls([roll_of(piece.notes, at, self.steps, kind) for at in some.tolist()]),
            starts,
        )

    def listen(self, sound: np.ndarray) -> np.ndarray:
        """A spectrogram, float32 (T, bins)."""
        return np.asarray(self._processor.spectrogram(sound))

    def excerpts(self, heard: np.ndarray, grid: RollPiece, starts: np.ndarray) -> np.ndarray:
        """See `RollSpace`."""
        loudest, peaks = float(heard.max(initial=0.0)), [np.zeros(0, np.float32)]

        def cut(some: np.ndarray) -> np.ndarray:
            windows = self._processor.excerpts(heard, window_seconds(grid, some, RollGeometry.of(self._processor)))
            peaks.append(windows.max(axis=(1, 2, 3)))
            return np.asarray(windows)

        vectors = self._embed(self._model.get_audio_features, cut, starts)
        return vectors * (np.concatenate(peaks) > _SILENT[self._processor.scaling] * loudest)[:, None]

    def _embed(self, network: Any, cut: Callable[[np.ndarray], np.ndarray], starts: np.ndarray) -> np.ndarray:
        import torch

        found = [np.zeros((0, self._model.config.embedding_size), np.float32)]
        for first in range(0, len(starts), self._BATCH):
            inputs = torch.from_numpy(np.ascontiguousarray(cut(starts[first : first + self._BATCH])))
            with torch.inference_mode():
                found.append(network(inputs.to(self._model.device)).float().cpu().numpy())
        return np.concatenate(found)


def roll_space(name: str | None = None) -> RollSpace:
    """The space of a name: "keys", or a model as `hfmusic.load` takes it. None: the shipped one, else "keys".

    Raises:
        ValueError: no such model, or one of another kind; one sentence.
    """
    if name == KEYS or (name is None and DEFAULT_MODEL not in shipped_models()):
        return KeysSpace()
    return ModelSpace(load(name or DEFAULT_MODEL), name or DEFAULT_MODEL)
