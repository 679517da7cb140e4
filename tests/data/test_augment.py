"""Damage of features: seeded, bounded, never too narrow."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.data.augment import AugmentConfig, augment

NONE = AugmentConfig(
    vertical_shift=0,
    vertical_scale=0,
    horizontal_scale=0,
    horizontal_shift=0,
    stroke_probability=0,
    blur_probability=0,
    gamma=0,
    contrast=0,
    noise=0,
    cutout_probability=0,
)


@pytest.fixture
def features() -> np.ndarray:
    image = np.zeros((48, 200), np.uint8)
    image[::8] = 255
    image[10:20, 50:60] = 200
    return image


def test_one_seed_gives_one_result(features: np.ndarray) -> None:
    first, again, other = (augment(features, AugmentConfig(), np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_the_input_is_not_written_to(features: np.ndarray) -> None:
    kept = features.copy()
    features.flags.writeable = False
    for seed in range(30):
        augment(features, AugmentConfig(cutout_probability=1.0), np.random.default_rng(seed))
    assert np.array_equal(features, kept)


def test_amounts_of_zero_change_nothing(features: np.ndarray) -> None:
    assert np.array_equal(augment(features, NONE, np.random.default_rng(0)), features)


def test_probability_zero_gives_the_very_array(features: np.ndarray) -> None:
    assert augment(features, AugmentConfig(probability=0.0), np.random.default_rng(0)) is features


def test_height_and_type_stay_and_widths_keep_their_bounds(features: np.ndarray) -> None:
    config = AugmentConfig()
    for seed in range(100):
        result = augment(features, config, np.random.default_rng(seed), min_width=190)
        assert result.dtype == np.uint8 and result.shape[0] == 48
        assert 190 <= result.shape[1] <= round(200 * 1.15) + 12


def test_a_batchs_stretch_leaves_widths_close(features: np.ndarray) -> None:
    config = AugmentConfig(horizontal_scale=0.2, horizontal_shift=0)
    widths = [augment(features, config, np.random.default_rng(seed), stretch=1.0).shape[1] for seed in range(50)]
    assert 200 * 1.14 - 1 <= min(widths) < max(widths) <= 240  # 1 + 0.2 x (0.85 +- 0.15)
    drawn = [augment(features, config, np.random.default_rng(seed)).shape[1] for seed in range(50)]
    assert min(drawn) < 180 and max(drawn) > 220


def test_each_effect_shows(features: np.ndarray) -> None:
    for change in (
        {"vertical_shift": 5},
        {"stroke_probability": 1.0},
        {"blur_probability": 1.0, "blur_sigma": 1.0},
        {"noise": 0.2},
        {"contrast": 0.5},
        {"cutout_probability": 1.0, "cutout_count": 5},
    ):
        config = AugmentConfig(**{**vars(NONE), **change})
        results = [augment(features, config, np.random.default_rng(seed)) for seed in range(8)]
        assert any(not np.array_equal(result, features) for result in results), change


@pytest.mark.parametrize(
    ("change", "message"),
    [({"noise": -0.1}, "augment.noise must not be negative, got -0.1"), ({"probability": 2.0}, "must be 0 to 1")],
)
def test_wrong_amounts_are_named(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AugmentConfig(**change)  # type: ignore[arg-type]
