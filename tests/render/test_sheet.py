"""Sheets: systems cut out of their pages and joined, places there and back, seconds at another tempo."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.render.sheet import Measure, Sheet, SheetNote, System, unroll


def page(height: int = 300) -> np.ndarray:
    """Every pixel tells where it is: column number, 200 at most, and white from column 600 on."""
    return np.tile(np.minimum(np.arange(835), 200).astype(np.uint8), (height, 1))


def sheet() -> Sheet:
    systems = (System(0, 10, 100, 110, 140), System(0, 20.5, 200, 80, 240), System(1, 10, 10, 60, 50))
    notes = (SheetNote(0, 0, 50, 120, 60, 1, 0, 0, 1), SheetNote(1, 2, 30, 20, 62, 1, 4, 2, 3))
    return Sheet((page(), page()), systems, notes, (Measure("1", 0, 0, 10, 0, 0, 4), Measure("2", 1, 2, 10, 4, 2, 4)))


def test_a_row_is_its_systems_side_by_side() -> None:
    row = unroll(sheet(), height=100)
    assert row.image.shape == (100, 100 + 60 + 50)
    assert (row.starts, row.lefts, row.pages) == ((0, 100, 160), (10, 20, 10), (0, 0, 1))
    assert row.tops == (70, 170, -20)
    assert list(row.image[50, [0, 99, 100, 159, 160, 209]]) == [10, 109, 20, 79, 10, 59]
    assert (row.image[:20, 160:] == 255).all() and (row.image[20:, 160:] < 255).all()  # above the page is paper


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.37])
def test_places_come_back(scale: float) -> None:
    row = unroll(sheet(), height=100, scale=scale)
    assert row.image.shape == (round(100 * scale), round(210 * scale))
    for system, left in enumerate((10, 21, 10)):
        for x in (left, left + 17.25, left + 38):
            number, back, place = row.page_place(row.x_of(system, x))
            assert (number, back) == (row.pages[system], system) and place == pytest.approx(x)
    assert row.page_place(-5)[1] == 0 and row.page_place(1e6)[1] == 2


def test_tall_systems_are_squeezed_until_they_fit() -> None:
    tall = page(600)
    tall[100], tall[420] = 250, 251  # of a system's outer lines, 360 pixels with what is around them
    systems = (System(0, 10, 100, 110, 420), System(0, 10, 500, 60, 540))
    plain, fitted = (unroll(Sheet((tall,), systems, ()), height=200, fit=fit) for fit in (None, 180))
    assert fitted.image.shape == plain.image.shape and fitted.starts == plain.starts
    assert fitted.tops == (60, plain.tops[1]) and np.array_equal(fitted.image[:, 100:], plain.image[:, 100:])
    assert not (plain.image[:, :100] >= 250).any()
    assert [np.argmax(fitted.image[:100, 0]), 100 + np.argmax(fitted.image[100:, 0])] == [20, 180]
    assert (np.diff(fitted.image[100, :100].astype(int)) == 1).all()  # nothing moves across
    assert np.array_equal(unroll(Sheet((tall,), systems, ()), height=200, fit=360).image, plain.image)
    with pytest.raises(ValueError, match="at least 1 pixel, got 0"):
        unroll(sheet(), fit=0)


def test_scaled_pixels_are_means() -> None:
    row = unroll(sheet(), height=100, scale=0.5)
    assert row.image[25, 10] == pytest.approx(10 + 20.5, abs=1)
    assert row.image.dtype == np.uint8


@pytest.mark.parametrize(("height", "scale"), [(0, 1.0), (100, 0.0), (100, 1.5)])
def test_sizes_that_cannot_be(height: int, scale: float) -> None:
    with pytest.raises(ValueError, match="height must be at least 1 and scale"):
        unroll(sheet(), height=height, scale=scale)


def test_no_systems() -> None:
    with pytest.raises(ValueError, match="without systems"):
        unroll(Sheet((page(),), (), ()))


def test_another_tempo() -> None:
    fast = sheet().at_tempo(1.25)
    assert [note.onset_seconds for note in fast.notes] == [0, 1.6] and fast.notes[1].offset_seconds == 2.4
    assert [one.onset_seconds for one in fast.measures] == [0, 1.6] and fast.notes[1].onset_quarters == 4
    with pytest.raises(ValueError, match="tempo factor must be above 0"):
        sheet().at_tempo(0)
