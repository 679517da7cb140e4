from __future__ import annotations

import numpy as np
import pytest

from hfmusic.models.image_features import NoStaffError, staff_features
from hfmusic.render.distort import distort, distort_camera_primus, distort_photo

WAYS = [distort, distort_camera_primus, distort_photo]


@pytest.mark.parametrize("way", WAYS)
def test_the_seed_decides_the_picture(way, staves):
    first = way(staves[0], np.random.default_rng(5))
    np.testing.assert_array_equal(way(staves[0], np.random.default_rng(5)), first)
    other = way(staves[0], np.random.default_rng(6))
    assert first.shape != other.shape or (first != other).any()


@pytest.mark.parametrize("way", WAYS)
def test_the_picture_given_is_left_alone(way, staves):
    before = staves[1].copy()
    for seed in range(5):
        way(staves[1], np.random.default_rng(seed))
    np.testing.assert_array_equal(staves[1], before)


@pytest.mark.parametrize("way", WAYS)
def test_gives_grey_pictures(way, staves):
    for seed in range(20):
        picture = way(staves[seed], np.random.default_rng(seed))
        assert picture.ndim == 2 and picture.dtype == np.uint8
        assert picture.max() - picture.min() > 60


@pytest.mark.parametrize("way", [distort_camera_primus, distort_photo])
def test_the_staff_is_still_found_where_it_belongs(way, staves):
    """In at least 99 of 100 pictures, and with its lines on the rows where features put them."""
    lost, blurred = 0, 0
    for seed in range(200):
        picture = way(staves[seed % len(staves)], np.random.default_rng(seed))
        try:
            values = staff_features(picture, height=96, mode="staff", staff_space=7.0).values
        except NoStaffError:
            lost += 1
            continue
        profile = values[:, 10:-10].mean(axis=1)
        on = [profile[47 + 7 * k : 49 + 7 * k].max() for k in (-2, -1, 0, 1, 2)]
        between = [profile[51 + 7 * k] for k in (-2, -1, 0, 1)]
        blurred += min(on) < np.mean(between) + 0.05
    assert lost <= 2
    assert blurred <= 2


def test_camera_keeps_the_resolution(staves):
    for seed in range(20):
        picture = distort_camera_primus(staves[0], np.random.default_rng(seed))
        assert abs(picture.shape[1] - staves[0].shape[1]) < 20
        assert 0 <= picture.shape[0] - staves[0].shape[0] < 20 + 0.03 * staves[0].shape[1]


def test_camera_keeps_the_ink(staves):
    for seed in range(20):
        picture = distort_camera_primus(staves[seed], np.random.default_rng(seed))
        before, after = (255.0 - staves[seed]).sum(), (255.0 - picture).sum()
        assert 0.75 < after / before < 2.2


def test_photos_come_in_several_sizes_and_lights(staves):
    pictures = [distort_photo(staves[0], np.random.default_rng(seed)) for seed in range(40)]
    heights = [picture.shape[0] for picture in pictures]
    papers = [float(np.median(picture)) for picture in pictures]
    assert min(heights) < 0.7 * staves[0].shape[0] < staves[0].shape[0] < max(heights)
    assert max(papers) - min(papers) > 60


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(8, 8), (400, 9), (9, 20000)])
def test_odd_sizes_are_distorted_too(way, shape):
    picture = way(np.full(shape, 255, np.uint8), np.random.default_rng(0))
    assert picture.size > 0 and picture.dtype == np.uint8


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "wrong",
    [np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30)), np.zeros((7, 30), np.uint8), np.zeros((8, 30000), np.uint8)],
)
def test_what_is_not_a_picture_is_refused(way, wrong):
    with pytest.raises(ValueError, match=r"uint8 of shape \(H, W\), 8 to 28000 pixels a side, got"):
        way(wrong, np.random.default_rng(0))
