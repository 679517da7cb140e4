"""Beats of played notes."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.hearing.beats import track_beats
from hfmusic.symbolic.performance import PerformedNote


def waltz(tempo: float, measures: int = 16, meter: int = 3) -> list[PerformedNote]:
    """A low loud note and soft high chords, a little uneven, after a second and a half of silence."""
    rng, beat = np.random.default_rng(1), 60 / tempo
    notes = []
    for count in range(measures * meter):
        time = 1.5 + count * beat + rng.normal(0, 0.008)
        low = count % meter == 0
        for pitch in (40,) if low else (64, 67, 72):
            notes.append(PerformedNote(time, time + 0.8 * beat, pitch, 90 if low else 55))
    return notes


@pytest.mark.parametrize(("tempo", "meter"), [(80, 3), (96, 4), (120, 3), (140, 4)])
def test_a_steady_beat_is_found(tempo: float, meter: int) -> None:
    notes = waltz(tempo, meter=meter)
    beats = track_beats(notes)
    assert beats.tempo == pytest.approx(tempo, rel=0.03)
    assert beats.meter == meter
    onsets = np.unique([note.onset_seconds for note in notes])
    away = np.abs(np.asarray(beats.times)[:, None] - onsets).min(axis=0)
    assert np.mean(away < 0.03) > 0.95
    first = np.asarray(beats.times)[beats.upbeat :: beats.meter]
    lows = np.array([note.onset_seconds for note in notes if note.pitch_midi == 40])
    assert np.mean(np.abs(first[:, None] - lows).min(axis=0) < 0.05) > 0.9


def test_beats_follow_a_change_of_tempo() -> None:
    times = np.cumsum(np.concatenate([np.full(30, 0.5), np.linspace(0.5, 0.62, 30)]))
    beats = track_beats([PerformedNote(time, time + 0.3, 60) for time in times])
    away = np.abs(np.asarray(beats.times)[:, None] - times).min(axis=0)
    assert np.mean(away < 0.05) > 0.9


def test_a_given_tempo_is_even_and_in_phase() -> None:
    notes = waltz(100)
    beats = track_beats(notes, tempo=100)
    assert np.ptp(np.diff(beats.times)) < 1e-9
    phase = (np.array([note.onset_seconds for note in notes]) - beats.times[0]) / 0.6
    assert np.abs(phase - np.round(phase)).max() < 0.08
    assert beats.times[0] <= notes[0].onset_seconds + 0.07
    assert beats.times[-1] >= max(note.offset_seconds for note in notes) - 1e-6


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_notes_have_beats(count: int) -> None:
    beats = track_beats([PerformedNote(3 + n / 2, 3.4 + n / 2, 60) for n in range(count)])
    assert len(beats.times) >= 2
    assert beats.times[0] <= 3.1


def test_no_notes_and_no_tempo() -> None:
    with pytest.raises(ValueError, match="there are none"):
        track_beats([])
    with pytest.raises(ValueError, match="the tempo must be 20 to 480"):
        track_beats([PerformedNote(0, 1, 60)], tempo=1)
