"""Damage of sounds while training: what differs between instruments, rooms and microphones, and leaves the notes alone.

Everything follows from one `numpy.random.Generator`. A crop is filtered once, in the frequency domain: equaliser, room
and noise cost two Fourier transforms together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KNOTS = 24  # points of an equaliser's curve, over all octaves from LOWEST_HZ up
LOWEST_HZ = 20.0
FFT_MULTIPLE = 8192  # lengths of transforms: their largest prime factor stays small
LONGEST_ROOM = 1.5  # seconds in which a room's answer has decayed by 60 dB, at most


@dataclass(frozen=True)
class SoundAugmentConfig:
    """How often, and how much. Each probability is per crop, each amount a bound; all probabilities 0: nothing.

    `detune` in cents, by playing faster or slower. `tilt` in dB per octave about 500 Hz; `bands` is the standard
    deviation, in dB, of an equaliser's curve that is smooth over about an octave. `room_seconds` is the longest time in
    which a room's answer decays by 60 dB, `room_level` how loud all of it is, in parts of the direct sound. `noise_db`
    are the least and the greatest ratio of sound to noise; the noise's colour is white to brown. `reference_db`: the
    loudest place of the recording, to which features are relative, is taken to be up to so much louder than it is.
    """

    detune_probability: float = 0.0
    detune: float = 20.0
    equaliser_probability: float = 0.0
    tilt: float = 2.0
    bands: float = 3.0
    room_probability: float = 0.0
    room_seconds: float = 0.8
    room_level: float = 0.5
    noise_probability: float = 0.0
    noise_db: tuple[float, float] = (15.0, 50.0)
    reference_probability: float = 0.0
    reference_db: float = 15.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name.endswith("_probability") and not 0 <= value <= 1:
                raise ValueError(f"sound_augment.{name} must be 0 to 1, got {value}")
            if isinstance(value, float) and value < 0:
                raise ValueError(f"sound_augment.{name} must not be negative, got {value}")
        if len(self.noise_db) != 2 or self.noise_db[0] > self.noise_db[1]:
            raise ValueError(f"sound_augment.noise_db must be the least and the greatest, got {list(self.noise_db)}")
        if not 0 < self.room_seconds <= LONGEST_ROOM or self.detune > 50:
            raise ValueError(
                f"sound_augment.room_seconds must be up to {LONGEST_ROOM} and detune up to 50, "
                f"got {self.room_seconds} and {self.detune}"
            )


def draw_speed(config: SoundAugmentConfig, rng: np.random.Generator) -> float:
    """How much faster a crop is played, 1: as it is. Pitch rises with it, by at most `detune` cents."""
    if rng.random() >= config.detune_probability:
        return 1.0
    return float(2 ** (config.detune * rng.uniform(-1, 1) / 1200))


def draw_reference(config: SoundAugmentConfig, rng: np.random.Generator) -> float:
    """How much louder, in dB, a recording's loudest place is taken to be. Small values are more frequent."""
    if rng.random() >= config.reference_probability:
        return 0.0
    return float(config.reference_db * rng.random() ** 2)


def change_speed(sound: np.ndarray, speed: float, length: int) -> np.ndarray:
    """The first `length` samples of a sound (n,) played at `speed`; silence where it ends before."""
    if speed != 1.0:
        import soxr

        sound = soxr.resample(sound, speed, 1.0, quality="LQ")
    missing = length - len(sound)
    return np.pad(sound, (0, missing)) if missing > 0 else sound[:length]


def augment_sound(
    sound: np.ndarray, sampling_rate: int, config: SoundAugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """Filter a sound, float32 (n,) -> float32 (n,): equaliser, room, noise. Nothing moves in time."""
    equalised, roomy, noisy = (
        rng.random() < share
        for share in (config.equaliser_probability, config.room_probability, config.noise_probability)
    )
    level = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    if not (equalised or roomy or noisy) or level == 0:
        return sound
    room = _room(sampling_rate, config, rng) if roomy else None
    size = -(-(len(sound) + (0 if room is None else len(room))) // FFT_MULTIPLE) * FFT_MULTIPLE
    spectrum = np.fft.rfft(sound, size)
    frequencies = np.fft.rfftfreq(size, 1 / sampling_rate).astype(np.float32)
    if room is not None:
        spectrum *= np.fft.rfft(room, size)
    if equalised:
        spectrum *= _equaliser(frequencies, config, rng)
    if noisy:
        spectrum += _noise(frequencies, level, config, rng)
    return np.fft.irfft(spectrum, size)[: len(sound)].astype(np.float32, copy=False)


def _equaliser(frequencies: np.ndarray, config: SoundAugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Gain of each frequency, float32."""
    octaves = np.log2(np.maximum(frequencies, LOWEST_HZ) / LOWEST_HZ)
    knots = np.linspace(0, octaves[-1], KNOTS)
    curve = np.convolve(rng.standard_normal(KNOTS + 2), [0.5, 0.7, 0.5], mode="valid") * config.bands
    curve += config.tilt * rng.uniform(-1, 1) * (knots - np.log2(500 / LOWEST_HZ))
    return (10 ** (np.interp(octaves, knots, curve) / 20)).astype(np.float32)


def _room(sampling_rate: int, config: SoundAugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """A room's answer to a click: the click, and after a moment noise that decays."""
    decay = config.room_seconds * rng.uniform(0.1, 1)
    tail = rng.standard_normal(int(decay * sampling_rate), np.float32)
    tail *= np.exp(np.linspace(0, -np.log(1000), len(tail), dtype=np.float32))
    tail[: int(rng.uniform(0.001, 0.02) * sampling_rate)] = 0
    tail *= config.room_level * rng.random() / max(float(np.sqrt(np.sum(tail**2))), 1e-9)
    tail[0] = 1.0
    return tail


def _noise(frequencies: np.ndarray, level: float, config: SoundAugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """The spectrum of noise, so much softer than a sound of the level (root mean square) `level`."""
    size = 2 * (len(frequencies) - 1)
    pair = rng.standard_normal((2, len(frequencies)), np.float32)
    noise = (pair[0] + 1j * pair[1]) * np.maximum(frequencies, LOWEST_HZ) ** -rng.uniform(0, 1)
    power = float(np.sqrt(2 * np.sum(np.abs(noise) ** 2))) / size
    ratio = 10 ** (rng.uniform(*config.noise_db) / 20)
    return noise.astype(np.complex64) * np.float32(level / ratio / power)
