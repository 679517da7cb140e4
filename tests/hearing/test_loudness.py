"""Where a recording sounds."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.hearing.loudness import Loudness, loudness
from hfmusic.models.audio_reading import Sound

RATE = 22050


def levels(*parts: tuple[float, float], noise: float = 0.0) -> Loudness:
    """Of (seconds, amplitude) in a row, over a noise floor."""
    sound = np.concatenate([np.full(round(seconds * RATE), amplitude) for seconds, amplitude in parts])
    sound = sound + np.random.default_rng(0).normal(0, noise, len(sound))
    return loudness(Sound(sound.astype(np.float32)))


def test_levels_are_root_mean_squares() -> None:
    found = levels((25.01, 0.5), (0.5, 0.1))
    assert found.seconds == pytest.approx(25.51, abs=1e-3)
    assert found.levels[-5] == pytest.approx(0.1)
    assert len(found.levels) * found.step == pytest.approx(25.51, abs=0.05)
    assert found.levels[0] == pytest.approx(0.5)
    assert found.peak == 0.5


def test_silence_is_no_music() -> None:
    assert levels((3, 0.0)).music() is None
    assert levels((3, 5e-5)).music() is None


def test_noise_before_the_first_note_goes() -> None:
    start, end = levels((2, 0), (3, 0.5), (4, 0), noise=1e-4).music() or (0, 0)
    assert start == pytest.approx(1.9, abs=0.06)
    assert end == pytest.approx(5.6, abs=0.06)


def test_louder_noise_goes_too() -> None:
    start, end = levels((2, 0), (3, 0.5), (2, 0), noise=5e-3).music() or (0, 0)  # 40 dB below
    assert (start, end) == (pytest.approx(1.9, abs=0.06), pytest.approx(5.6, abs=0.06))
    # a soft end is no noise
    assert (levels((5, 0.5), (3, 0.05)).music() or (0, 0))[1] == 8


def test_perfect_silence_is_a_rest_if_it_is_short() -> None:
    assert levels((2, 0), (3, 0.5), (1, 0)).music() == (0, pytest.approx(6, abs=1e-3))
    start, end = levels((8, 0), (3, 0.5), (9, 0)).music() or (0, 0)
    assert (start, end) == (pytest.approx(7.9, abs=0.06), pytest.approx(11.6, abs=0.06))


def test_pauses_part_a_recording() -> None:
    parts = levels((2, 0.5), (1, 0), (2, 0.5), (5, 0), (2, 0.4)).sections()
    assert [round(value, 1) for part in parts for value in part] == [0.0, 5.6, 9.9, 12.0]


def test_the_quietest_moment() -> None:
    found = levels((2, 0.5), (0.3, 0.01), (2, 0.5))
    assert 2.0 < found.quietest(1, 4) < 2.3
    assert found.at(2.15) == pytest.approx(0.01)
    assert (found.at(-1), found.at(99)) == (found.levels[0], found.levels[-1])
    assert found.quietest(4.29, 9) == pytest.approx(4.3, abs=0.1)
