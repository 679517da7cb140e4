"""Damage of cached spectra: bounds, determinism, and what it must not change."""

import numpy as np
import pytest

from hfmusic.data.spectrum_augment import SpectrumAugmentConfig, augment_spectrum

NONE = dict.fromkeys(vars(SpectrumAugmentConfig()), 0) | {"probability": 1.0}


def spectrum(width: int = 80) -> np.ndarray:
    features = np.zeros((96, width), np.uint8)
    features[40, 10:50] = 200
    return features


def test_nothing_asked_for_changes_nothing() -> None:
    features = spectrum()
    again = augment_spectrum(features, SpectrumAugmentConfig(**NONE), np.random.default_rng(0))
    assert np.array_equal(again, features)
    assert augment_spectrum(features, SpectrumAugmentConfig(probability=0.0), np.random.default_rng(0)) is features


def test_same_seed_same_damage_and_the_input_is_kept() -> None:
    features, config = spectrum(), SpectrumAugmentConfig()
    kept = features.copy()
    one, two = (augment_spectrum(features, config, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, two) and np.array_equal(features, kept)
    assert not np.array_equal(one, augment_spectrum(features, config, np.random.default_rng(6)))


@pytest.mark.parametrize(("stretch", "width"), [(1.0, 84), (-1.0, 76)])
def test_stretch_is_the_batch_s(stretch: float, width: int) -> None:
    config = SpectrumAugmentConfig(**{**NONE, "stretch": 0.05})
    rng = np.random.default_rng(1)
    widths = {augment_spectrum(spectrum(), config, rng, stretch=stretch).shape[1] for _ in range(20)}
    assert max(abs(found - width) for found in widths) <= 1


def test_never_narrower_than_asked() -> None:
    config = SpectrumAugmentConfig(**{**NONE, "stretch": 0.5})
    for seed in range(20):
        assert augment_spectrum(spectrum(), config, np.random.default_rng(seed), min_width=75).shape[1] >= 75


def test_the_note_stays_in_its_row() -> None:
    config = SpectrumAugmentConfig(time_masks=0, row_masks=0)
    for seed in range(20):
        damaged = augment_spectrum(spectrum(), config, np.random.default_rng(seed)).astype(float)
        assert damaged.mean(axis=1).argmax() == 40


def test_masks_are_silent() -> None:
    config = SpectrumAugmentConfig(**{**NONE, "row_masks": 1, "row_mask_size": 90})
    found = [augment_spectrum(np.full((96, 20), 9, np.uint8), config, np.random.default_rng(seed)) for seed in range(9)]
    assert any((image == 0).all(axis=1).any() for image in found)
    assert all(set(np.unique(image)) <= {0, 9} for image in found)


@pytest.mark.parametrize("wrong", [{"noise": -1}, {"probability": 2}, {"stretch": 1}])
def test_bad_amounts_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SpectrumAugmentConfig(**wrong)  # type: ignore[arg-type]
