"""How loud a recording is over time, in little memory: where it sounds, and its quiet moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hfmusic.models.audio_reading import Sound

_STEP_SECONDS = 0.05
SILENT = 1e-4  # a recording whose peak stays below is silent
_DIGITAL = 2e-5  # quieter than any microphone: silence that was written on purpose
_BELOW_DECIBELS = 45.0  # of the loudest step: where music has ended, or not begun
_AT_LEAST_DECIBELS = 32.0  # of the loudest step: what is louder is never taken for noise
_QUIETEST, _ABOVE_NOISE = 0.05, 3.0  # share of the steps that are noise, if there is any, and what stands out of it
_PAUSE_SECONDS = 3.0  # silence that parts a long recording
_BEFORE, _AFTER = 0.1, 0.6  # seconds kept around what sounds
_LONGEST_REST = 5.0  # a written rest at either end, in seconds
_BLOCK_STEPS = 400


@dataclass(frozen=True)
class Loudness:
    """Root mean square of each `step` (in seconds), and the highest sample."""

    levels: np.ndarray
    peak: float
    seconds: float
    step: float

    @property
    def threshold(self) -> float:
        """Below it a step is silent: it is far softer than the loudest, or hardly louder than the quietest."""
        loudest = float(self.levels.max(initial=0.0))
        quietest = float(np.quantile(self.levels, _QUIETEST)) if len(self.levels) else 0.0
        noise = min(_ABOVE_NOISE * quietest, loudest * 10 ** (-_AT_LEAST_DECIBELS / 20))
        return max(SILENT / 4, loudest * 10 ** (-_BELOW_DECIBELS / 20), noise)

    def at(self, seconds: float) -> float:
        """The level at a moment."""
        return float(self.levels[min(len(self.levels) - 1, max(0, int(seconds / self.step)))])

    def quietest(self, start: float, end: float) -> float:
        """The second in `start` to `end` where it is quietest."""
        first = int(start / self.step)
        inside = self.levels[first : max(first + 1, int(end / self.step))]
        return (first + (int(inside.argmin()) if len(inside) else 0) + 0.5) * self.step

    def sections(self) -> list[tuple[float, float]]:
        """(start, end) in seconds of the parts that sound, those with less than a pause between joined."""
        loud = np.flatnonzero(self.levels > self.threshold)
        if not len(loud):
            return []
        breaks = np.flatnonzero(np.diff(loud) * self.step > _PAUSE_SECONDS)
        firsts, lasts = loud[np.append(0, breaks + 1)], loud[np.append(breaks, len(loud) - 1)]
        return [
            (max(0.0, first * self.step - _BEFORE), min(self.seconds, (last + 1) * self.step + _AFTER))
            for first, last in zip(firsts, lasts, strict=True)
        ]

    def music(self) -> tuple[float, float] | None:
        """(start, end) in seconds of all that sounds; None for silence.

        What is quiet at an end is cut off, unless it is perfectly silent and short: such silence is a written rest.
        """
        parts = self.sections()
        if not parts or self.peak < SILENT:
            return None
        start, end = parts[0][0], parts[-1][1]
        before, after = self.levels[: int(start / self.step)], self.levels[int(end / self.step) + 1 :]
        if start <= _LONGEST_REST and before.max(initial=0.0) < _DIGITAL:
            start = 0.0
        if self.seconds - end <= _LONGEST_REST and after.max(initial=0.0) < _DIGITAL:
            end = self.seconds
        return start, end


def loudness(sound: Sound) -> Loudness:
    """Reads the whole recording once, a block at a time.

    Raises:
        ValueError: a recording that cannot be decoded to its end.
    """
    size = round(_STEP_SECONDS * sound.sampling_rate)
    step = size / sound.sampling_rate
    seconds = _BLOCK_STEPS * step
    levels, peak = [], 0.0
    for number in range(int(np.ceil(sound.seconds / seconds))):
        block = sound.window(number * seconds, (number + 1) * seconds)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        steps = -(-len(block) // size)
        padded = np.pad(block, (0, steps * size - len(block))).reshape(steps, size)
        levels.append(np.sqrt((padded.astype(np.float64) ** 2).mean(axis=1)))
    return Loudness(np.concatenate([*levels, np.zeros(0)]), peak, sound.seconds, step)
