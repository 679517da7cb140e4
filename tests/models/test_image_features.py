"""Staff features: the five lines must land on the same rows whatever the crop, the light and the bend of the page."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hfmusic.models.image_features import NoStaffError, find_staff, is_negative, normalise_ink, staff_features

SPACE, HEIGHT = 7.0, 96


def drawn_staff(
    *,
    width: int = 900,
    height: int = 300,
    space: float = 18.0,
    middle: float = 140.0,
    slope: float = 0.0,
    bend: float = 0.0,
) -> np.ndarray:
    """A staff of five 2-pixel lines with a stem and a notehead now and then, uint8, 255 = paper."""
    rows = np.arange(height)[:, None]
    columns = np.arange(width)[None, :]
    centre = middle + slope * columns + bend * np.sin(columns / 150)
    picture = np.full((height, width), 255, np.uint8)
    for line in (-2, -1, 0, 1, 2):
        picture[np.abs(rows - centre - line * space) <= max(1.0, space / 18)] = 0
    for x in range(80, width - 20, 90):
        picture[(np.abs(rows - centre - space) < space / 2) & (np.abs(columns - x) < space * 0.6)] = 0
        picture[(np.abs(rows - centre + space) < space * 1.8) & (np.abs(columns - x - 9) < 2)] = 0
    return picture


def line_rows(values: np.ndarray) -> np.ndarray:
    """Centres of the separate bands of ink of a feature array, in rows."""
    profile = np.median(values, axis=1)
    inked = profile > 0.25 * profile.max()
    edges = np.flatnonzero(np.diff(np.pad(inked, 1).astype(int)))
    bands = [np.arange(start, end) for start, end in edges.reshape(-1, 2)]
    return np.array([(band * profile[band]).sum() / profile[band].sum() for band in bands])


@pytest.mark.parametrize("space", [6.0, 9.5, 18.0, 41.0])
@pytest.mark.parametrize("slope", [0.0, 0.03, -0.03])
def test_lines_land_on_fixed_rows(space: float, slope: float) -> None:
    picture = drawn_staff(space=space, slope=slope, height=500, middle=250)
    result = staff_features(picture, height=HEIGHT, mode="staff", staff_space=SPACE)
    expected = HEIGHT / 2 - 0.5 + SPACE * np.arange(-2, 3)
    assert result.values.shape[0] == HEIGHT and result.values.dtype == np.float32
    assert line_rows(result.values) == pytest.approx(expected, abs=0.8)


def test_a_bent_page_is_made_level() -> None:
    staff = find_staff(normalise_ink(drawn_staff(bend=9.0)))
    columns = np.arange(staff.left + 40, staff.right - 40)
    truth = 140 + 9.0 * np.sin(columns / 150)
    assert np.abs(staff.middle[columns] - truth).max() < 2.0
    assert staff.space == pytest.approx(18.0, abs=0.2)


def test_uneven_light_and_white_on_black_change_little() -> None:
    picture = drawn_staff()
    plain = staff_features(picture, height=HEIGHT, mode="staff", staff_space=SPACE).values
    light = (0.4 + 0.6 * np.linspace(0, 1, picture.shape[1]))[None, :]
    shaded = staff_features((picture * light).astype(np.uint8), height=HEIGHT, mode="staff", staff_space=SPACE).values
    turned = staff_features(255 - picture, height=HEIGHT, mode="staff", staff_space=SPACE).values
    assert plain.shape == shaded.shape == turned.shape
    assert np.abs(plain - shaded).mean() < 0.02
    assert np.abs(plain - turned).mean() < 0.02


def test_a_photograph_in_the_dark_is_no_negative() -> None:
    """Its paper is darker than half grey; a lamp at one side makes a part of it bright."""
    picture = drawn_staff()
    plain = staff_features(picture, height=HEIGHT, mode="staff", staff_space=SPACE).values
    lamp = 0.18 + 0.5 * np.exp(-np.linspace(0, 6, picture.shape[1]))[None, :]
    noise = np.random.default_rng(0).normal(0, 2, picture.shape)
    dim = ((0.15 + 0.85 * picture / 255.0) * 255 * lamp + noise).clip(0, 255).astype(np.uint8)
    assert np.median(dim) < 60
    assert not is_negative(dim) and is_negative(255 - picture) and not is_negative(picture)
    found = staff_features(dim, height=HEIGHT, mode="staff", staff_space=SPACE).values
    assert found.shape == plain.shape
    assert np.abs(plain - found).mean() < 0.05


def test_columns_map_back_to_the_picture() -> None:
    picture = np.pad(drawn_staff(width=700), ((0, 0), (200, 100)), constant_values=255)
    result = staff_features(picture, height=HEIGHT, mode="staff", staff_space=SPACE)
    left = result.offset_x
    right = result.values.shape[1] / result.scale_x + result.offset_x
    assert 80 <= left <= 200 and 900 <= right <= 1000


def test_height_mode_is_the_papers() -> None:
    picture = np.full((155, 1041), 255, np.uint8)
    picture[70:80] = 0
    result = staff_features(picture, height=256, mode="height")
    assert result.values.shape == (256, 1719)  # the golden number of paper 000's preprocessing
    assert result.values.min() == 0.0 and result.values.max() == 1.0
    assert result.scale_x == pytest.approx(1719 / 1041)


def pictures_without_a_staff() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (400, 600)).astype(np.uint8)
    small = Image.fromarray(rng.integers(0, 256, (12, 18)).astype(np.uint8))
    columns, rows = np.meshgrid(np.arange(600) // 20, np.arange(300) // 20)
    return {
        "white": np.full((300, 900), 255, np.uint8),
        "grey": np.full((300, 900), 128, np.uint8),
        "black": np.zeros((300, 900), np.uint8),
        "noise": noise,
        "soft shapes": np.asarray(small.resize((900, 600), Image.Resampling.BICUBIC)),
        "chequers": ((columns + rows) % 2 * 255).astype(np.uint8),
        "one line": np.where(np.arange(200)[:, None] == 100, 0, 255).astype(np.uint8).repeat(600, axis=1),
    }


@pytest.mark.parametrize("name", list(pictures_without_a_staff()))
def test_no_staff_is_said_in_one_sentence(name: str) -> None:
    with pytest.raises(NoStaffError, match="^no staff found: "):
        staff_features(pictures_without_a_staff()[name], height=HEIGHT, mode="staff", staff_space=SPACE)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((1, 1), np.uint8), "1x1 pixels: too small"),
        (np.zeros((100, 100, 3), np.uint8), "uint8 of shape"),
        (np.zeros((100, 100), np.float32), "got float32"),
        (np.full((10, 4000), 255, np.uint8), "columns wide"),
    ],
)
def test_unusable_arrays_are_refused(picture: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        staff_features(picture, height=256, mode="height")


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="'page'"):
        staff_features(np.full((100, 100), 255, np.uint8), mode="page")
