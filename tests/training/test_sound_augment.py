"""Damage of sounds: amounts as asked for, nothing moves in time, the same seed gives the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hfmusic.training.sound_augment import (
    SoundAugmentConfig,
    augment_sound,
    change_speed,
    draw_reference,
    draw_speed,
)

OFF = SoundAugmentConfig()
ALL = SoundAugmentConfig(
    detune_probability=1, equaliser_probability=1, room_probability=1, noise_probability=1, reference_probability=1
)
RATE = 16000


def clicks() -> np.ndarray:
    sound = np.zeros(RATE, np.float32)
    sound[[2000, 9000]] = 0.8
    return sound


def test_nothing_is_changed_by_default() -> None:
    rng = np.random.default_rng(0)
    assert augment_sound(clicks(), RATE, OFF, rng) is not None
    assert np.array_equal(augment_sound(clicks(), RATE, OFF, rng), clicks())
    assert draw_speed(OFF, rng) == 1.0 and draw_reference(OFF, rng) == 0.0


def test_a_seed_gives_the_same_damage() -> None:
    one, two, other = (augment_sound(clicks(), RATE, ALL, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)
    assert one.dtype == np.float32 and one.shape == (RATE,)


@pytest.mark.parametrize("kind", ["equaliser", "room"])
def test_clicks_stay_where_they_are(kind: str) -> None:
    config = replace(OFF, **{f"{kind}_probability": 1.0})
    for seed in range(5):
        damaged = augment_sound(clicks(), RATE, config, np.random.default_rng(seed))
        loudest = np.argsort(np.abs(damaged))[-2:]
        assert set(loudest.tolist()) == {2000, 9000}
        if kind == "room":  # nothing is heard before a click
            assert np.abs(damaged[:1990]).max() < 1e-4 < np.abs(damaged[2400:4000]).max()


def test_noise_has_the_level_asked_for() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    config = replace(OFF, noise_probability=1.0, noise_db=(20.0, 20.0))
    for seed in range(4):
        noise = augment_sound(tone, RATE, config, np.random.default_rng(seed)) - tone
        ratio = 10 * np.log10(np.mean(tone**2) / np.mean(noise**2))
        assert ratio == pytest.approx(20, abs=0.5)


def test_silence_stays_silent() -> None:
    silence = np.zeros(RATE, np.float32)
    assert not augment_sound(silence, RATE, ALL, np.random.default_rng(0)).any()


def test_speed_is_within_its_cents_and_moves_clicks() -> None:
    rng = np.random.default_rng(0)
    speeds = [draw_speed(ALL, rng) for _ in range(200)]
    assert 2 ** (-20 / 1200) <= min(speeds) < 0.999 and 1.001 < max(speeds) <= 2 ** (20 / 1200)
    faster = change_speed(clicks(), 1.01, RATE)
    assert len(faster) == RATE and not faster[-100:].any()
    assert abs(int(np.argmax(faster[5000:])) + 5000 - 9000 / 1.01) < 2
    assert np.array_equal(change_speed(clicks(), 1.0, 10), clicks()[:10])


def test_references_are_louder_by_so_much_at_most() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_reference(ALL, rng) for _ in range(200)]
    assert 0 <= min(drawn) and 10 < max(drawn) <= 15 and np.median(drawn) < 7.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_probability": 1.5}, "noise_probability must be 0 to 1, got 1.5"),
        ({"tilt": -1.0}, "tilt must not be negative, got -1.0"),
        ({"noise_db": (30.0, 10.0)}, r"noise_db must be the least and the greatest, got \[30.0, 10.0\]"),
        ({"room_seconds": 9.0}, "room_seconds must be up to 1.5"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SoundAugmentConfig(**changes)
