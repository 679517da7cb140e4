"""Where notes begin in a recording, from the features a model hears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hfmusic.models.feature_extraction_music import MusicFeatures

_RISE_SECONDS = 0.045  # over which the level rises at an onset
_APART_SECONDS = 0.05  # no two onsets are closer
_LOCAL_SECONDS = 0.5  # either side: what an onset must stand out of
_DAMPED = 0.6  # of the level before
_COMPRESSION = 10.0  # of amplitudes, the loudest being 1: soft notes count nearly as loud ones, noise does not
_WEAKEST = 0.12  # of a strong onset


@dataclass(frozen=True)
class Onsets:
    """`strength` (frames,) float: how much louder each moment is than just before, `rate` frames a second; `times`:
    seconds of the onsets found in it, ordered."""

    strength: np.ndarray
    rate: float
    times: np.ndarray


def find_onsets(features: MusicFeatures, top_db: float) -> Onsets:
    """Spectral flux of constant-Q features and its peaks.

    Args:
        features: values in 0..1 are decibels above `-top_db`.

    >>> values = np.zeros((4, 60), np.float32)
    >>> values[0, 10:30] = values[3, 30:] = 1.0
    >>> find_onsets(MusicFeatures(values, 40.0), 80.0).times.round(1).tolist()
    [0.2, 0.7]
    """
    rate = features.columns_per_second
    lag = max(1, round(_RISE_SECONDS * rate))
    amplitudes = 10.0 ** (top_db * (features.values - 1.0) / 20.0)
    level = np.log1p(_COMPRESSION * amplitudes)
    level = np.pad(level, ((0, 0), (lag, 0)), constant_values=np.log1p(_COMPRESSION * 10.0 ** (-top_db / 20.0)))
    around = np.pad(level, ((1, 1), (0, 0)), mode="edge")
    around = np.maximum(np.maximum(around[:-2], around[2:]), level)  # a pitch that wavers is no onset (SuperFlux)
    strength = np.maximum(level[:, lag:] - around[:, :-lag], 0.0).mean(axis=0)
    strength = np.convolve(strength, np.ones(3) / 3, mode="same").astype(np.float64)
    peaks = _peaks(strength, rate)
    loud = np.array([_rises(amplitudes.sum(axis=0), peak, lag) for peak in peaks], dtype=bool)
    return Onsets(strength, rate, (peaks[loud] - lag / 2) / rate)


def _rises(amplitude: np.ndarray, peak: int, lag: int) -> bool:
    """Whether it is about as loud after a peak as before: else a note was damped there."""
    before, after = amplitude[max(0, peak - 3 * lag) : max(0, peak - lag)], amplitude[peak + lag : peak + 4 * lag]
    return not len(before) or (len(after) > 0 and float(after.mean()) > _DAMPED * float(before.mean()))


def _peaks(strength: np.ndarray, rate: float) -> np.ndarray:
    """Frames that are the highest around them and stand out."""
    reach = max(1, round(_APART_SECONDS * rate))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(strength, reach), 2 * reach + 1)
    highest = strength >= around.max(axis=1)
    width = 2 * round(_LOCAL_SECONDS * rate) + 1
    padded = np.pad(strength, width // 2, mode="reflect" if len(strength) > width // 2 else "edge")
    local = np.convolve(padded, np.ones(width) / width, mode="valid")[: len(strength)]
    strong = np.quantile(strength[highest], 0.9) if highest.any() else 0.0
    least = max(_WEAKEST * strong, 0.3 * _WEAKEST * float(strength.max(initial=0.0)), 1e-6)
    frames = np.flatnonzero(highest & (strength > 1.3 * local) & (strength > least))
    return frames[np.diff(frames, prepend=-reach - 1) > reach]  # the first of a plateau
