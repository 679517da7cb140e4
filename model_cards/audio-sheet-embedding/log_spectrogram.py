"""Spectrograms of paper 003: magnitudes in logarithmic bands, a fractional number of samples apart.

What madmom (S. Böck et al., 2016) computes with frames that begin at their reference sample (`origin="future"`),
`LogarithmicFilterbank` and `log10(1 + x)`, re-derived; the paper's "16 kHz" does not give its 92 bands, 6 kHz does.

numpy only: this file travels to the Hub with the models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

A4 = 440.0
CHUNK = 2048  # frames at a time: about 50 MB, whatever the recording's length


@dataclass(frozen=True)
class LogSpectrogram:
    """Sounds to magnitudes in logarithmic bands.

    Frame t holds samples floor(t * hop) to floor(t * hop) + frame_size of the sound, followed by silence, and stands
    for `t / frame_rate` seconds: a note that begins there is heard in it for the first time.

    Attributes:
        sampling_rate: of the sound, in Hz.
        frame_size: samples of a frame, a multiple of 2.
        frame_rate: frames a second; the hop, `sampling_rate / frame_rate` samples, need not be whole.
        bands_per_octave: about A4.
        fmin, fmax: between which the bands lie, in Hz.

    >>> LogSpectrogram().bands
    92
    """

    sampling_rate: int = 22050
    frame_size: int = 2048
    frame_rate: float = 20.0
    bands_per_octave: int = 16
    fmin: float = 30.0
    fmax: float = 6000.0

    def __post_init__(self) -> None:
        if min(self.sampling_rate, self.frame_rate, self.bands_per_octave) <= 0 or self.frame_size < 2:
            raise ValueError(
                "sampling_rate, frame_rate and bands_per_octave must be positive, frame_size at least 2, got "
                f"{self.sampling_rate}, {self.frame_rate}, {self.bands_per_octave} and {self.frame_size}"
            )
        if not 0 < self.fmin < self.fmax:
            raise ValueError(f"fmin must be positive and below fmax, got {self.fmin} and {self.fmax} Hz")

    @property
    def hop(self) -> float:
        """Samples from one frame to the next."""
        return self.sampling_rate / self.frame_rate

    @property
    def bands(self) -> int:
        """How many bands a frame has."""
        return self.filters.shape[1]

    @property
    def filters(self) -> np.ndarray:
        """Weight of each Fourier bin (frame_size / 2) in each band, float32; each band's sum is 1. Do not write."""
        return _filters(self.sampling_rate, self.frame_size, self.bands_per_octave, self.fmin, self.fmax)

    def frames(self, samples: int) -> int:
        """Frames that a sound of so many samples gives."""
        return int(np.ceil(samples / self.hop))

    def frame_of(self, seconds: float) -> int:
        """The first frame that does not begin before a moment: the one in which a note that begins there is heard.

        >>> [LogSpectrogram().frame_of(seconds) for seconds in (0, 0.01, 0.05, 0.35)]
        [0, 1, 1, 7]
        """
        return int(np.ceil(seconds * self.frame_rate - 1e-6))

    def __call__(self, sound: np.ndarray) -> np.ndarray:
        """A sound float (n,) in -1..1 to (T, bands) float32, log10(1 + magnitude), low band first.

        Raises:
            ValueError: not one channel of finite numbers, or empty.
        """
        sound = np.asarray(sound)
        if sound.ndim != 1 or not len(sound) or not np.issubdtype(sound.dtype, np.floating):
            raise ValueError(f"a sound must be float (n,) with samples, got {sound.dtype} of shape {sound.shape}")
        result = np.empty((self.frames(len(sound)), self.bands), np.float32)
        for start, frames in self._chunks(sound):
            magnitudes = np.abs(np.fft.rfft(frames, axis=1)[:, : self.frame_size // 2])
            result[start : start + len(frames)] = np.log10(1 + magnitudes.astype(np.float32) @ self.filters)
        if not np.isfinite(result).all():
            raise ValueError("a sound must be finite numbers, got others among its samples")
        return result

    def _chunks(self, sound: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """The first frame's number, and frames (n, frame_size) under the window, for each chunk of a sound."""
        window = np.hanning(self.frame_size).astype(np.float32)
        starts = (np.arange(self.frames(len(sound))) * self.hop).astype(np.int64)
        for number in range(0, len(starts), CHUNK):
            here = starts[number : number + CHUNK]
            part = sound[here[0] : here[-1] + self.frame_size].astype(np.float32)
            part = np.pad(part, (0, int(here[-1] - here[0]) + self.frame_size - len(part)))
            frames = np.lib.stride_tricks.sliding_window_view(part, self.frame_size)[here - here[0]]
            yield number, frames * window


@lru_cache(maxsize=4)
def _filters(sampling_rate: int, frame_size: int, bands_per_octave: int, fmin: float, fmax: float) -> np.ndarray:
    """Overlapping triangles over the distinct bins next to logarithmically spaced frequencies."""
    bins = frame_size // 2
    spacing = sampling_rate / frame_size
    lowest = int(np.floor(np.log2(fmin / A4) * bands_per_octave))
    highest = int(np.ceil(np.log2(fmax / A4) * bands_per_octave))
    frequencies = A4 * 2 ** (np.arange(lowest, highest) / bands_per_octave)
    frequencies = frequencies[(frequencies >= fmin) & (frequencies <= fmax)]
    # ties go up, as there
    centres = np.unique(np.clip(np.floor(frequencies / spacing + 0.5).astype(int), 0, bins - 1))
    if len(centres) < 3:
        raise ValueError(f"no band lies between {fmin} and {fmax} Hz at {sampling_rate} Hz and {frame_size} samples")
    filters = np.zeros((bins, len(centres) - 2), np.float32)
    for band, (start, centre, stop) in enumerate(zip(centres, centres[1:], centres[2:], strict=False)):
        rising = np.linspace(0, 1, centre - start, endpoint=False)
        triangle = np.concatenate([rising, np.linspace(1, 0, stop - centre, endpoint=False)])
        filters[start:stop, band] = triangle / triangle.sum()
    filters.flags.writeable = False
    return filters
