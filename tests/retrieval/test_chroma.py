"""Chroma of sound and of notes: pitch classes, beginnings, parts of a recording, and following a tempo curve."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.retrieval.chroma import FRAME_RATE, HOP, SAMPLING_RATE, features, note_energies, shrink, sound_energies
from hfmusic.retrieval.multiscale import warp_multiscale

Tune = list[tuple[float, float, int]]


def play(notes: Tune) -> np.ndarray:
    """Decaying harmonics at 22,050 Hz, from the first sample to a second after the last note."""
    sound = np.zeros(round((max(note[1] for note in notes) + 1) * SAMPLING_RATE), np.float32)
    for onset, offset, pitch in notes:
        first, last = round(onset * SAMPLING_RATE), round(offset * SAMPLING_RATE)
        time = np.arange(last - first) / SAMPLING_RATE
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        waves = sum(0.6**number * np.sin(2 * np.pi * hertz * (number + 1) * time) for number in range(4))
        fade = np.minimum(1, np.minimum(time * 500, (time[-1] - time) * 100)) * np.exp(-2 * time)
        sound[first:last] += (0.1 * waves * fade).astype(np.float32)
    return sound


def tune(rng: np.random.Generator, count: int) -> Tune:
    """Two voices in eighths and quarters."""
    notes, now = [], 0.0
    for _ in range(count):
        length = float(rng.choice([0.25, 0.5]))
        notes += [(now, now + length, int(rng.integers(60, 84))), (now, now + length, int(rng.integers(40, 56)))]
        now += length
    return notes


@pytest.mark.parametrize("pitch", [45, 60, 69, 88])
def test_a_note_sounds_in_its_pitch_class_and_begins_when_it_begins(pitch: int) -> None:
    notes = [(1.0, 2.0, pitch)]
    for energies in (sound_energies(play(notes)), note_energies(notes, 3.0)):
        vectors = features(energies)
        assert vectors.dtype == np.float32 and vectors.shape[1] == 24
        assert int(np.argmax(vectors[round(1.4 * FRAME_RATE), :12])) == pitch % 12
        begins = np.linalg.norm(vectors[:, 12:], axis=1)
        assert np.argmax(begins) == pytest.approx(FRAME_RATE, abs=1.1)
        assert int(np.argmax(vectors[int(np.argmax(begins)), 12:])) == pitch % 12
        assert np.abs(vectors[round(0.3 * FRAME_RATE)]).max() < 0.05  # silence


def test_a_recording_in_blocks_is_the_recording() -> None:
    sound = play(tune(np.random.default_rng(0), 130))
    asked = []

    def part(first: int, last: int) -> np.ndarray:
        asked.append(last - first)
        return sound[first:last]

    streamed = sound_energies(part, len(sound))
    assert len(streamed) == 1 + len(sound) // HOP and len(asked) > 1
    assert streamed == pytest.approx(sound_energies(sound), abs=1e-6)


def test_a_performance_is_followed_through_its_tempo() -> None:
    notes = tune(np.random.default_rng(1), 80)
    written = np.unique([note[0] for note in notes])
    end = notes[-1][1]
    grid = np.linspace(0, end, 9)
    played_at = np.concatenate([[0], np.cumsum(np.diff(grid) * [1, 1.3, 1.1, 0.8, 0.7, 1, 1.2, 1.5])]) + 1.5
    played = [(*np.interp(note[:2], grid, played_at).tolist(), note[2]) for note in notes]
    rows, columns = features(sound_energies(play(played))), features(note_energies(notes))
    path = warp_multiscale(rows, columns, shrink=shrink, skip=0.5)
    passed, at = np.unique(path.columns, return_index=True)
    found = np.interp(written * FRAME_RATE, passed, path.rows[at]) / FRAME_RATE
    errors = np.abs(found - np.interp(written, grid, played_at))
    assert np.median(errors) < 0.045 and np.percentile(errors, 90) < 0.15


def test_shrunk_features_are_units_again() -> None:
    vectors = features(note_energies(tune(np.random.default_rng(2), 9)))
    small = shrink(vectors, 5)
    assert len(small) == -(-len(vectors) // 5)
    assert np.linalg.norm(small[2, :12]) == pytest.approx(1, abs=1e-5)
    assert shrink(vectors, 1) is vectors


def test_nothing_to_hear_or_to_play_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match="without samples"):
        sound_energies(np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="score without notes"):
        note_energies([])
    assert not features(sound_energies(np.zeros(SAMPLING_RATE, np.float32))).any()
