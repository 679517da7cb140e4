"""Rooms, equalisers and noise: what they do to a sound, and that no onset moves."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.data.treatments import EQ_HERTZ, PARTS, Treatment

RATE = 16000


def click() -> np.ndarray:
    sound = np.zeros(RATE, np.float32)
    sound[RATE // 4] = 0.5
    return sound


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_nothing_is_nothing() -> None:
    assert Treatment.sample(rng(), ()) == Treatment()
    np.testing.assert_array_equal(Treatment().of(click(), RATE, rng()), click())


def test_a_room_rings_after_the_sound_only() -> None:
    heard = Treatment(room_seconds=0.5, room_decibels=-6.0).of(click(), RATE, rng())
    assert len(heard) == RATE and heard.dtype == np.float32
    assert int(np.abs(heard).argmax()) == RATE // 4 and np.abs(heard[: RATE // 4 - 1]).max() < 1e-5
    echo = heard - click()
    assert 10 * np.log10((echo**2).sum() / 0.25) == pytest.approx(-6, abs=0.2)
    early, late = (float((part**2).mean()) for part in np.split(echo[RATE // 4 : RATE // 4 + 8000], 2))
    assert 20 < 10 * np.log10(early / late) < 45  # 30 dB in half of the time
    assert np.abs(echo[RATE // 4 : RATE // 4 + 40]).max() < 1e-5  # the first reflection takes its time


def test_noise_is_as_loud_as_said() -> None:
    tone = np.sin(np.arange(RATE) / 8).astype(np.float32)
    noise = Treatment(noise_decibels=20.0).of(tone, RATE, rng()) - tone
    assert 10 * np.log10((tone**2).mean() / (noise**2).mean()) == pytest.approx(20, abs=0.1)


def test_an_equaliser_changes_its_bands_and_keeps_time() -> None:
    gains = tuple(6.0 if hertz >= 2000 else -6.0 for hertz in EQ_HERTZ)
    for hertz, gain in ((250, -6.0), (4000, 6.0)):
        tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
        heard = Treatment(eq_decibels=gains).of(tone, RATE, rng())
        middle = slice(RATE // 4, 3 * RATE // 4)
        np.testing.assert_allclose(heard[middle], tone[middle] * 10 ** (gain / 20), atol=0.03)
    assert int(np.abs(Treatment(eq_decibels=gains).of(click(), RATE, rng())).argmax()) == RATE // 4


def test_draws_follow_from_the_generator() -> None:
    assert Treatment.sample(rng(), PARTS) == Treatment.sample(rng(), PARTS)
    drawn = [Treatment.sample(np.random.default_rng(seed), PARTS) for seed in range(200)]
    for used in ([t.room_seconds > 0 for t in drawn], [t.noise_decibels is not None for t in drawn]):
        assert 100 < sum(used) < 165
    assert all(len(t.eq_decibels) in (0, len(EQ_HERTZ)) for t in drawn)


def test_silence_stays_finite() -> None:
    silence = np.zeros(2000, np.float32)
    heard = Treatment(0.3, -6.0, 30.0, (1.0,) * len(EQ_HERTZ)).of(silence, RATE, rng())
    assert np.isfinite(heard).all() and len(heard) == 2000
