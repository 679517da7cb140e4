"""Chroma of sound and of notes, to be compared: what sounds in each pitch class, and what begins to.

Both come out of one mould: energies of the keys of a piano, 25 frames a second. Sound gives them by a Fourier
transform; notes by a plain model of strings (a sudden beginning, a decay, four overtones) seen through the same window.
What follows (compression, folding into pitch classes, differences in time) is the same for both.
After Ewert, Mueller and Grosche, High Resolution Audio Synchronization Using Chroma Onset Features (ICASSP 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np

SAMPLING_RATE = 22050
HOP = 882
FRAME_RATE = SAMPLING_RATE / HOP  # 25 a second; frame t is centred at t / 25 s
WINDOW = 4096
SIZE = 24  # of a frame's features: 12 that sound, 12 that begin
LOWEST, KEYS = 36, 72  # MIDI pitches 36 to 107
_BLOCK = 1000  # frames that are transformed at a time
_COMPRESSION, _ONSET_COMPRESSION = 100.0, 10.0
_SILENT = 0.02  # of a frame's loudness against the recording's
_OVERTONES = ((0, 1.0), (12, 0.5), (19, 0.3), (24, 0.2), (28, 0.1))  # semitones above, and how loud
_DECAY = 1.2  # a second
_RELEASE = 0.1  # seconds that a note sounds on
_ONSET_WEIGHT = 3.0  # of squared distances: 1 and 3 give median errors of 36 and 31 ms on a song with a changing tempo

Samples = Callable[[int, int], np.ndarray]  # (first, last) -> float32 (last - first,) of a recording at 22,050 Hz
Played = Iterable[Sequence[float]]  # onset and offset in seconds, MIDI pitch; more may follow


def sound_energies(samples: Samples | np.ndarray, count: int | None = None) -> np.ndarray:
    """Energies of the keys in a recording: float32 (T, 72), T = 1 + n // 882.

    Args:
        samples: float32 (n,) at 22,050 Hz; or what gives any part of them, so that a long recording stays on disk.
        count: n, where a function gives the samples.

    Raises:
        ValueError: no samples.
    """
    if isinstance(samples, np.ndarray):
        whole = samples
        samples, count = (lambda first, last: whole[first:last]), len(whole)
    if not count:
        raise ValueError("a recording without samples has no chroma")
    from scipy import fft

    frames, half = 1 + count // HOP, WINDOW // 2
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    found = []
    for begin in range(0, frames, _BLOCK):
        end = min(begin + _BLOCK, frames)
        first, last = begin * HOP - half, (end - 1) * HOP + half
        inside = np.asarray(samples(max(first, 0), min(last, count)), np.float32)
        padded = np.pad(inside, (max(-first, 0), max(last - count, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][: end - begin]
        found.append(np.abs(fft.rfft(windows * hann, axis=1)).astype(np.float32) @ _key_filters())
    return np.concatenate(found)


@cache
def _key_filters() -> np.ndarray:
    """(bins, keys): triangles of a semitone to both sides, wider where the bins are farther apart."""
    hertz = np.arange(1, WINDOW // 2 + 1) * SAMPLING_RATE / WINDOW
    pitches = 69 + 12 * np.log2(hertz / 440)
    spacing = 12 * np.log2(1 + SAMPLING_RATE / WINDOW / (440 * 2 ** ((np.arange(KEYS) + LOWEST - 69) / 12)))
    apart = np.abs(pitches[:, None] - (np.arange(KEYS) + LOWEST)) / np.maximum(1.0, spacing)
    triangles = np.concatenate([np.zeros((1, KEYS)), np.maximum(0, 1 - apart)])
    return (triangles / np.maximum(triangles.sum(axis=0), 1e-9)).astype(np.float32)


def note_energies(notes: Played, seconds: float | None = None) -> np.ndarray:
    """Energies of the keys as notes would sound: float32 (T, 72).

    Args:
        notes: (onset in seconds, offset in seconds, MIDI pitch) each; other fields may follow.
        seconds: the length; None: to the end of the last note.

    Raises:
        ValueError: no notes.
    """
    listed = [(float(note[0]), float(note[1]), int(note[2])) for note in notes]
    if not listed:
        raise ValueError("a score without notes has no chroma")
    end = max(offset for _, offset, _ in listed) + _RELEASE if seconds is None else seconds
    energies = np.zeros((1 + int(np.ceil(end * FRAME_RATE)), KEYS), np.float32)
    reach = WINDOW / HOP / 2  # frames before a note's beginning at which the window first sees it
    for onset, offset, pitch in listed:
        first, last = onset * FRAME_RATE, (offset + _RELEASE) * FRAME_RATE
        frames = np.arange(max(0, int(np.ceil(first - reach))), min(len(energies), int(last + reach) + 1))
        seen = _seen((frames - first) / reach) - _seen((frames - last) / reach)
        loud = seen * np.exp(-_DECAY * np.maximum(frames - first, 0) / FRAME_RATE)
        for above, share in _OVERTONES:
            key = pitch + above - LOWEST
            if 0 <= key < KEYS:
                energies[frames, key] = np.maximum(energies[frames, key], share * loud)
    return energies


def _seen(place: np.ndarray) -> np.ndarray:
    """How much of the window has passed a moment; `place` is -1 where it first touches it, 1 where it has left it."""
    inside = np.clip(place, -1, 1)
    return (inside + 1) / 2 + np.sin(np.pi * inside) / (2 * np.pi)


def features(energies: np.ndarray) -> np.ndarray:
    """Energies of keys as vectors to align by squared distance: float32 (T, 24).

    The first half is what sounds, a unit vector with mean 0 (0 where it is silent); the second what begins, 1.7 long at
    the strongest beginnings of the seconds around it.
    """
    sounding = fold(peaks(energies, _COMPRESSION))
    lengths = np.linalg.norm(sounding, axis=1, keepdims=True)
    sounding = _units(sounding - sounding.mean(axis=1, keepdims=True)) * (lengths > _SILENT * lengths.max(initial=0.0))
    loud = peaks(energies, _ONSET_COMPRESSION)
    frames = np.arange(len(loud))
    beginning = fold(np.maximum(loud[np.minimum(frames + 1, len(loud) - 1)] - loud[np.maximum(frames - 1, 0)], 0))
    strongest = _around(np.linalg.norm(beginning, axis=1), round(FRAME_RATE))
    floor = 0.1 * float(strongest.max(initial=0.0)) + 1e-9
    beginning *= _ONSET_WEIGHT**0.5 / np.maximum(strongest, floor)[:, None]
    return np.concatenate([sounding, beginning], axis=1).astype(np.float32)


def peaks(energies: np.ndarray, compression: float) -> np.ndarray:
    """Compressed energies (T, 72) above those of the octave around each key: without what noise and neighbours' skirts
    add."""
    from scipy.ndimage import uniform_filter1d

    scale = float(np.percentile(energies.max(axis=1), 95)) or 1.0
    loud = np.log1p(compression / scale * energies)
    return np.maximum(loud - uniform_filter1d(loud, 13, axis=1), 0)


def _units(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def _around(values: np.ndarray, reach: int) -> np.ndarray:
    """The largest of the values up to `reach` frames away."""
    from scipy.ndimage import maximum_filter1d

    return np.asarray(maximum_filter1d(values, 2 * reach + 1, mode="nearest"))


def fold(keys: np.ndarray) -> np.ndarray:
    """(T, 72) of keys -> (T, 12) of pitch classes: sums."""
    return np.asarray(keys.reshape(len(keys), KEYS // 12, 12).sum(axis=1))


def shrink(vectors: np.ndarray, count: int) -> np.ndarray:
    """Vectors of every `count` frames together: means, what sounds of unit length again."""
    if count == 1:
        return vectors
    edges = np.arange(0, len(vectors), count)
    means = np.add.reduceat(vectors, edges, axis=0) / np.diff([*edges, len(vectors)])[:, None]
    means[:, :12] = _units(means[:, :12])
    return np.asarray(means, np.float32)
