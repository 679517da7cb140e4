"""Sounds as if recorded elsewhere: a room, an equaliser, noise. No onset moves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np

PARTS = ("room", "noise", "eq")
EQ_HERTZ = (62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
_ROOM_SECONDS, _WET_DECIBELS = (0.15, 1.2), (-18.0, -4.0)
_NOISE_DECIBELS = (20.0, 60.0)
_EQ_TILT, _EQ_SPREAD = 2.0, 2.0  # decibels an octave of the tilt, decibels of each band around it
_TRANSFORM_STEP = 8192
_DIRECT_SECONDS = 0.003  # between the direct sound and the first reflections


@dataclass(frozen=True)
class Treatment:
    """What is done to a sound.

    Attributes:
        room_seconds: the time in which the room's echo falls by 60 dB; 0: no room.
        room_decibels: the echo's energy beside the direct sound's.
        noise_decibels: the signal above the noise; None: no noise.
        eq_decibels: gains at `EQ_HERTZ`, () for none.
    """

    room_seconds: float = 0.0
    room_decibels: float = 0.0
    noise_decibels: float | None = None
    eq_decibels: tuple[float, ...] = ()

    @classmethod
    def sample(cls, rng: np.random.Generator, parts: Collection[str]) -> Self:
        """Draw one; `parts` among `PARTS` are used, each in two of three sounds."""
        used = dict(zip(PARTS, rng.random(len(PARTS)) < 2 / 3, strict=True))
        room, wet = rng.uniform(*_ROOM_SECONDS), rng.uniform(*_WET_DECIBELS)
        noise = rng.uniform(*_NOISE_DECIBELS)
        tilt, bands = rng.uniform(-_EQ_TILT, _EQ_TILT), rng.normal(0, _EQ_SPREAD, len(EQ_HERTZ))
        octaves = np.arange(len(EQ_HERTZ)) - (len(EQ_HERTZ) - 1) / 2
        walls = "room" in parts and used["room"]
        return cls(
            room_seconds=round(float(room), 3) if walls else 0.0,
            room_decibels=round(float(wet), 2) if walls else 0.0,
            noise_decibels=round(float(noise), 2) if "noise" in parts and used["noise"] else None,
            eq_decibels=tuple(np.round(tilt * octaves + bands, 2).tolist()) if "eq" in parts and used["eq"] else (),
        )

    def of(self, sound: np.ndarray, sampling_rate: int, rng: np.random.Generator) -> np.ndarray:
        """The sound so treated, float32 (n,), as long as it was."""
        if self.room_seconds or self.eq_decibels:
            sound = self._filtered(sound, sampling_rate, rng)
        if self.noise_decibels is not None:
            noise = _noise(len(sound), sampling_rate, rng)
            sound = sound + noise * np.float32(_level(sound) * 10 ** (-self.noise_decibels / 20))
        return sound.astype(np.float32)

    def _filtered(self, sound: np.ndarray, sampling_rate: int, rng: np.random.Generator) -> np.ndarray:
        """Equaliser (zero phase) and echo, in one transform of the whole sound."""
        echo = self._echo(sampling_rate, rng)
        size = _transform_size(len(sound) + len(echo))
        spectrum = np.fft.rfft(sound, size)
        if self.eq_decibels:
            octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / sampling_rate), 1.0))
            gains = np.interp(octaves, np.log2(EQ_HERTZ), self.eq_decibels)
            spectrum *= (10 ** (gains / 20)).astype(np.float32)
        if self.room_seconds:
            spectrum *= 1 + np.fft.rfft(echo, size)
        return np.asarray(np.fft.irfft(spectrum, size)[: len(sound)])

    def _echo(self, sampling_rate: int, rng: np.random.Generator) -> np.ndarray:
        """What a room adds to a click: noise that falls by 60 dB in `room_seconds`, duller and duller."""
        if not self.room_seconds:
            return np.zeros(0, np.float32)
        times = np.arange(int(self.room_seconds * sampling_rate)) / sampling_rate
        white = rng.standard_normal(len(times)).astype(np.float32)
        dull = np.convolve(white, np.full(4, 0.25, np.float32))[: len(white)]
        late = times / self.room_seconds
        echo = (white * (1 - late) + dull * 2 * late) * 10 ** (-3 * late)
        echo = np.concatenate([np.zeros(int(_DIRECT_SECONDS * sampling_rate)), echo])
        return (echo * 10 ** (self.room_decibels / 20) / np.sqrt((echo**2).sum())).astype(np.float32)


def _noise(samples: int, sampling_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of mean square 1 between white and brown, as hiss and hum of a recording."""
    size = _transform_size(samples)
    spectrum = np.fft.rfft(rng.standard_normal(size).astype(np.float32))
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / sampling_rate), 30.0)
    spectrum *= ((hertz / 1000) ** -rng.uniform(0, 1)).astype(np.float32)
    noise = np.fft.irfft(spectrum, size)[:samples]
    return np.asarray(noise / _level(noise), np.float32)


def _transform_size(samples: int) -> int:
    """A size not below it that transforms fast: no large prime factor."""
    return -(-samples // _TRANSFORM_STEP) * _TRANSFORM_STEP


def _level(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) or 1.0
