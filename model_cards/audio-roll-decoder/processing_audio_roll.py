"""Recordings and piano rolls to what an `AudioScoreModel` of rolls reads: constant-Q spectra on a grid of beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin

from .configuration_audio_score import PITCHES, AudioScoreConfig
from .feature_extraction_music import Sound, as_sound
from .feature_extraction_transcriber import TranscriberFeatureExtractor

SCALINGS = ("decibels", "magnitude")
ROLLS = ("binary", "velocity", "onsets", "strokes")
PAPER = {"gamma": 0.0, "scaling": "magnitude", "roll": "binary"}  # paper 004's options


class AudioRollProcessor(ProcessorMixin):
    """Sounds -> `input_features` float32 (B, 1, frames, n_bins); rolls -> `pixel_values` float32 (B, 1, 128, steps)
    in 0..1, low pitch first. A window of both lasts `beats` beats, whatever the tempo.

    Args:
        sampling_rate, hop_length, fmin, n_bins, bins_per_octave, gamma: see `ConstantQ`. gamma 0 is the paper's
            transform; above it low notes are heard sooner.
        scaling: "decibels": below the recording's loudest magnitude, `top_db` below it 0, the loudest 1; "magnitude":
            as they are (the paper's).
        top_db: range in decibels.
        frames: of a window's spectrum.
        beats, steps_per_beat: of a window's roll.
        roll: what a roll's values are, for those who draw it (`hfmusic.data.rolls.roll_of`): "binary": 1 while a key
            sounds; "velocity": its velocity over 127; "onsets": 1 where a note begins, then 0.5; "strokes": its
            velocity, where a note begins 128 more, over 255.
    """

    _auto_class = "AutoProcessor"

    def __init__(
        self,
        sampling_rate: int = 22050,
        hop_length: int = 512,
        fmin: float = 30.0,
        n_bins: int = 128,
        bins_per_octave: int = 16,
        gamma: float = 4.0,
        scaling: str = "decibels",
        top_db: float = 80.0,
        frames: int = 48,
        beats: int = 2,
        steps_per_beat: int = 24,
        roll: str = "onsets",
    ) -> None:
        super().__init__()
        if min(frames, beats, steps_per_beat) < 1:
            raise ValueError(
                f"frames, beats and steps_per_beat must be at least 1, got {frames}, {beats} and {steps_per_beat}"
            )
        for name, value, known in (("scaling", scaling, SCALINGS), ("roll", roll, ROLLS)):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        self.sampling_rate, self.hop_length, self.fmin, self.n_bins = sampling_rate, hop_length, fmin, n_bins
        self.bins_per_octave, self.gamma, self.scaling, self.top_db = bins_per_octave, gamma, scaling, top_db
        self.frames, self.beats, self.steps_per_beat, self.roll = frames, beats, steps_per_beat, roll
        self.front_end()  # options that make no transform are told now

    @classmethod
    def for_config(cls, config: AudioScoreConfig, **options: Any) -> AudioRollProcessor:
        """The one for a model of this config; `options` as the class takes them.

        Raises:
            ValueError: a model of images, or a spectrum that has not as many bins as the config says.
        """
        if config.score_input != "roll":
            raise ValueError(f"a model whose score_input is roll is wanted, got {config.score_input}")
        known: dict[str, Any] = {name: getattr(config, name) for name in ("sampling_rate", "frames", "beats")}
        known |= {"steps_per_beat": config.steps_per_beat, "n_bins": config.bands}
        processor = cls(**{**known, "hop_length": round(config.sampling_rate / config.frame_rate), **options})
        if (processor.frames, processor.n_bins) != config.audio_size or processor.score_size != config.score_size:
            raise ValueError(
                f"windows of {processor.frames} x {processor.n_bins} and {processor.score_size} do not fit the model, "
                f"which reads {config.audio_size} and {config.score_size}"
            )
        return processor

    @property
    def model_input_names(self) -> list[str]:
        return ["input_features", "pixel_values"]

    @property
    def score_size(self) -> tuple[int, int]:
        """Rows and columns of a roll."""
        return PITCHES, self.beats * self.steps_per_beat

    @property
    def frame_rate(self) -> float:
        """Frames a second of a recording's spectrum; frame t is centred on `t / frame_rate` seconds."""
        return self.sampling_rate / self.hop_length

    def front_end(self) -> TranscriberFeatureExtractor:
        """The transform and its scaling in decibels."""
        names = ("sampling_rate", "hop_length", "fmin", "n_bins", "bins_per_octave", "gamma", "top_db")
        return TranscriberFeatureExtractor(**{name: getattr(self, name) for name in names})

    def spectrogram(self, sound: Any) -> np.ndarray:
        """A whole recording (n,) in -1..1 at `sampling_rate` to (T, n_bins) float32.

        Raises:
            ValueError: not one channel of finite numbers, or empty.
        """
        front = self.front_end()
        if self.scaling == "decibels":
            return front.features(sound)
        samples = torch.from_numpy(as_sound(sound).astype(np.float32, copy=False))
        return np.ascontiguousarray(front.front_end()(samples[None])[0].T.numpy())

    def excerpts(self, spectrogram: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        """Windows (N, 1, frames, n_bins) float32 of a spectrogram (T, n_bins), silence beyond its ends.

        Args:
            seconds: (N, frames): when each column of each window is; between two frames is a mean of them. Or (N, 2):
                when windows of a steady tempo begin and end.
        """
        moments = np.asarray(seconds, np.float64)
        if moments.ndim != 2 or moments.shape[1] not in (2, self.frames):
            raise ValueError(f"moments of windows must be (N, {self.frames}) or (N, 2), got {moments.shape}")
        if moments.shape[1] != self.frames:
            shares = (np.arange(self.frames) + 0.5) / self.frames
            moments = moments[:, :1] + (moments[:, 1:] - moments[:, :1]) * shares
        flat = frames_at(spectrogram, moments.ravel() * self.frame_rate)
        return flat.reshape(len(moments), 1, self.frames, spectrogram.shape[1])

    def rolls(self, rolls: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Rolls (N, 128, steps) in 0..1, or uint8 in 0..255, to `pixel_values` float32 (N, 1, 128, steps).

        Raises:
            ValueError: rolls of another shape.
        """
        stacked = np.asarray(rolls)
        if stacked.ndim != 3 or stacked.shape[1:] != self.score_size:
            raise ValueError(f"rolls must be (N, {self.score_size[0]}, {self.score_size[1]}), got {stacked.shape}")
        values = stacked.astype(np.float32)
        return values[:, None] / 255 if stacked.dtype == np.uint8 else values[:, None]

    def __call__(
        self,
        audio: Sound | Sequence[Sound] | None = None,
        rolls: np.ndarray | Sequence[np.ndarray] | None = None,
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **_: Any,
    ) -> BatchFeature:
        """Single windows, one or several, to a batch.

        Args:
            audio: sounds that last as long as a window each, of any tempo: (n,) in -1..1, or integers, which are
                scaled by their range; or names of files.
            rolls: (128, steps) each, see `rolls`.
            sampling_rate: of the arrays, `self.sampling_rate` if not given. Files know theirs.

        Raises:
            ValueError: neither is given, or a sound or roll that cannot be read.
        """
        if audio is None and rolls is None:
            raise ValueError("audio or rolls are needed, got neither")
        found: dict[str, np.ndarray] = {}
        if audio is not None:
            single = not isinstance(audio, list | tuple) or (len(audio) > 0 and isinstance(audio[0], int | float))
            sounds: list[Any] = [audio] if single else list(audio)  # type: ignore[arg-type]
            if not sounds:
                raise ValueError("at least one sound is needed, got none")
            found["input_features"] = np.concatenate([self._excerpt(sound, sampling_rate) for sound in sounds])
        if rolls is not None:
            stacked = np.asarray(rolls)
            found["pixel_values"] = self.rolls(stacked[None] if stacked.ndim == 2 else stacked)
        return BatchFeature(found, tensor_type=return_tensors)

    def read(self, sound: Any, sampling_rate: int | None = None) -> np.ndarray:
        """A sound or a file's name, to samples (n,) at `self.sampling_rate`."""
        return self.front_end().read(sound, sampling_rate)

    def _excerpt(self, sound: Any, sampling_rate: int | None) -> np.ndarray:
        samples = self.read(sound, sampling_rate)
        return self.excerpts(self.spectrogram(samples), np.array([[0.0, len(samples) / self.sampling_rate]]))


def frames_at(spectrogram: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Frames float32 (n, bins) of a spectrogram (T, bins) at places that need not be whole; silence beyond its ends."""
    first = np.floor(places).astype(np.int64)
    part = (places - first).astype(np.float32)[:, None]
    return _frames(spectrogram, first) * (1 - part) + _frames(spectrogram, first + 1) * part


def _frames(spectrogram: np.ndarray, places: np.ndarray) -> np.ndarray:
    there = (places >= 0) & (places < len(spectrogram))
    found = np.zeros((len(places), spectrogram.shape[1]), np.float32)
    found[there] = spectrogram[places[there]]
    return found
