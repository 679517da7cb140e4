"""The grid of beats that a recording is looked up on: tracked in its onsets, or even where the tempo is given."""

from __future__ import annotations

import numpy as np

from hfmusic.hearing.beats import track_beats
from hfmusic.hearing.onsets import find_onsets
from hfmusic.models.feature_extraction_music import MusicFeatures
from hfmusic.models.feature_extraction_transcriber import TranscriberFeatureExtractor
from hfmusic.symbolic.performance import PerformedNote

RIVALS = (1.0, 2.0, 0.5, 1.5, 2 / 3)  # beats that are easily taken for one another, to a tracked one
_HOP = 256
_BINS = 72  # semitones from A1 on
_FEWEST = 4  # onsets that beats can be tracked in
_TEMPO = 120.0  # quarters a minute, where there are fewer


def beat_times(sound: np.ndarray, sampling_rate: int, tempo: float | None = None) -> np.ndarray:
    """Seconds of the beats of a recording, increasing, from 0 s or before to its end or after.

    Args:
        sound: float (n,).
        tempo: quarters a minute of beats that are all equally long; None: they are tracked, and followed.

    Raises:
        ValueError: a tempo out of range.
    """
    notes = _beginnings(sound, sampling_rate)
    if len(notes) < _FEWEST:
        tempo = _TEMPO if tempo is None else tempo
    if not notes:
        notes = [PerformedNote(0.0, 0.1, 60)]
    return _reaching(np.asarray(track_beats(notes, tempo=tempo).times), len(sound) / sampling_rate)


def _beginnings(sound: np.ndarray, sampling_rate: int) -> list[PerformedNote]:
    """The recording's onsets as notes of one key: beats are tracked in notes."""
    ear = TranscriberFeatureExtractor(sampling_rate, _HOP, 55.0, _BINS, 12)
    values = ear.features(np.asarray(sound, np.float32)).T
    onsets = find_onsets(MusicFeatures(values, sampling_rate / _HOP), ear.top_db)
    places = np.clip(np.rint(onsets.times * onsets.rate).astype(int), 0, len(onsets.strength) - 1)
    loud = onsets.strength[places] / (float(onsets.strength.max(initial=0.0)) or 1.0)
    rows = zip(onsets.times.tolist(), np.clip(np.rint(127 * loud), 1, 127).astype(int).tolist(), strict=True)
    return [PerformedNote(at, at + 0.1, 60, velocity) for at, velocity in rows]


def _reaching(beats: np.ndarray, seconds: float) -> np.ndarray:
    """With more beats at either end, at the pace of those there."""
    opening, closing = float(beats[1] - beats[0]), float(beats[-1] - beats[-2])
    before = max(0, int(np.ceil(beats[0] / opening)))
    after = max(0, int(np.ceil((seconds - beats[-1]) / closing)))
    ahead = beats[0] - opening * np.arange(before, 0, -1)
    return np.concatenate([ahead, beats, beats[-1] + closing * np.arange(1, after + 1)])


def step_times(beats: np.ndarray, steps_per_beat: int, ratio: float = 1.0) -> np.ndarray:
    """Seconds at which each step begins, and the last one ends, float (n + 1,).

    Args:
        ratio: beats of the grid to each of `beats`; see `RIVALS`.

    >>> step_times(np.array([0.0, 0.5, 1.5]), 2).tolist()
    [0.0, 0.25, 0.5, 1.0, 1.5]
    >>> step_times(np.array([0.0, 0.5, 1.5]), 2, ratio=0.5).tolist()
    [0.0, 0.5, 1.5]
    """
    count = int(np.ceil((len(beats) - 1) * ratio * steps_per_beat))
    places = np.arange(count + 1) / (ratio * steps_per_beat)
    last = len(beats) - 1
    beyond = np.maximum(places - last, 0) * (beats[-1] - beats[-2])
    return np.asarray(np.interp(places, np.arange(last + 1), beats) + beyond)
