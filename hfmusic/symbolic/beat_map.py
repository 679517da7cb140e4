"""When the quarters of a MIDI file are, and in which measures, by its own tempo events and meters."""

from __future__ import annotations

from dataclasses import dataclass

import mido
import numpy as np

from .midi import open_midi

_STEADY = 500_000  # microseconds a quarter where a file names none
_COMMON = 4.0  # quarters a measure, likewise
_SHORTEST = 0.25  # quarters: a measure in a damaged meter is none
_BEYOND = 1e6  # quarters after the end


@dataclass(frozen=True)
class BeatMap:
    """Quarters against seconds, straight from mark to mark.

    Attributes:
        quarters, seconds: float64 (n,) of the marks, both ascending.
        measures: (number, quarter at which it begins) each, ascending.
    """

    quarters: np.ndarray
    seconds: np.ndarray
    measures: tuple[tuple[str, float], ...] = ()

    def quarters_at(self, seconds: np.ndarray | float) -> np.ndarray:
        """Where moments are."""
        return np.asarray(np.interp(seconds, self.seconds, self.quarters))

    def seconds_at(self, quarters: np.ndarray | float) -> np.ndarray:
        """When quarters are."""
        return np.asarray(np.interp(quarters, self.quarters, self.seconds))


def read_beat_map(data: bytes) -> BeatMap:
    """The beats of a standard MIDI file; without tempo events 120 quarters a minute, without meters 4/4.

    Raises:
        ValueError: bytes that are no standard MIDI file, or one timed in SMPTE frames.
    """
    file = open_midi(data)
    tempos, meters, end = _events(file)
    marks = np.array(sorted(tempos), np.float64) / file.ticks_per_beat
    pace = np.array([tempos[tick] for tick in sorted(tempos)], np.float64) / 1e6
    quarters = np.append(marks, marks[-1] + _BEYOND)
    seconds = np.concatenate([[0.0], np.cumsum(np.diff(quarters) * pace)])
    begins = {tick / file.ticks_per_beat: length for tick, length in sorted(meters.items())}
    return BeatMap(quarters, seconds, _measures(begins, end / file.ticks_per_beat))


def _events(file: mido.MidiFile) -> tuple[dict[int, int], dict[int, float], int]:
    """Microseconds a quarter, and quarters a measure, from which tick on; and the last tick."""
    tempos, meters, end = {0: _STEADY}, {0: _COMMON}, 0
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempos[tick] = max(1, message.tempo)
            elif message.type == "time_signature":
                meters[tick] = max(_SHORTEST, 4 * message.numerator / message.denominator)
        end = max(end, tick)
    return tempos, meters, end


def _measures(meters: dict[float, float], end: float) -> tuple[tuple[str, float], ...]:
    """Counted from 1; a new meter begins a new one."""
    stops = [*list(meters)[1:], end]
    begins = [
        begin
        for (first, length), last in zip(meters.items(), stops, strict=True)
        for begin in np.arange(first, last - 1e-6, length).tolist()
    ]
    return tuple((str(number), begin) for number, begin in enumerate(begins, start=1))
