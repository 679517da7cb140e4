"""Recordings to the input of a polyphonic transcriber, whole ones in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, FeatureExtractionMixin

from .audio_features import ConstantQ
from .configuration_unet_transcriber import UNetTranscriberConfig
from .feature_extraction_music import SILENCE, Sound, as_sound, resample

SCALINGS = ("decibels", "minmax")
MIRRORED_SECONDS = 1.024  # half of the longest kernel of paper 001's front end


class TranscriberFeatureExtractor(FeatureExtractionMixin):
    """Sounds -> `input_features` float32 (B, 1, T, n_bins), low pitch first, right padded with 0.

    Frame t is centred on sample `t * hop_length`; a sound of n samples has ceil(n / hop_length) frames. The defaults
    are those of `UNetTranscriberConfig`; `for_config` makes one for another.

    Args:
        sampling_rate, hop_length, fmin, n_bins, bins_per_octave, gamma: see `ConstantQ`.
        scaling: "decibels": below the recording's loudest magnitude, `top_db` below it 0, the loudest 1; "minmax":
            paper 001's logarithm of (magnitude + 1e-5), the recording's least value 0, its greatest 1.
        top_db: range in decibels.
        reflect: beyond its ends the sound is mirrored, as paper 001's front end (nnAudio) has it; else silence.
    """

    model_input_names = ["input_features", "attention_mask"]
    _auto_class = "AutoFeatureExtractor"

    def __init__(
        self,
        sampling_rate: int = 16000,
        hop_length: int = 320,
        fmin: float = 27.5 * 2 ** (-1 / 36),
        n_bins: int = 288,
        bins_per_octave: int = 36,
        gamma: float = 4.4,
        scaling: str = "decibels",
        top_db: float = 80.0,
        reflect: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, got {scaling!r}")
        if top_db <= 0:
            raise ValueError(f"top_db must be positive, got {top_db}")
        self.sampling_rate, self.hop_length, self.fmin = sampling_rate, hop_length, fmin
        self.n_bins, self.bins_per_octave, self.gamma = n_bins, bins_per_octave, gamma
        self.scaling, self.top_db, self.reflect = scaling, top_db, reflect
        self.front_end()  # options that make no transform are told now

    @classmethod
    def for_config(cls, config: UNetTranscriberConfig, **options: Any) -> TranscriberFeatureExtractor:
        """The one that a network of this config hears with."""
        paper = config.scheme == "paper"
        known = {
            name: getattr(config, name)
            for name in ("sampling_rate", "hop_length", "fmin", "n_bins", "bins_per_octave", "gamma")
        }
        return cls(**{**known, "scaling": "minmax" if paper else "decibels", "reflect": paper, **options})

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""
        return self.hop_length / self.sampling_rate

    def front_end(self) -> ConstantQ:
        """The transform. Not kept on the object, which is saved as JSON and sent to worker processes."""
        return _constant_q(
            self.sampling_rate, self.hop_length, self.fmin, self.n_bins, self.bins_per_octave, self.gamma
        )

    def frames(self, samples: int) -> int:
        """Frames that a sound of so many samples gives."""
        return max(1, -(-samples // self.hop_length))

    def features(self, sound: Any, reference: float | None = None) -> np.ndarray:
        """One sound, (n,) in -1..1 at `sampling_rate`, to (T, n_bins) float32 in 0..1.

        Args:
            reference: of "decibels", the magnitude that is 1, instead of the loudest here.

        Raises:
            ValueError: not one channel of finite numbers, or empty.
        """
        magnitudes = self.magnitudes(sound)
        return self.scale(magnitudes, self.levels(magnitudes) if reference is None else (0.0, reference))

    def magnitudes(self, sound: Any) -> np.ndarray:
        """One sound, (n,) in -1..1 at `sampling_rate`, to magnitudes (T, n_bins) float32; of silence zeros.

        Raises:
            ValueError: not one channel of finite numbers, or empty.
        """
        sound = as_sound(sound)
        total = self.frames(len(sound))
        if max(float(sound.max()), -float(sound.min())) < SILENCE:
            return np.zeros((total, self.n_bins), np.float32)
        beyond = 0
        if self.reflect:
            beyond = -(-int(MIRRORED_SECONDS * self.sampling_rate) // self.hop_length)
            real = sound[: max(1, len(sound) - 1)]  # the paper's code leaves the last sample out
            sound = np.pad(real, beyond * self.hop_length, "reflect" if len(real) > 1 else "edge")
        level = torch.from_numpy(sound.astype(np.float32, copy=False))
        found = self.front_end()(level[None])[0, :, beyond : beyond + total]
        return np.ascontiguousarray(found.T.numpy())

    def levels(self, magnitudes: np.ndarray) -> tuple[float, float]:
        """The least and the greatest magnitude: of a whole recording, what `scale` needs for any part of it."""
        return float(magnitudes.min()), float(magnitudes.max())

    def scale(self, magnitudes: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
        """Magnitudes to the network's input, 0..1, float32 of the same shape."""
        least, greatest = levels
        if self.scaling == "minmax":
            low, high = np.log(np.float32(least) + 1e-5), np.log(np.float32(greatest) + 1e-5)
            if not high > low:
                return np.zeros_like(magnitudes)
            return ((np.log(magnitudes + np.float32(1e-5)) - low) / (high - low)).astype(np.float32)
        if greatest <= 0:
            return np.zeros_like(magnitudes)
        floor = np.float32(greatest * 10 ** (-self.top_db / 20))
        decibels = np.log10(np.maximum(magnitudes, floor) / floor) * np.float32(20 / self.top_db)
        return np.clip(decibels, 0, 1).astype(np.float32, copy=False)

    def __call__(
        self,
        audio: Sound | Sequence[Sound],
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        **_: Any,
    ) -> BatchFeature:
        """One sound or several, to a batch.

        Args:
            audio: (n,) in -1..1, or integers, which are scaled by their range; or the name of a file; or several.
            sampling_rate: of the arrays, `self.sampling_rate` if not given. Files know theirs.

        Returns:
            `input_features` (B, 1, T, n_bins) float32; `attention_mask` (B, T) int64, 1 = real frames.

        Raises:
            ValueError: a sound that cannot be read; in a batch its place is named.
        """
        single = not isinstance(audio, list | tuple) or (len(audio) > 0 and isinstance(audio[0], int | float))
        sounds: list[Any] = [audio] if single else list(audio)  # type: ignore[arg-type]
        if not sounds:
            raise ValueError("at least one sound is needed, got none")
        found = []
        for number, sound in enumerate(sounds):
            try:
                found.append(self.features(self.read(sound, sampling_rate)))
            except ValueError as error:
                raise error if len(sounds) == 1 else type(error)(f"sound {number}: {error}") from None
        return BatchFeature(self.pad(found), tensor_type=return_tensors)

    def read(self, sound: Any, sampling_rate: int | None = None) -> np.ndarray:
        """A sound or a file's name, to samples (n,) at `self.sampling_rate`."""
        if isinstance(sound, str) or hasattr(sound, "__fspath__"):
            from .audio_reading import open_sound

            return open_sound(sound, sampling_rate=self.sampling_rate)
        rate = self.sampling_rate if sampling_rate is None else sampling_rate
        return resample(as_sound(sound), rate, self.sampling_rate)

    def pad(self, items: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """What `__call__` returns, of features (T, n_bins) that are there already."""
        frames = max(len(item) for item in items)
        features = np.zeros((len(items), 1, frames, self.n_bins), np.float32)
        mask = np.zeros((len(items), frames), np.int64)
        for row, item in enumerate(items):
            features[row, 0, : len(item)] = item
            mask[row, : len(item)] = 1
        return {"input_features": features, "attention_mask": mask}


@lru_cache(maxsize=8)
def _constant_q(*options: Any) -> ConstantQ:
    return ConstantQ(*options)
