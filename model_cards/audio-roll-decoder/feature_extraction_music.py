"""Recordings of music to the input of a CTC model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from transformers import BatchFeature, FeatureExtractionMixin

from .audio_features import ConstantQ

Sound = np.ndarray | str | Path
SILENCE = 1e-4  # a sound that stays below this peak is silent


@dataclass(frozen=True)
class MusicFeatures:
    """`values` (height, width) float32 in 0..1, low pitch in the last row; column `x` at `x / columns_per_second`."""

    values: np.ndarray
    columns_per_second: float


class MusicFeatureExtractor(FeatureExtractionMixin):
    """Sounds -> `input_features` float32 (B, 1, height, W): constant-Q in decibels, right padded with 0.

    The magnitudes are taken in decibels below the recording's loudest one; `top_db` below it is 0, the loudest is 1.
    The low pitch is in the last row. Where `height` is not `n_bins`, both axes are scaled by `height / n_bins`,
    bilinear without antialiasing (OpenCV's INTER_LINEAR), as paper 000 does. The defaults are the paper's.

    Args:
        sampling_rate, hop_length, fmin, n_bins, bins_per_octave, gamma: see `ConstantQ`.
        top_db: range in decibels.
        height: rows of the result.
        pad_multiple: W is a multiple of this; of the model's stride, so that frames and columns line up.
    """

    model_input_names = ["input_features", "attention_mask"]
    _auto_class = "AutoFeatureExtractor"

    def __init__(
        self,
        sampling_rate: int = 22050,
        hop_length: int = 512,
        fmin: float = 32.70319566257483,
        n_bins: int = 120,
        bins_per_octave: int = 24,
        gamma: float = 0.0,
        top_db: float = 80.0,
        height: int = 256,
        pad_multiple: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(top_db, height, pad_multiple) <= 0:
            raise ValueError(
                f"top_db, height and pad_multiple must be positive, got {top_db}, {height} and {pad_multiple}"
            )
        self.sampling_rate, self.hop_length, self.fmin = sampling_rate, hop_length, fmin
        self.n_bins, self.bins_per_octave, self.gamma = n_bins, bins_per_octave, gamma
        self.top_db, self.height, self.pad_multiple = top_db, height, pad_multiple
        self.front_end()  # options that make no transform are told now

    def front_end(self) -> ConstantQ:
        """The transform. Not kept on the object, which is saved as JSON and sent to worker processes."""
        return _constant_q(
            self.sampling_rate, self.hop_length, self.fmin, self.n_bins, self.bins_per_octave, self.gamma
        )

    def features(self, sound: Any, stretch: float = 1.0) -> MusicFeatures:
        """One sound, (n,) in -1..1 at `sampling_rate`.

        Args:
            stretch: more than 1 makes more columns: slower music.

        Raises:
            ValueError: not one channel of finite numbers, empty, or `stretch` is not positive.
        """
        if not 0 < stretch < np.inf:
            raise ValueError(f"stretch must be positive, got {stretch}")
        sound = as_sound(sound)
        frames = self.front_end().frames(len(sound))
        width = max(1, int(frames * stretch * self.height / self.n_bins))
        rate = self.sampling_rate / self.hop_length * width / frames
        peak = max(float(sound.max()), -float(sound.min()))
        if peak < SILENCE:
            return MusicFeatures(np.zeros((self.height, width), np.float32), rate)
        level = torch.from_numpy((sound / peak).astype(np.float32, copy=False))
        values = self._decibels(self.front_end()(level[None]))
        if values.shape[1:] != (self.height, width):
            values = F.interpolate(values[None], size=(self.height, width), mode="bilinear")[0]
        return MusicFeatures(values[0].numpy(), rate)

    def _decibels(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """(1, n_bins, frames), the low pitch first -> in 0..1, the low pitch last."""
        loudest = magnitudes.max()
        if loudest <= 0:
            return torch.zeros_like(magnitudes)
        decibels = 20 * torch.log10((magnitudes / loudest).clamp_(min=10 ** (-self.top_db / 20)))
        return ((decibels + self.top_db) / self.top_db).clamp_(0, 1).flip(1)

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
            `input_features` (B, 1, height, W) float32; `attention_mask` (B, W) int64, 1 = real columns;
            `geometry` (B, 2) float32: column x of item b is at `x / geometry[b, 0] + geometry[b, 1]` seconds.

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
                found.append(self.features(self._read(sound, sampling_rate)))
            except ValueError as error:
                raise error if len(sounds) == 1 else type(error)(f"sound {number}: {error}") from None
        return BatchFeature(self.pad(found), tensor_type=return_tensors)

    def _read(self, sound: Any, sampling_rate: int | None) -> np.ndarray:
        if _name(sound):
            from .audio_reading import open_sound

            return open_sound(sound, sampling_rate=self.sampling_rate)
        rate = self.sampling_rate if sampling_rate is None else sampling_rate
        return resample(as_sound(sound), rate, self.sampling_rate)

    def pad(self, items: Sequence[MusicFeatures]) -> dict[str, np.ndarray]:
        """What `__call__` returns, of features that are there already."""
        width = max(item.values.shape[1] for item in items)
        width = -(-width // self.pad_multiple) * self.pad_multiple
        features = np.zeros((len(items), 1, self.height, width), np.float32)
        mask = np.zeros((len(items), width), np.int64)
        for row, item in enumerate(items):
            real = item.values.shape[1]
            features[row, 0, :, :real] = item.values
            mask[row, :real] = 1
        geometry = np.array([(item.columns_per_second, 0.0) for item in items], np.float32)
        return {"input_features": features, "attention_mask": mask, "geometry": geometry}


@lru_cache(maxsize=8)
def _constant_q(*options: Any) -> ConstantQ:
    return ConstantQ(*options)


def _name(sound: Any) -> bool:
    return isinstance(sound, str | Path)


def as_sound(sound: Any) -> np.ndarray:
    """(n,) floats; integers are scaled by their range to -1..1.

    Raises:
        ValueError: not one channel of finite numbers, or empty.
    """
    array = np.asarray(sound.detach().cpu() if hasattr(sound, "detach") else sound)
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.dtype.kind not in "iuf" or array.ndim != 1:
        raise ValueError(
            f"a sound must be one channel of numbers, of shape (n,), got {array.dtype} of shape {array.shape}; "
            "mix several channels first"
        )
    if array.size == 0:
        raise ValueError("the sound is empty")
    if array.dtype.kind in "iu":
        low, high = np.iinfo(array.dtype).min, np.iinfo(array.dtype).max
        return ((array.astype(np.float64) - (low + high + 1) / 2) * 2 / (high - low + 1)).astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError("the sound holds values that are no numbers (NaN or infinite)")
    return array.astype(np.float32) if array.itemsize < 4 else array


def resample(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """A sound (n,) at another rate, by soxr.

    Raises:
        ValueError: a rate that is not positive, or soxr is not there.
    """
    if rate == wanted:
        return sound
    if rate <= 0:
        raise ValueError(f"the sampling rate must be positive, got {rate}")
    try:
        import soxr
    except ImportError:
        raise ValueError(f"a sound at {rate} Hz needs soxr to become {wanted} Hz: pip install soxr") from None
    return soxr.resample(sound.astype(np.float32, copy=False), rate, wanted)
