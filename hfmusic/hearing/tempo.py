"""The tempo of a recording: candidates from its onsets, and the one whose reading is the most convincing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hfmusic.hearing.ear import TRAINED_TEMPO, Ear, Heard
from hfmusic.hearing.onsets import Onsets
from hfmusic.hearing.timing import fit_onsets, read_notes

SLOWEST, FASTEST = 40.0, 240.0  # quarters a minute
_RELATED = (1.0, 2.0, 0.5, 1.5, 2 / 3, 3.0, 1 / 3, 4 / 3, 0.75)  # what a pulse may be of a quarter note
_CANDIDATES = 9
_SAME = 0.035  # tempos closer than this read alike


def tempo_candidates(onsets: Onsets, count: int = _CANDIDATES) -> list[float]:
    """Quarters a minute that the pulse of a recording may mean, the likeliest first; 120 is always one of them.

    Peaks of the autocorrelation of the onset strength, weighted towards a moderate pulse, and their halves, doubles
    and thirds.
    """
    found: list[tuple[float, float]] = []
    for pulse, strength in _pulses(onsets):
        found += [
            (pulse * ratio, strength * _usual(pulse * ratio) / (1 + place / 4)) for place, ratio in enumerate(_RELATED)
        ]
    found.sort(key=lambda entry: -entry[1])
    chosen = [TRAINED_TEMPO]
    for tempo, _ in found:
        if SLOWEST <= tempo <= FASTEST and all(abs(tempo / other - 1) > _SAME for other in chosen):
            chosen.append(float(tempo))
    return chosen[:count]


def _pulses(onsets: Onsets) -> list[tuple[float, float]]:
    """(pulses a minute, strength 0..1) of the three strongest periods."""
    strength = onsets.strength - onsets.strength.mean()
    size = len(strength)
    spectrum = np.fft.rfft(strength, 2 * size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:size]
    if size < 4 or correlation[0] <= 0:
        return []
    correlation = correlation / correlation[0]
    lags = np.arange(
        max(2, int(onsets.rate * 60 / FASTEST / 1.5)), min(size - 1, int(onsets.rate * 60 / SLOWEST * 1.5))
    )
    peaks = [lag for lag in lags if correlation[lag - 1] < correlation[lag] >= correlation[lag + 1]]
    pulses = []
    for lag in peaks:
        before, here, after = correlation[lag - 1 : lag + 2]
        exact = lag + 0.5 * (before - after) / min(-1e-12, before - 2 * here + after)
        pulse = 60.0 * onsets.rate / exact
        pulses.append((pulse, max(0.0, float(here)) * _usual(pulse)))
    return sorted(pulses, key=lambda entry: -entry[1])[:3]


def _usual(tempo: float) -> float:
    """How usual a tempo is, 0..1: a bell over its logarithm."""
    return float(np.exp(-0.5 * (np.log2(tempo / 108.0) / 0.6) ** 2))


def convincing(heard: Heard, onsets: Onsets) -> float:
    """How much a reading speaks for its tempo, 0..1.

    Its confidence; notes on onsets; plain figures (no dots, no ties); a usual tempo; and notes of usual length, between
    an eighth and a quarter. The exponents were fitted to melodies of the validation split, played at 70 to 160 quarters
    a minute by instruments that the model had not heard. (Measures that are full did not help.)
    """
    notes = read_notes(heard.tokens)
    if len(notes.tokens) < 2:
        return 0.0
    share = fit_onsets(notes.quarters, onsets.times, heard.tempo).share
    figures = [token for token in heard.tokens if token.startswith(("note-", "rest-"))]
    dotted = sum("." in token for token in figures) + heard.tokens.count("tie")
    plain = (0.3 + max(0.0, 1 - dotted / len(figures))) / 1.3
    length = float(np.log2(np.median(np.diff(notes.quarters))))
    fits = heard.confidence**3 * ((0.1 + share) / 1.1) ** 0.5
    return fits * plain**0.3 * _usual(heard.tempo) ** 0.6 * float(np.exp(-0.1 * (length + 0.5) ** 2))


def choose_tempo(sound: np.ndarray, ear: Ear, judge: Callable[[Heard, Onsets], float] = convincing) -> float:
    """Quarters a minute at which the greedy reading of a sound is the most convincing.

    The best candidate is read once more at the tempo that its notes turn out to have, which counts if it convinces
    more.
    """
    onsets = ear.onsets(sound)
    readings = [ear.read(sound, tempo, "greedy") for tempo in tempo_candidates(onsets)]
    best = max(readings, key=lambda heard: judge(heard, onsets))
    refined = fit_onsets(read_notes(best.tokens).quarters, onsets.times, best.tempo).tempo
    if abs(refined / best.tempo - 1) > 0.005 and SLOWEST <= refined <= FASTEST:
        again = ear.read(sound, refined, "greedy")
        best = max(best, again, key=lambda heard: judge(heard, onsets))
    return best.tempo
