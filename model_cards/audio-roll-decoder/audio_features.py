"""Constant-Q (and variable-Q) magnitudes of sound, batched, on any device: librosa's transform without librosa.

Each octave is one real matrix product: the sound is halved in rate until the octave fills the band, cut into
overlapping frames, and multiplied with the octave's kernels. Kernels are librosa's (`librosa.filters.wavelet`, made
sparse in the frequency domain as `librosa.vqt` does) brought back to the time domain, so no FFT is left to run.

torch and numpy only: this file travels to the Hub with the models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SPARSITY = 0.01  # librosa's: the share of a kernel's spectrum that is dropped, smallest first
HANN_BANDWIDTH = 1.50018310546875  # of a Hann window in bins, as librosa has it
BLOCK_FRAMES = 2048  # worked on at a time on a CPU, some 10 MB; 32 times as many elsewhere


class ConstantQ(nn.Module):
    """Magnitudes of `librosa.cqt` (`gamma` 0) or `librosa.vqt`. Defaults are paper 000's.

    It has no parameters and no buffers: kernels are computed at the first call on a device and kept there outside
    `state_dict`, so checkpoints do not carry them and `from_pretrained`'s meta device cannot lose them. Arithmetic is
    float32 whatever the model's type, and gradients stop here.

    In decibels over 80 below the maximum, taken as 0..1, it differs from librosa (0.11, soxr_hq) by less than 0.0005
    on average and 0.02 at the 99.9th percentile, on music, noise and sweeps. The most is 0.11: single values near 0 in
    the first quarter of a second (benchmarks/audio_features.md).

    Args:
        sampling_rate: of the sound, in Hz.
        hop_length: samples from one frame to the next.
        fmin: frequency of the lowest bin in Hz.
        n_bins, bins_per_octave: how many bins, and how densely.
        gamma: widens low bins by this many Hz: shorter kernels, sharper onsets.

    Raises:
        ValueError: an option is not positive, or the highest bin is above half the sampling rate.
    """

    def __init__(
        self,
        sampling_rate: int = 22050,
        hop_length: int = 512,
        fmin: float = 32.70319566257483,
        n_bins: int = 120,
        bins_per_octave: int = 24,
        gamma: float = 0.0,
    ) -> None:
        super().__init__()
        if min(sampling_rate, hop_length, fmin, bins_per_octave) <= 0 or n_bins < 2 or gamma < 0:
            raise ValueError(
                "sampling_rate, hop_length, fmin and bins_per_octave must be positive, n_bins at least 2 and gamma "
                f"not negative, got {sampling_rate}, {hop_length}, {fmin}, {bins_per_octave}, {n_bins} and {gamma}"
            )
        self.sampling_rate, self.hop_length, self.fmin = sampling_rate, hop_length, fmin
        self.n_bins, self.bins_per_octave, self.gamma = n_bins, bins_per_octave, gamma
        self._octaves = _octaves(sampling_rate, hop_length, self._frequencies(), bins_per_octave, gamma)
        self._kernels: dict[torch.device, tuple[Tensor, list[Tensor]]] = {}

    def _frequencies(self) -> np.ndarray:
        return self.fmin * 2.0 ** (np.arange(self.n_bins) / self.bins_per_octave)

    def extra_repr(self) -> str:
        return f"{self.sampling_rate} Hz, hop {self.hop_length}, {self.n_bins} bins from {self.fmin:.2f} Hz"

    def __getstate__(self) -> dict[str, Any]:
        """Without the kernels: they are cheap to make and belong to a device."""
        return {**self.__dict__, "_kernels": {}}

    def frames(self, samples: int) -> int:
        """Frames that a sound of so many samples gives."""
        return samples // self.hop_length + 1

    @torch.no_grad()
    def forward(self, sound: Tensor) -> Tensor:
        """(B, n) -> magnitudes (B, n_bins, n // hop_length + 1) float32, low pitch first.

        Frame `t` is centred on sample `t * hop_length`; beyond both ends is silence.

        Raises:
            ValueError: `sound` is not of shape (B, n) with n > 0.
        """
        if sound.ndim != 2 or sound.shape[1] == 0 or not sound.is_floating_point():
            raise ValueError(f"sound must be floats of shape (B, n), got {sound.dtype} of shape {tuple(sound.shape)}")
        total = self.frames(sound.shape[1])
        result = sound.new_empty((sound.shape[0], self.n_bins, total), dtype=torch.float32)
        step = BLOCK_FRAMES if sound.device.type == "cpu" else 32 * BLOCK_FRAMES
        items = max(1, step // total)
        with torch.autocast(sound.device.type, enabled=False):
            for item in range(0, len(sound), items):
                for first in range(0, total, step):
                    some = self._block(sound[item : item + items], first, min(step, total - first))
                    result[item : item + items, :, first : first + some.shape[2]] = some
        return result

    def _block(self, sound: Tensor, first: int, count: int) -> Tensor:
        """`count` frames from the `first` on, (B, n_bins, count)."""
        margin = _margin(self._octaves, self.hop_length)
        begin, end = first * self.hop_length - margin, (first + count - 1) * self.hop_length + margin
        before, after = max(0, -begin), max(0, end - sound.shape[1])  # samples beyond the ends
        sound = F.pad(sound[:, max(0, begin) : end].float(), (before, after))
        halving, kernels = self._on(sound.device)
        rows, rate = [], 1
        for octave, kernel in zip(self._octaves, kernels, strict=True):
            while rate < octave.decimation:
                sound = _halved(sound, halving)
                rate *= 2
                sound[:, : before // rate] = 0  # no ringing beyond the ends, as librosa has it
                sound[:, sound.shape[1] - after // rate :] = 0
            size, hop = kernel.shape[0], self.hop_length // rate
            start = margin // rate - size // 2
            frames = sound[:, start : start + (count - 1) * hop + size].unfold(1, size, hop)
            real, imaginary = (frames @ kernel).unflatten(2, (2, -1)).unbind(2)
            rows.append(torch.hypot(real, imaginary))
        return torch.cat(rows[::-1], dim=2).transpose(1, 2)

    def _on(self, device: torch.device) -> tuple[Tensor, list[Tensor]]:
        """The halving matrix and each octave's kernels (size, 2 * bins: real parts, imaginary parts)."""
        if device not in self._kernels:
            arrays = [octave_kernels(self.sampling_rate, self.gamma, octave) for octave in self._octaves]
            halving, *kernels = (torch.from_numpy(array).to(device) for array in (_halving_matrix(), *arrays))
            self._kernels[device] = (halving, kernels)
        return self._kernels[device]


@dataclass(frozen=True)
class Octave:
    """Bins that are computed together, at `1 / decimation` of the sound's rate. `alpha` is their relative bandwidth."""

    frequencies: np.ndarray
    alpha: np.ndarray
    decimation: int
    size: int  # samples in a frame, at that rate


def _octaves(sampling_rate: int, hop: int, frequencies: np.ndarray, per_octave: int, gamma: float) -> list[Octave]:
    """From the highest down; rates and sizes are those librosa chooses."""
    alpha = relative_bandwidth(frequencies)
    cutoff = float(np.max(frequencies * (1 + 0.5 * HANN_BANDWIDTH * alpha) + 0.5 * gamma))
    if cutoff > sampling_rate / 2:
        raise ValueError(f"the highest bin reaches {cutoff:.0f} Hz, above half the sampling rate of {sampling_rate} Hz")
    count = -(-len(frequencies) // per_octave)
    twos = (hop & -hop).bit_length() - 1
    spare = int(np.ceil(np.log2(sampling_rate / 2 / cutoff)) - 1) - 1
    halvings = min(max(0, spare), max(0, twos - count + 1))
    octaves = []
    for number in range(count):
        bins = slice(max(0, len(frequencies) - (number + 1) * per_octave), len(frequencies) - number * per_octave)
        longest = kernel_lengths(sampling_rate / 2**halvings, frequencies[bins], alpha[bins], gamma).max()
        octaves.append(Octave(frequencies[bins], alpha[bins], 2**halvings, int(2 ** np.ceil(np.log2(longest)))))
        halvings = min(halvings + 1, twos)
    return octaves


def _margin(octaves: list[Octave], hop: int) -> int:
    """Samples before and after a frame's centre on which it can depend, rounded up to whole hops."""
    reach = max(octave.size // 2 * octave.decimation for octave in octaves)
    reach += len(halving_filter()) // 2 * (max(octave.decimation for octave in octaves) - 1)
    return -(-reach // hop) * hop


def relative_bandwidth(frequencies: np.ndarray) -> np.ndarray:
    """Bandwidth over frequency of each bin, from the distance of its neighbours."""
    octaves = np.log2(frequencies)
    steps = np.gradient(octaves)
    return (2.0 ** (2 * steps) - 1) / (2.0 ** (2 * steps) + 1)


def kernel_lengths(rate: float, frequencies: np.ndarray, alpha: np.ndarray, gamma: float) -> np.ndarray:
    """Length of each bin's kernel in samples, a fraction allowed."""
    return rate / alpha / (frequencies + gamma / alpha)


def octave_kernels(sampling_rate: int, gamma: float, octave: Octave) -> np.ndarray:
    """float32 (size, 2 * bins): a frame times this is the bins' real parts, then their imaginary parts."""
    rate = sampling_rate / octave.decimation
    lengths = kernel_lengths(rate, octave.frequencies, octave.alpha, gamma)
    waves = np.zeros((len(lengths), octave.size), np.complex128)
    for row, (length, frequency) in enumerate(zip(lengths, octave.frequencies, strict=True)):
        times = np.arange(-length // 2, length // 2)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(times)) / len(times))
        start = (octave.size - len(times)) // 2
        waves[row, start : start + len(times)] = np.exp(2j * np.pi * frequency / rate * times) * window / window.sum()
    spectra = np.fft.fft(waves, axis=1) / octave.size
    spectra[:, octave.size // 2 + 1 :] = 0
    full_lengths = kernel_lengths(sampling_rate, octave.frequencies, octave.alpha, gamma)
    spectra = _sparse(spectra) * np.sqrt(full_lengths)[:, None]
    # sum_k spectrum[k] DFT(frame)[k] = sum_n frame[n] DFT(spectrum)[n]
    kernels = np.fft.fft(spectra, axis=1).T
    return np.concatenate([kernels.real, kernels.imag], axis=1).astype(np.float32)


def _sparse(spectra: np.ndarray) -> np.ndarray:
    """Each row without its smallest values, which together make less than `SPARSITY` of it."""
    sizes = np.abs(spectra)
    ordered = np.sort(sizes, axis=1)
    share = np.cumsum(ordered, axis=1) / ordered.sum(axis=1, keepdims=True)
    first = np.argmin(share < SPARSITY, axis=1)
    return np.where(sizes >= np.take_along_axis(ordered, first[:, None], axis=1), spectra, 0)


def _halving_matrix(outputs: int = 64) -> np.ndarray:
    """float32 (samples, outputs): the halving filter at every second sample. A convolution with one channel is slow."""
    taps = halving_filter()
    matrix = np.zeros((2 * outputs - 2 + len(taps), outputs), np.float32)
    for column in range(outputs):
        matrix[2 * column : 2 * column + len(taps), column] = taps
    return matrix


def _halved(sound: Tensor, matrix: Tensor) -> Tensor:
    """(B, n) at half the rate, (B, ceil(n / 2)): sample `m` is where sample `2 m` was. Silence beyond the ends."""
    samples, outputs = matrix.shape
    wanted = -(-sound.shape[1] // 2)
    rows = -(-wanted // outputs)
    half = (samples - 2 * outputs + 2) // 2
    padded = F.pad(sound, (half, (rows - 1) * 2 * outputs + samples - half - sound.shape[1]))
    return (padded.unfold(1, samples, 2 * outputs) @ matrix).flatten(1)[:, :wanted]


def halving_filter(half: int = 40, beta: float = 9.0) -> np.ndarray:
    """Low-pass before every second sample is dropped: odd, symmetric, its sum 1. It passes three quarters of the new
    band and stops by 90 dB what would fold back into them; kernels need the lower half."""
    times = np.arange(-half, half + 1)
    taps = np.sinc(times * 0.47) * np.kaiser(2 * half + 1, beta)
    return taps / taps.sum()
