"""Cheap damage of cached spectra while training: what differs between instruments, rooms and microphones.

Everything works on uint8 (height, width), loud = 255, the low pitch in the last row, from one `numpy.random.Generator`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class SpectrumAugmentConfig:
    """How much, all of it possibly: every amount is a bound, every probability is per item. All 0: nothing is changed.

    `stretch` is relative (0.05: 0.95 to 1.05 of the length), `tilt` and `gain` are parts of full loudness added from
    the lowest row to the highest and everywhere, `contrast` is relative, `noise` in parts of full loudness; masks are
    columns or rows set to silence (SpecAugment, Park et al. 2019).
    """

    probability: float = 1.0
    stretch: float = 0.05
    silence: int = 12
    tilt: float = 0.15
    gain: float = 0.1
    contrast: float = 0.2
    noise: float = 0.03
    floor: float = 0.25
    time_masks: int = 1
    time_mask_size: int = 3
    row_masks: int = 1
    row_mask_size: int = 4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"audio_augment.{name} must not be negative, got {value}")
        if self.probability > 1 or self.stretch >= 1:
            raise ValueError(
                "audio_augment.probability must be 0 to 1 and stretch under 1, "
                f"got {self.probability} and {self.stretch}"
            )


def augment_spectrum(
    features: np.ndarray,
    config: SpectrumAugmentConfig,
    rng: np.random.Generator,
    *,
    min_width: int = 1,
    stretch: float | None = None,
) -> np.ndarray:
    """Damage features, uint8 (height, width) -> uint8 (height, new width >= min_width); the input is not written to.

    Args:
        stretch: -1 to 1, as `augment` takes it.
    """
    if rng.random() >= config.probability:
        return features
    height, width = features.shape
    own = rng.uniform(-1, 1)
    stretch = own if stretch is None else 0.85 * stretch + 0.15 * own
    new = max(min_width, round(width * (1 + config.stretch * stretch)))
    sound = cv2.resize(features, (new, height), interpolation=cv2.INTER_LINEAR) if new != width else features
    lead = int(rng.integers(0, config.silence + 1))
    values = np.zeros((height, new + lead), np.float32)
    values[:, lead:] = sound
    values *= 1 + config.contrast * rng.uniform(-1, 1)
    tilt = np.linspace(1, -1, height, dtype=np.float32)[:, None] * config.tilt * rng.uniform(-1, 1)
    heard = values > 0
    values += 255 * heard * (tilt + config.gain * rng.uniform(-1, 1))
    values += rng.standard_normal(values.shape, np.float32) * (255 * config.noise * rng.random())
    np.maximum(values, 255 * config.floor * max(0.0, rng.uniform(-1, 1)), out=values)  # a room is never silent
    _mask(values, config, rng)
    return np.clip(values, 0, 255).astype(np.uint8)


def _mask(values: np.ndarray, config: SpectrumAugmentConfig, rng: np.random.Generator) -> None:
    height, width = values.shape
    for _ in range(int(rng.integers(0, config.time_masks + 1))):
        start = int(rng.integers(0, width))
        values[:, start : start + int(rng.integers(0, config.time_mask_size + 1))] = 0
    for _ in range(int(rng.integers(0, config.row_masks + 1))):
        start = int(rng.integers(0, height))
        values[start : start + int(rng.integers(0, config.row_mask_size + 1))] = 0
